#!/usr/bin/env bash
# The test runner itself: what it counts, and that nothing which goes wrong looks like success.
# deadline: 120
# shellcheck disable=SC2016 # the little scripts expand when they run
set -uo pipefail
unset FILTER WRAPPER TIMEOUT_FACTOR CURFEW_TEST_ENGINE CI

runner=$PWD/tests/support/run_tests.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

suite=e2e
# check NAME EXPECTED-STATUS PATTERN SCRIPT: runs a suite ($suite) whose only program is the script.
check() {
    local name=$1 status=$2 pattern=$3 out got=0
    rm -rf "$work/tree"
    mkdir -p "$work/tree/tests/$suite" "$work/tree/build/tests/fixtures"
    printf '#!/bin/sh\n%s\n' "${engine:-exit 1}" >"$work/tree/build/tests/fixtures/engine"
    chmod +x "$work/tree/build/tests/fixtures/engine"
    printf '#!/usr/bin/env bash\n%s\n' "$4" >"$work/tree/tests/$suite/test_it.sh"
    chmod +x "$work/tree/tests/$suite/test_it.sh"
    out=$(cd "$work/tree" && "$runner" build "$suite" 2>&1) || got=$?
    if [ "$got" -eq "$status" ] && grep -qE "$pattern" <<<"$out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: status %d, expected %d and /%s/ in:\n%s\n' "$name" "$got" "$status" "$pattern" "$out"
    fi
}

check 'a script is one test' 0 '^1 passed, 0 failed$' 'exit 0'
check 'a failing script is one failure' 1 '^0 passed, 1 failed$' 'exit 3'
check 'output of a failure is shown' 1 'the reason' 'echo the reason; exit 1'
check 'a last line with totals counts' 0 '^7 passed, 0 failed$' 'echo "7 passed, 0 failed"'
check 'failures in the totals count, whatever the status' 1 '^6 passed, 2 failed$' 'echo "6 passed, 2 failed"'
check 'totals do not hide a status' 1 '^6 passed, 1 failed$' 'echo "6 passed, 0 failed"; exit 1'
check 'totals of zero are a failure' 1 'ran no test' 'echo "0 passed, 0 failed"'
check 'cmocka is counted by tests' 0 '^2 passed, 0 failed$' 'echo "[==========] Running 2 test(s)."
    echo "[ RUN      ] a"; echo "[       OK ] a"; echo "noise[       OK ] b"; echo "[  PASSED  ] 2 test(s)."'
check 'cmocka failures are counted' 1 '^1 passed, 1 failed$' 'echo "[==========] Running 2 test(s)."
    echo "[       OK ] a"; echo "[  FAILED  ] b"; echo "[  PASSED  ] 1 test(s)."; echo "[  FAILED  ] 1 test(s), listed below:"; exit 1'
check 'a crash after some tests is a failure' 1 '^1 passed, 1 failed$' 'echo "[==========] Running 2 test(s)."
    echo "[       OK ] a"; kill -SEGV $$'
check 'a skipped test is a failure' 1 'skipped a test' 'echo "[==========] Running 2 test(s)."
    echo "[       OK ] a"; echo "[  SKIPPED ] b"'
check 'the deadline ends it' 1 'timed out' '# deadline: 1
    sleep 60'
check 'a process that is left behind is a failure' 1 'left processes behind' 'setsid sleep 60 >/dev/null 2>&1 & exit 0'
check 'a process that goes soon after is none' 0 '^1 passed' 'setsid sleep 0.3 >/dev/null 2>&1 & exit 0'
check 'a file that is left behind is a failure' 1 'left files behind: litter' 'touch "$TMPDIR/litter"'
check 'standard input is empty' 0 '^1 passed' 'test "$(cat)" = ""'

# Container tests need an engine: what does not run is said and counts as nothing, unless it is required.
suite=containers
engine='exit 0'
check 'containers with an engine' 0 '^1 passed, 0 failed$' 'exit 0'
engine='echo starting >&2; echo "no engine: it needs root" >&2; exit 99'
check 'containers without an engine say why' 1 '^container tests did not run: no engine: it needs root$' 'exit 0'
check 'containers without an engine count none' 1 '^0 passed, 0 failed$' 'exit 0'
CI=true check 'containers that did not run fail in CI' 1 '^0 passed, 1 failed$' 'exit 0'
CURFEW_TEST_ENGINE=required check 'containers that did not run fail where required' 1 '^0 passed, 1 failed$' 'exit 0'

# Nothing to run.
out=$(cd "$work/tree" && rm -rf tests/e2e && "$runner" build e2e 2>&1)
status=$?
if [ $status -ne 0 ] && grep -q 'no test program found' <<<"$out"; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "an empty suite: status $status: $out"
fi

# A test program that was not built.
mkdir -p "$work/tree/tests/unit"
touch "$work/tree/tests/unit/test_missing.c"
out=$(cd "$work/tree" && "$runner" build unit 2>&1)
status=$?
if [ $status -ne 0 ] && [ "$(tail -n 1 <<<"$out")" = '0 passed, 1 failed' ]; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    echo "a program that was not built: status $status: $out"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
