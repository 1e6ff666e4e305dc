#!/usr/bin/env bash
# How long a job takes to start and to end with real programs: ending.sh BUILD ROUNDS. From the records of the jobs themselves; all
# clocks are this machine's.
set -euo pipefail
build=$1 rounds=$2
directory=$(mktemp -d /tmp/curfew-bench-XXXXXX)
trap '"$build/bin/curfew" down --dir "$directory" 2>/dev/null; rm -rf "$directory"' EXIT
CURFEW_SERVER=$("$build/bin/curfew" up --dir "$directory")
export CURFEW_SERVER

cat >"$directory/job.json" <<'JOB'
{"name": "ending",
 "services": [{"name": "idle", "command": ["sleep", "1000"]}],
 "stages": [{"name": "main", "command": ["/bin/sh", "-c", "date +%s.%N >\"$CURFEW_OUTPUT\""]}]}
JOB

# Prints percentiles of the numbers on stdin: NAME then p50 and p99 in ms.
percentiles() {
    sort -n | awk -v name="$1" '{v[NR] = $1} END {
        p50 = v[int((NR - 1) * 0.50) + 1]; p99 = v[int((NR - 1) * 0.99) + 1]
        printf "%-50s %9.2f ms p50 %9.2f ms p99 (%d jobs)\n", name, p50, p99, NR}'
}

for _ in $(seq "$rounds"); do
    job=$("$build/bin/curfew" submit --quiet "$directory/job.json")
    # one line of JSON per job: its record, its certificates, its result
    curl -sS "$CURFEW_SERVER/v1/jobs/$job" | jq -c .
    curl -sS "$CURFEW_SERVER/v1/jobs/$job/cleanup" | jq -c '.certificates[0]'
    curl -sS "$CURFEW_SERVER/v1/jobs/$job/results" | jq -c .output
done >"$directory/records"

# shellcheck disable=SC2016 # jq's variables
seconds='def seconds: capture("(?<whole>.*)[.](?<part>[0-9]+)Z") | ("\(.whole)Z" | fromdate) + ("0.\(.part)" | tonumber);'
each() {
    jq -s -r "$seconds"' [range(0; length; 3) as $i | {job: .[$i], certificate: .[$i + 1], task: .[$i + 2]}] | .[] | '"$1"' | . * 1000' "$directory/records"
}
each '(.task - (.job.created_at | seconds))' | percentiles "submit to a task's first act, service included"
each '((.certificate.signals[0].at | seconds) - (.job.finished_at | seconds))' | percentiles "last report to TERM"
each '((.job.closed_at | seconds) - (.job.finished_at | seconds))' | percentiles "last report to closed, verified"
