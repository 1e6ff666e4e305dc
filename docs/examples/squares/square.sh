#!/bin/sh
# A counted stage has no items: the task's number is all there is.
set -eu
echo "{\"n\": $CURFEW_TASK, \"square\": $((CURFEW_TASK * CURFEW_TASK))}" >"$CURFEW_OUTPUT"
