#!/usr/bin/env bash
# up, down and run: what they start, that it comes back when it is killed, and that nothing is left, whatever is killed.
# The oracle looks at processes: working directories, command lines and environments.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh

# A job with a service and a task that both last for ever, and a file that appears when the task runs.
cat >"$work/endless.yaml" <<JOB
name: endless
services:
  - name: helper
    command: [sh, -c, "sleep 1000 & exec sleep 1000"]
stages:
  - name: wait
    command: [sh, -c, "touch \"\$MARK\"; exec sleep 1000"]
    env: {MARK: "$work/MARKFILE"}
JOB
cat >"$work/fails.yaml" <<'JOB'
name: fails
command: ["false"]
retries: {max: 0}
JOB

test_up_and_down() {
    local directory=$work/a url
    status 0 "$curfew" up --dir "$directory"
    url=$(cat "$log")
    status 0 "$curfew" up --dir "$directory"
    [ "$(cat "$log")" = "$url" ] || fail "another address"
    status 0 "$curfew" up --dir "$directory" --port 1
    says "$url" 'it is up already, on another port than 1'
    status 0 "$curfew" -o json up --dir "$directory"
    says "{\"server\": \"$url\"}"
    status 0 "$curfew" --server "$url" workers
    says ready
    status 0 "$curfew" down --dir "$directory"
    says ended
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$directory")"
    status 0 "$curfew" down --dir "$directory"
    says 'was not up'
    status 2 "$curfew" down --dir "$work/there-is-none"
    says "there is no Curfew in '$work/there-is-none'"
    [ ! -e "$work/there-is-none" ] || fail "down has made a directory"
}

# What was submitted before is there after it. The token of another manager, which the shell still has, is none of its business.
test_up_again() {
    local directory=$work/again job
    echo secret >"$work/token"
    CURFEW_TOKEN_FILE=$work/token status 0 "$curfew" up --dir "$directory"
    CURFEW_SERVER=$(cat "$log")
    export CURFEW_SERVER
    status 1 "$curfew" submit "$work/fails.yaml"
    job=$(head -n 1 "$log")
    status 0 "$curfew" down --dir "$directory"
    status 6 "$curfew" show "$job"
    status 0 "$curfew" up --dir "$directory"
    status 0 "$curfew" --server="$(cat "$log")" show "$job"
    says failed
    status 0 "$curfew" down --dir "$directory"
}

test_two_at_once() {
    local directory=$work/twice i pids=()
    for i in 1 2 3; do
        "$curfew" up --dir "$directory" >"$work/up.$i" 2>&1 &
        pids+=($!)
    done
    for i in 1 2 3; do wait "${pids[$((i - 1))]}" || fail "up failed: $(cat "$work/up.$i")"; done
    [ "$(sort -u "$work"/up.? | wc -l)" -eq 1 ] || fail "different addresses"
    # Both end it, or find it ended.
    "$curfew" down --dir "$directory" 2>/dev/null &
    status 0 "$curfew" down --dir "$directory"
    wait $!
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$work")"
}

# Nobody learns of a stack whose `up` is interrupted: it ends.
test_up_interrupted() {
    local directory=$work/cut up
    "$curfew" up --dir "$directory" >"$log" 2>&1 &
    up=$!
    until_ 60 test -e "$directory/run/guard"
    kill -TERM "$up"
    wait "$up" 2>/dev/null || true
    until_ 60 nothing_runs_in "$directory"
    status 0 "$curfew" up --dir "$directory"
    status 0 "$curfew" down --dir "$directory"
}

test_port_in_use() {
    local port
    port=$(free_port)
    python3 -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(1000)' "$port" &
    until_ 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    status 8 "$curfew" up --dir "$work/port" --port "$port"
    says "port $port: Address already in use" "$work/port/log/jobmanager.log"
    kill $!
    nothing_runs_in "$work/port/pg" || fail "the database is left"
    # The same directory comes up when the port is free.
    status 0 "$curfew" up --dir "$work/port"
    status 0 "$curfew" down --dir "$work/port"
}

# A manager that answers there is not taken for one's own.
test_port_of_another_stack() {
    status 0 "$curfew" up --dir "$work/first"
    status 8 "$curfew" up --dir "$work/second" --port "$(sed 's/.*://' "$log")"
    says 'Address already in use'
    status 0 "$curfew" down --dir "$work/first"
    status 0 "$curfew" down --dir "$work/second"
}

test_what_dies_comes_back() {
    local directory=$work/back program pid
    status 0 "$curfew" up --dir "$directory"
    CURFEW_SERVER=$(cat "$log")
    export CURFEW_SERVER
    for program in worker reaper jobmanager postgres; do
        pid=$(pid_of "$directory" "$program")
        kill -KILL "$pid"
        until_ 60 bash -c "read -r other rest <$directory/run/$program.process && [ \$other != $pid ] && kill -0 \$other"
        grep -q "\"$program has ended, and is started again\" signal=9" "$directory/log/$program.log" || fail "no note"
    done
    until_ 60 bash -c "$curfew workers | grep -q ready"
    status 0 timeout 60 "$curfew" submit --quiet docs/examples/lengths/job.yaml
    status 0 "$curfew" down --dir "$directory"
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$work")"
}

