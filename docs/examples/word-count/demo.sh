#!/usr/bin/env bash
# `make demo`: a whole Curfew in a temporary directory, the word-count job on it, its result, the proof that its Redis is gone, and the
# end of everything. Needs the programs in $BUILD/bin.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin=${BUILD:-build}/bin
directory=$(mktemp -d -t curfew-demo-XXXXXX)

end() {
    "$bin/curfew" down --dir "$directory" || true
    rm -rf "$directory"
}
trap end EXIT

say() {
    printf '\n== %s\n' "$*"
}

say "Starting PostgreSQL, job manager, reaper and worker in $directory"
CURFEW_SERVER=$("$bin/curfew" up --dir "$directory")
export CURFEW_SERVER
echo "$CURFEW_SERVER"
"$bin/curfew" workers

say "Submitting docs/examples/word-count/job.yaml"
# The first line is the job's id; then its history, until it is closed.
"$bin/curfew" submit docs/examples/word-count/job.yaml | tee "$directory/history"
job=$(head -n 1 "$directory/history")
echo
"$bin/curfew" show "$job"

say "Its result: the most frequent words of the licences on this machine"
"$bin/curfew" results "$job" | jq -r '.output | "\(.count)\t\(.word)"'

say "The proof that its Redis is gone"
"$bin/curfew" cleanup "$job"
"$bin/curfew" -o json cleanup "$job" | jq -e '.cleanup == "clean" and (.certificates | length) == 1 and .certificates[0].grade == "verified"' >/dev/null
if grep -qzs "^CURFEW_JOB=$job" /proc/[0-9]*/environ; then
    echo "a process of $job is still there" >&2
    exit 1
fi
echo "no process of $job is left on this machine"

say "Ending everything"
