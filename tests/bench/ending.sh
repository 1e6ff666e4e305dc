#!/usr/bin/env bash
# How long a job takes to start and to end with real programs: ending.sh BUILD ROUNDS. From the records of the jobs themselves; all
# clocks are this machine's. Prints a table, and writes BUILD/bench/ending.json.
set -euo pipefail
build=$1 rounds=$2
load=$(cut -d" " -f1 /proc/loadavg)
mkdir -p "$build/bench"
directory=$(mktemp -d /tmp/curfew-bench-XXXXXX)
trap '"$build/bin/curfew" down --dir "$directory" 2>/dev/null; rm -rf "$directory"' EXIT
CURFEW_SERVER=$("$build/bin/curfew" up --dir "$directory")
export CURFEW_SERVER

cat >"$directory/job.json" <<'JOB'
{"name": "ending",
 "services": [{"name": "idle", "command": ["sleep", "1000"]}],
 "stages": [{"name": "main", "command": ["/bin/sh", "-c", "date +%s.%N >\"$CURFEW_OUTPUT\""]}]}
JOB

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
measures=$directory/measures
{
    each '(.task - (.job.created_at | seconds))' | sort -n | jq -s -c "{name: \"submit to a task's first act, service included\", values: .}"
    each '((.certificate.signals[0].at | seconds) - (.job.finished_at | seconds))' | sort -n | jq -s -c '{name: "last report to TERM", values: .}'
    each '((.job.closed_at | seconds) - (.job.finished_at | seconds))' | sort -n | jq -s -c '{name: "last report to closed, verified", values: .}'
} >"$measures"

echo "ending: real programs, a job with a service each ($rounds jobs; $(nproc) cores, load $load before)"
# shellcheck disable=SC2016 # jq's variables
jq -s --argjson rounds "$rounds" --argjson cores "$(nproc)" --argjson load "$load" '
    def at(part): .[((length - 1) * part) | floor];
    {scenario: "ending", what: "real programs, a job with a service each", runs: $rounds,
     conditions: {cores: $cores, load: $load, fsync: true, synchronous_commit: true, at: (now | todate)},
     measures: [.[] | {name, unit: "ms", p50: (.values | at(0.5)), p99: (.values | at(0.99)), highest: .values[-1]}]}
' "$measures" >"$build/bench/ending.json"
jq -r '.measures[] | [.name, .p50, .p99, .highest] | @tsv' "$build/bench/ending.json" |
    awk -F '\t' '{ printf "  %-52s %8.2f ms p50 %8.2f ms p99 %8.2f ms highest\n", $1, $2, $3, $4 }'