# The guard is killed while a job runs: everything ends, the job's processes too; down waits for that, and up goes on.
test_guard_killed() {
    local directory=$work/guard job
    status 0 "$curfew" up --dir "$directory"
    CURFEW_SERVER=$(cat "$log")
    export CURFEW_SERVER
    sed "s|MARKFILE|guard.mark|" "$work/endless.yaml" >"$work/endless-guard.yaml"
    status 0 "$curfew" submit --detach "$work/endless-guard.yaml"
    job=$(cat "$log")
    until_ 60 test -e "$work/guard.mark"
    kill -KILL "$(pid_of "$directory" guard)"
    status 0 "$curfew" down --dir "$directory"
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$directory")"
    status 0 "$curfew" up --dir "$directory"
    CURFEW_SERVER=$(cat "$log")
    kill -KILL "$(pid_of "$directory" guard)"
    status 0 "$curfew" up --dir "$directory" # at once
    CURFEW_SERVER=$(cat "$log")
    status 0 "$curfew" stop --wait "$job"
    status 0 "$curfew" down --dir "$directory"
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$directory")"
}

test_run() {
    mkdir "$work/run"
    TMPDIR=$work/run status 0 "$curfew" run docs/examples/squares/job.yaml
    says 'job.outcome  outcome=succeeded' '"right":true'
    TMPDIR=$work/run status 0 "$curfew" -o json run docs/examples/lengths/job.yaml
    [ "$(wc -l <"$log")" -eq 4 ] || fail "not just the results"
    TMPDIR=$work/run status 1 "$curfew" run "$work/fails.yaml"
    says 'outcome=failed'
    status 2 "$curfew" run /dev/null
    nothing_runs_in "$work/run" || fail "something is left: $(processes_of "$work/run")"
    [ -z "$(ls "$work/run")" ] || fail "a directory is left: $(ls "$work/run")"
}

test_run_in_a_directory() {
    local directory="$work/k&pt 100%41 ä" # as people name them
    status 0 "$curfew" run --dir "$directory" docs/examples/lengths/job.yaml
    [ -d "$directory/pg" ] || fail "the directory is gone"
    nothing_runs_in "$directory" || fail "something is left: $(processes_of "$work")"
    # On a stack that is up it leaves that as it is.
    status 0 "$curfew" up --dir "$directory"
    status 0 "$curfew" run --dir "$directory" docs/examples/lengths/job.yaml
    status 0 "$curfew" down --dir "$directory"
    says ended
}

# Starts `curfew run` of the endless job in a directory $work/NAME, waits until its task runs. Its process is $run.
start_endless() {
    mkdir "$work/$1"
    sed "s|MARKFILE|$1.mark|" "$work/endless.yaml" >"$work/endless-$1.yaml"
    # In a shell's background SIGINT is ignored, which programs inherit: setsid --wait is none.
    TMPDIR=$work/$1 python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' "$curfew" run "$work/endless-$1.yaml" >"$log" 2>&1 &
    run=$!
    until_ 60 test -e "$work/$1.mark"
}

end_of_run() {
    local got=0
    wait "$run" || got=$?
    [ "$got" -eq "$1" ] || fail "exit status $got instead of $1"
}

# The job is over and the stack is being ended: a first Ctrl-C comes too late to stop the job, and ends no wait.
test_run_interrupted_at_the_end() {
    local guard stack
    start_endless late
    stack=$(echo "$work"/late/curfew-*)
    guard=$(pid_of "$stack" guard)
    kill -STOP "$guard"
    "$curfew" --server "$(cat "$stack/run/server")" list -o json | jq -r .id | xargs "$curfew" --server "$(cat "$stack/run/server")" stop
    until_ 60 grep -q '^ShdPnd:.*4...$' "/proc/$guard/status" # SIGTERM has been sent to it
    kill -INT "$run"
    kill -CONT "$guard"
    end_of_run 3
    says_not 'has not ended'
    nothing_runs_in "$work/late" || fail "something is left: $(processes_of "$work/late")"
}

test_run_interrupted() {
    start_endless int
    kill -INT "$run"
    end_of_run 3
    says 'stopping the job' 'outcome=stopped' 'cleanup=clean'
    nothing_runs_in "$work/int" || fail "something is left: $(processes_of "$work/int")"
    [ -z "$(ls "$work/int")" ] || fail "a directory is left"
}

test_run_terminated() {
    start_endless term
    kill -TERM "$run"
    end_of_run 3
    nothing_runs_in "$work/term" || fail "something is left: $(processes_of "$work")"
}

test_run_killed() {
    start_endless kill
    kill -KILL "$run"
    end_of_run 137
    until_ 60 nothing_runs_in "$work/kill"
    until_ 60 rmdir "$work/kill" # it is empty
}

test_run_interrupted_twice() {
    start_endless double
    kill -STOP "$(pid_of "$work"/double/curfew-* jobmanager)" # so that the stop does not get through
    kill -INT "$run"
    until_ 60 grep -q '^ShdPnd:.0*$' "/proc/$run/status" # two that are pending would be one
    kill -INT "$run"
    end_of_run 130
    kill -CONT "$(pid_of "$work"/double/curfew-* jobmanager)" 2>/dev/null || true
    until_ 60 nothing_runs_in "$work/double"
}

# Interrupted while it starts.
test_run_killed_early() {
    mkdir "$work/early"
    TMPDIR=$work/early "$curfew" run docs/examples/lengths/job.yaml >"$log" 2>&1 &
    run=$!
    until_ 60 compgen -G "$work/early/*/run/guard"
    kill -KILL "$run"
    end_of_run 137
    until_ 60 nothing_runs_in "$work/early"
}

test_wrong_directories() {
    local long
    long=$work/$(printf 'x%.0s' {1..90})
    status 2 "$curfew" up
    says 'needs --dir'
    status 2 "$curfew" up --dir "$long"
    says 'is too long'
    status 2 "$curfew" up --dir "$work/a" --port 70000
    status 8 "$curfew" up --dir /dev/null/x
    status 2 "$curfew" down
}

run_all
