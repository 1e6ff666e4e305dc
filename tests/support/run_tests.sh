#!/usr/bin/env bash
# run_tests.sh BUILD SUITE...: runs the test programs of these suites and sums up what they report.
#
#   unit, integration   every program below BUILD/tests/<suite> that has a source in tests/<suite>
#   e2e, docs           the same, and every executable tests/<suite>/test_*
#   containers          the same; needs a Docker engine of its own (tests/support/engine.h). Where there can be none it does
#                       not run, which is said just before the totals; with CI=true or CURFEW_TEST_ENGINE=required that fails
#
# Each program gets a temporary directory and a deadline of its own, and its output is shown when it fails. A program fails
# as well when it runs no test, skips one, leaves a file in its temporary directory, or leaves a process behind.
# cmocka programs are counted by their tests. A script is one test, unless its last line is "N passed, N failed".
#
# unit, integration and fuzz are through before anything else begins. Those first that take longest (tests/support/longest).
#
# Environment: JOBS (2) programs at a time (one more of unit, integration and fuzz, most of which wait for something; one of the
# others without root, which gives each of e2e and docs a network of its own); TIMEOUT_FACTOR multiplies the deadlines, WRAPPER
# runs each program, FILTER is a substring of the names to run.
# The last line is "N passed, N failed". Exit status: 0 when all passed and there was at least one.
set -uo pipefail

# Seconds that one program of a suite may take. A script may ask for others in a line "# deadline: SECONDS".
deadline_of() {
    local own=''
    case $2 in *.sh | *.py) own=$(sed -n 's/^# deadline: \([0-9]*\)$/\1/p' "$2" | head -n 1) ;; esac
    case $1 in
    unit) echo "${own:-120}" ;;
    integration) echo "${own:-300}" ;;
    *) echo "${own:-600}" ;;
    esac
}

# The programs of a suite, lower layers first, one a line.
programs_of() {
    local build=$1 suite=$2 layer source
    case $suite in
    unit | integration)
        for layer in common/base common/json common/db common/http common/model common/store ''; do
            find "tests/$suite/$layer" -name 'test_*.c' 2>/dev/null | sort
        done | awk '!seen[$0]++' | while read -r source; do
            echo "$build/${source%.c}"
        done
        ;;
    *)
        find "tests/$suite" -name 'test_*' -type f -perm /111 2>/dev/null | sort
        find "tests/$suite" -name 'test_*.c' 2>/dev/null | sort | while read -r source; do
            echo "$build/${source%.c}"
        done
        ;;
    esac
}

