#!/bin/sh
# A container learns its address when it starts: tasks on other workers reach the services that run here under it.
set -eu

if [ -z "${CURFEW_ADVERTISE:-}" ]; then
    CURFEW_ADVERTISE=$(hostname -i | cut -d ' ' -f 1)
    export CURFEW_ADVERTISE
fi
exec curfew-worker "$@"
