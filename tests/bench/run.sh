#!/usr/bin/env bash
# `make bench`: what a manager carries, what the lanes' store carries without HTTP, and how long the end of a job takes with real
# programs. Compare numbers of one run only: the machine may be shared.
#   RUNS=5 make bench
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
runs=${RUNS:-3}

echo "== $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(postgres --version 2>/dev/null || find /usr/lib/postgresql -maxdepth 1 -mindepth 1 -printf 'PostgreSQL %f ')"
echo "== over HTTP, acknowledged after commit, fsync and synchronous_commit on"
"$build/tests/bench/http" --runs="$runs"
echo "== real programs: worker, shim, reaper"
tests/bench/ending.sh "$build" "$((runs * 10))"
