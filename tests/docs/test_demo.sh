#!/usr/bin/env bash
# What `make demo` runs: it succeeds, shows a result and a certificate, and nothing of it is left.
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT

fail() {
    echo "$1"
    cat "$log"
    exit 1
}

docs/examples/word-count/demo.sh >"$log" 2>&1 || fail "the demo fails"
directory=$(sed -n 's/^== Starting .* in \(.*\)$/\1/p' "$log")
job=$(grep -m 1 -x 'j[0-9a-z]*' "$log") || fail "no job is named"

for text in 'service.ready  service=cache' 'job.outcome  outcome=succeeded' 'service.verified  service=cache' \
    'job.closed  cleanup=clean' 'cleanup: clean' "no process of $job is left"; do
    grep -qF -- "$text" "$log" || fail "the demo does not print: $text"
done
# Services are ready before the first task runs, and go once the job has its outcome.
order=$(grep -oE '(service\.ready|job\.running|job\.outcome|service\.stopping|service\.verified|job\.closed)' "$log" | tr '\n' ' ')
[ "$order" = "service.ready job.running job.outcome service.stopping service.verified job.closed " ] ||
    fail "the order is: $order"
[ "$(grep -cP '^[0-9]+\t[a-z]+$' "$log")" -eq 10 ] || fail "the result has not ten words"
grep -qE '^cache +1 +verified +succeeded +SIGTERM [0-9:]+ +exit 0 +[a-z+]+ +verified ' "$log" || fail "there is no certificate"

[ -n "$directory" ] || fail "no directory is named"
[ ! -e "$directory" ] || fail "'$directory' is left"
! grep -lsaF "$directory" /proc/[0-9]*/cmdline || fail "processes are left"
