# shellcheck shell=bash
# For tests of the command line that are scripts: sourced by tests/e2e/test_cli_*.sh. A test is a function test_<name> that
# runs in a shell of its own with `set -e`; run_all runs them by name and prints the summary that run_tests.sh
# reads.

build=$(realpath "${BUILD:-build}")
curfew=$build/bin/curfew
work=$(mktemp -d "${TMPDIR:-/tmp}/curfew-cli-XXXXXX")
chmod 711 "$work" # the database's user has to get through
log=$work/output

# status N COMMAND...: the command exits with N; its output, both streams, is in $log.
status() {
    local expected=$1 got=0
    shift
    "$@" >"$log" 2>&1 </dev/null || got=$?
    [ "$got" -eq "$expected" ] || fail "exit status $got instead of $expected: ${*/$build\/bin\//}"
}

# says TEXT...: the output of the last `status` has each of them.
says() {
    local text
    for text in "$@"; do
        grep -qF -- "$text" "$log" || fail "the output has no '$text'"
    done
}

says_not() {
    ! grep -qF -- "$1" "$log" || fail "the output has '$1'"
}

fail() {
    echo "  $1 (lines ${BASH_LINENO[*]})"
    sed 's/^/  | /' "$log"
    exit 1
}

# until_ SECONDS COMMAND...: waits until the command succeeds.
until_() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "it did not come to: $*"
        sleep 0.05
    done
}

# Processes that have a path below this one as working directory, in their command line or in their environment.
processes_of() {
    local process
    for process in /proc/[0-9]*; do
        [ "$process" != "/proc/$BASHPID" ] || continue
        if [[ "$(readlink "$process/cwd" 2>/dev/null)" == "$1"* ]] || grep -qsaF "$1" "$process/cmdline" "$process/environ"; then
            [ "$(awk '{ print $3 }' <"$process/stat" 2>/dev/null)" = Z ] || echo "${process#/proc/} $(tr '\0' ' ' <"$process/cmdline" | head -c 150)"
        fi
    done 2>/dev/null
}

nothing_runs_in() {
    [ -z "$(processes_of "$1")" ]
}

# The process of a program of the stack in a directory: guard, postgres, jobmanager, reaper, worker.
pid_of() {
    local file=$1/run/$2.process
    [ "$2" != guard ] || file=$1/run/guard
    cut -d ' ' -f 1 <"$file"
}

# through_contract URL: what the commands after it are told by this manager is held against the API's document on the way:
# CURFEW_SERVER is a proxy of tests/support/contract_proxy.h. contract_held, at the end, fails when something was not so.
through_contract() {
    "$build/tests/fixtures/contract_proxy" "$1" "$work/proxy.url" >"$work/proxy.count" 2>"$work/proxy.log" &
    proxy=$!
    until_ 60 test -s "$work/proxy.url"
    CURFEW_SERVER=$(cat "$work/proxy.url")
    export CURFEW_SERVER
}

contract_held() {
    local got=0
    kill "$proxy" 2>/dev/null || true
    wait "$proxy" || got=$?
    cat "$work/proxy.log"
    [ $got -eq 0 ] && grep -q '^[1-9]' "$work/proxy.count"
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# run_all [TEST...]: all tests, or these in this order; with each_stands_on_the_one_before=true up to the first that fails.
run_all() {
    local name passed=0 failed=0 started got tests=("$@")
    [ $# -gt 0 ] || mapfile -t tests < <(declare -F | sed -n 's/^declare -f \(test_.*\)/\1/p')
    for name in $(printf '%s\n' "${tests[@]}" | grep "${ONLY:-}"); do
        started=$(date +%s%N)
        # Not as a condition: `set -e` would count for nothing there. What fails without a word is named.
        set +e
        (
            set -eE
            trap 'echo "  exit status $?: $BASH_COMMAND (lines $LINENO ${BASH_LINENO[*]})" >&2' ERR
            "$name"
        )
        got=$?
        set -e
        if [ $got -eq 0 ]; then
            printf 'ok    %-50s %6d ms\n' "$name" $((($(date +%s%N) - started) / 1000000))
            passed=$((passed + 1))
        else
            printf 'FAIL  %s\n' "$name"
            failed=$((failed + 1))
            [ -z "${each_stands_on_the_one_before:-}" ] || break
        fi
    done
    if [ -n "${proxy:-}" ] && ! contract_held; then
        failed=$((failed + 1))
    fi
    end_all
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ] && [ $passed -gt 0 ]
}

# Ends every stack below $work, and removes it.
end_all() {
    local guard
    for guard in "$work"/*/run; do
        [ ! -d "$guard" ] || "$curfew" down --dir "${guard%/run}" >/dev/null 2>&1 || true
    done
    rm -rf "$work"
}
trap end_all EXIT
