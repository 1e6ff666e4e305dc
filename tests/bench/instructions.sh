#!/usr/bin/env bash
# How many instructions a lane's hot calls take, counted by callgrind over the fixed load of test_hot_cost.c (slices of 100,
# single tasks, 16 calls a transaction, jobs that come alone): instructions.sh BUILD. Fails above the bound, a fifth above what was counted
# with gcc 12 and -O2 on x86-64; PostgreSQL's own are not in it.
set -euo pipefail
build=$1 bound=39300000
work=$(mktemp -d /tmp/curfew-instructions-XXXXXX)
trap 'rm -rf "$work"' EXIT

valgrind --tool=callgrind --toggle-collect=hot_run --callgrind-out-file="$work/%p" --log-file="$work/log.%p" \
    "$build/tests/integration/common/store/test_hot_cost" a_held_snapshot >"$work/out" 2>&1 || {
    cat "$work/out"
    exit 1
}
counted=$(sed -n 's/.*Collected : \([0-9]*\)$/\1/p' "$work"/log.* | sort -n | tail -n 1)
if [ -z "$counted" ] || [ "$counted" -eq 0 ]; then
    echo "nothing was counted"
    exit 1
fi
echo "$counted instructions in hot_run(), at most $bound"
[ "$counted" -le "$bound" ]
