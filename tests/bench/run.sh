#!/usr/bin/env bash
# `make bench`: what a manager carries, and how long the end of a job takes with real programs; as a table here and as
# JSON in build/bench, with a chart, throughput.svg, of what widths and workers have written. Compare numbers of one run
# only: the machine may be shared.
#   make bench                                all scenarios, 5 runs each, about half an hour
#   make bench ONLY=slices,singles RUNS=3     some of them
#   make bench ONLY=list                      what there is
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
runs=${RUNS:-5}
only=${ONLY:-}
out=$build/bench
programs=$build/tests/bench/scenarios/scenarios

if [ "$only" = list ]; then
    "$programs" --list
    printf '%-10s %s\n' ending 'real programs: the last report to TERM, and to closed'
    exit
fi
mkdir -p "$out"
echo "over HTTP, acknowledged after commit, fsync and synchronous_commit on; PostgreSQL, managers and load share the machine"
if [ "$only" != ending ]; then
    "$programs" --runs="$runs" --only="$only" --json="$out"
fi
if [ -s "$out/widths.json" ] && [ -s "$out/workers.json" ]; then
    tests/bench/chart.sh "$out"
fi
case ,${only:-ending}, in
*,ending,*) tests/bench/ending.sh "$build" "$((runs * 10))" ;;
esac
