#!/usr/bin/env bash
# run.sh BUILD SECONDS [TARGET]: runs the libFuzzer programs in BUILD for so long each, one after the other, from the
# corpora in the tree. What they find on the way is collected in BUILD/corpus; an input that breaks something stays in
# BUILD/findings and ends the run.
set -euo pipefail

build=$1 seconds=$2 only=${3:-}
mkdir -p "$build/findings"
for program in "$build"/tests/fuzz/test_*; do
    name=${program##*/test_}
    [ -z "$only" ] || [ "$only" = "$name" ] || continue
    mkdir -p "$build/corpus/$name"
    nice -n 19 "$program" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$name-" "$build/corpus/$name" "tests/fuzz/corpus/$name" >"$build/$name.log" 2>&1 || {
        tail -n 60 "$build/$name.log"
        echo "$name: see $build/findings"
        exit 1
    }
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log") inputs in $seconds s, no finding"
done