# Lines "SUITE PROGRAM" of stdin, those first that tests/support/longest names, in its order.
longest_first() {
    awk 'FILENAME != "-" { place[$1] = FNR; next }
        { name = $2; sub(/.*tests\//, "", name); print (name in place ? place[name] : 9999), $0 }' "$longest" - |
        sort -s -n -k 1,1 | cut -d ' ' -f 2-
}

# Processes that carry this run's mark in their environment.
marked_processes() {
    grep -lszxF "CURFEW_TEST_MARK=$1" /proc/[0-9]*/environ 2>/dev/null | sed -n 's|/proc/\([0-9]*\)/environ|\1|p'
}

# Ends what a program left behind, after a moment of grace; prints what it was.
end_marked() {
    local mark=$1 pids='' try
    for try in $(seq 50); do
        pids=$(marked_processes "$mark")
        [ -n "$pids" ] || return 0
        sleep 0.1
    done
    echo "left processes behind ($try looks):"
    # shellcheck disable=SC2086 # a list of numbers
    ps -o pid,ppid,stat,args -p "$(echo $pids | tr ' ' ',')"
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null
    return 1
}

# Prints "PASSED FAILED" from a program's output and exit status.
count() {
    local log=$1 status=$2 summary passed failed
    summary=$(tail -n 1 "$log" | grep -Ex '[0-9]+ passed, [0-9]+ failed')
    if [ -n "$summary" ]; then
        passed=${summary%% *}
        failed=${summary#*, }
        failed=${failed%% *}
    elif grep -q '\[==========\]' "$log"; then
        passed=$(grep -c '\[       OK \]' "$log")
        failed=$(sed -n 's/.*\[  FAILED  \] \([0-9]*\) test(s).*/\1/p' "$log" | awk '{ sum += $1 } END { print sum + 0 }')
    else
        passed=$([ "$status" -eq 0 ] && echo 1 || echo 0)
        failed=0
    fi
    [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
    echo "$passed $failed"
}

# Runs one program: writes RESULTS/<number>.{log,result} and prints one line.
run_one() {
    local results=$1 number=$2 suite=$3 program=$4
    local name=${program#*tests/} log=$results/$number.log directory mark status=0 started passed failed left problem='' wrapper=${WRAPPER:-}
    mark=$results/$number
    directory=$results/$number.tmp
    mkdir -m 1777 "$directory"
    started=$(date +%s%N)
    [[ $suite != e2e && $suite != docs ]] || wrapper="${OWN_NETWORK:-} $wrapper"
    # shellcheck disable=SC2086 # the wrapper may have arguments
    TMPDIR=$directory CURFEW_TEST_MARK="$mark" timeout -k 10 "$(($(deadline_of "$suite" "$program") * ${TIMEOUT_FACTOR:-1}))" \
        $wrapper "$program" >"$log" 2>&1 </dev/null || status=$?
    [ $status -ne 124 ] || problem="timed out"
    end_marked "$mark" >"$log.left" || problem="${problem:+$problem, }left processes behind"
    left=$(find "$directory" -mindepth 1 -maxdepth 1 -printf '%f ' | head -c 200)
    [ -z "$left" ] || problem="${problem:+$problem, }left files behind: $left"
    ! grep -q '\[  SKIPPED \]' "$log" || problem="${problem:+$problem, }skipped a test"
    rm -rf "$directory"
    [ $status -eq 0 ] || problem="${problem:-exit status $status}"
    read -r passed failed < <(count "$log" "$status")
    [ "$((passed + failed))" -gt 0 ] || problem="ran no test"
    [ -z "$problem" ] || [ "$failed" -gt 0 ] || failed=1
    report "$log" "$name" "$passed" "$failed" "$problem" "$((($(date +%s%N) - started) / 1000000))"
    echo "$passed $failed $name" >"$results/$number.result"
}

report() {
    local log=$1 name=$2 passed=$3 failed=$4 problem=$5 ms=$6
    {
        flock 9
        if [ "$failed" -eq 0 ]; then
            printf 'ok    %-58s %4d  %6d ms\n' "$name" "$passed" "$ms"
        else
            printf 'FAIL  %-58s %4d  %6d ms  %d failed: %s\n' "$name" "$passed" "$ms" "$failed" "$problem"
            sed 's/^/      | /' "$log" "$log.left"
        fi
    } 9>>"${log%/*}/lock"
}

if [ "${1:-}" = --one ]; then
    shift
    run_one "$@"
    exit 0
fi

build=${1:?usage: run_tests.sh BUILD SUITE...}
shift
[ $# -gt 0 ] || set -- unit integration e2e docs
BUILD=$(realpath "$build")
longest=$(dirname "$(realpath "$0")")/longest
export BUILD TIMEOUT_FACTOR=${TIMEOUT_FACTOR:-1} WRAPPER=${WRAPPER:-}
# A short path: the names of Unix sockets below it have 107 bytes.
results=$(mktemp -d /tmp/cft.XXXXXX)
chmod 755 "$results"
trap 'rm -rf "$results"' EXIT

# ThreadSanitizer of older compilers does not cope with today's address space randomization.
if [[ $build == *tsan* ]] && setarch -R true 2>/dev/null; then
    WRAPPER="setarch -R $WRAPPER"
fi
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-suppressions=$PWD/tests/support/tsan.supp:second_deadlock_stack=1:halt_on_error=1}

# Says why there can be no engine; says nothing when there can be one.
missing_engine() {
    local why tool
    for tool in docker-compose mmdebstrap; do
        if ! command -v $tool >/dev/null; then
            echo "there is no $tool (tests/support/deps.sh --ci installs what is needed)"
            return 0
        fi
    done
    why=$(TMPDIR=/tmp timeout 120 "$build/tests/fixtures/engine" --check 2>&1 >/dev/null) && return 0
    printf '%s\n' "${why:-exit status $?}" | tail -n 1
}

# run_all COUNT SUITE...: runs the programs of these suites, so many at a time.
number=0
run_all() {
    local count=$1 suite program
    shift
    while read -r suite program; do
        [[ $program == *${FILTER:-}* ]] || continue
        number=$((number + 1))
        printf '%s\0' "$results" "$number" "$suite" "$program"
    done < <(for suite in "$@"; do programs_of "$build" "$suite" | sed "s/^/$suite /"; done | longest_first) >"$results/list"
    xargs -0 -r -n 4 -P "$count" "$0" --one <"$results/list"
}

jobs=${JOBS:-2} parts=() wholes=() no_engine=''
for suite in "$@"; do
    case $suite in
    unit | integration | fuzz) parts+=("$suite") ;;
    containers)
        no_engine=$(missing_engine)
        [ -n "$no_engine" ] || wholes+=("$suite")
        ;;
    *) wholes+=("$suite") ;;
    esac
done
run_all $((jobs + 1)) "${parts[@]}"
# Whole systems take ports for their services when they have found them free: side by side only where each has all of its own.
OWN_NETWORK=$build/tests/fixtures/own_network
"$OWN_NETWORK" true 2>/dev/null || OWN_NETWORK='' jobs=1
export OWN_NETWORK
run_all "$jobs" "${wholes[@]}"

passed=0 failed=0
for ((i = 1; i <= number; i++)); do
    read -r p f name 2>/dev/null <"$results/$i.result" || p=0 f=1 name="program $i"
    passed=$((passed + p)) failed=$((failed + f))
    [ "$f" -eq 0 ] || echo "failed: $name"
done
if [ -n "$no_engine" ]; then
    echo "container tests did not run: $no_engine"
    if [ "${CI:-}" = true ] || [ "${CURFEW_TEST_ENGINE:-}" = required ]; then failed=$((failed + 1)); fi
fi
[ "$number" -gt 0 ] || [ -n "$no_engine" ] || echo "no test program found in $build for: $*"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
