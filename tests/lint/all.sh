#!/usr/bin/env bash
# Runs every lint, prints what each one finds, and fails when any does.
set -uo pipefail

cd "$(git rev-parse --show-toplevel)" || exit 1
failed=0
for lint in layers walls mirror size words format shell cppcheck tidy; do
    started=$(date +%s%N)
    if out=$("tests/lint/$lint.sh" 2>&1); then
        result=ok
    else
        result=FAIL
        failed=1
    fi
    printf '%-5s %-10s %6d ms\n' "$result" "$lint" "$((($(date +%s%N) - started) / 1000000))"
    [ "$result" = ok ] || printf '%s\n' "$out" | sed 's/^/      | /'
done
exit $failed
