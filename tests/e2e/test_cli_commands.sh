#!/usr/bin/env bash
# Every command of the command line against a real manager and worker: what it prints, as JSON and on a terminal, and its
# exit status, whatever becomes of the job, the manager or the terminal.
# shellcheck disable=SC2016,SC2020 # commands of jobs are for other shells
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh

stack=$work/stack
"$curfew" up --dir "$stack" --slots 4 >"$log" || fail 'no stack'
through_contract "$(cat "$log")"

# spec NAME LINE...: a job file of these lines.
spec() {
    local file=$work/$1.yaml
    shift
    printf '%s\n' "$@" >"$file"
    echo "$file"
}

quick=$(spec quick 'name: quick' 'labels: {team: search}' 'stages: [{name: a, command: [sh, -c, "echo {} > $CURFEW_OUTPUT; echo said"]}]')
fails=$(spec fails 'name: fails' 'command: [sh, -c, "echo sorry >&2; exit 3"]' 'retries: {max: 0}')
slow=$(spec slow 'name: slow' 'command: [sleep, "1000"]')
served=$(spec served 'name: served' 'services: [{name: cache, command: [sleep, "1000"], ports: [{name: main}]}]' \
    'stages: [{name: a, command: ["true"]}]')
timed=$(spec timed 'name: timed' 'timeout: 300ms' 'command: [sleep, "1000"]')

# submit FILE...: a job that is not followed; its id is $job.
submit() {
    status 0 "$curfew" submit --detach "$@"
    job=$(cat "$log")
    [[ $job =~ ^j[0-9a-z]+$ ]] || fail "no id"
}

json() {
    jq -e "$1" "$log" >/dev/null || fail "not so: $1"
}

test_follow_to_each_outcome() {
    status 0 "$curfew" submit "$quick"
    says 'job.submitted' 'job.outcome  outcome=succeeded' 'job.closed  cleanup=none'
    status 1 "$curfew" submit "$fails"
    says 'task.failed' 'outcome=failed'
    status 4 "$curfew" submit "$timed"
    says 'outcome=timed_out'
    "$curfew" submit "$slow" >"$work/followed" 2>&1 &
    until_ 60 grep -q job.submitted "$work/followed"
    status 0 "$curfew" stop "$(head -n 1 "$work/followed")"
    says 'is being stopped'
    local got=0
    wait $! || got=$?
    [ $got -eq 3 ] || fail "a job that was stopped: $got"
    status 0 "$curfew" stop "$(head -n 1 "$work/followed")"
    says 'is closed'
}

# One that nobody takes says so by itself.
test_follow_what_does_not_go_on() {
    printf 'name: night\ncommand: ["true"]\nqueue: night\n' >"$work/night.yaml"
    "$curfew" submit "$work/night.yaml" >"$work/night" 2>&1 &
    until_ 60 grep -q "^curfew: no worker serves queue 'night'; \`curfew why j" "$work/night"
    status 0 "$curfew" stop "$(head -n 1 "$work/night")"
    wait $! || [ $? -eq 3 ] || fail 'not stopped'
}

test_wait() {
    submit "$slow"
    status 5 "$curfew" wait "$job" --timeout 200ms
    status 5 "$curfew" wait "$job" --timeout=0s
    status 0 "$curfew" stop --wait "$job"
    status 3 "$curfew" wait "$job"
    status 3 "$curfew" wait --for outcome "$job"
    status 3 "$curfew" wait -o json "$job"
    json '.state == "stopped" and .closed_at'
    status 2 "$curfew" wait "$job" --for ever
    status 2 "$curfew" wait "$job" --timeout soon
    status 7 "$curfew" wait jnone
    status 6 timeout 10 "$curfew" --server http://127.0.0.1:1 wait "$job"
    submit "$fails"
    status 1 "$curfew" wait "$job"
}

test_show_and_lists() {
    submit "$served"
    status 0 timeout 60 "$curfew" wait "$job"
    status 0 "$curfew" show "$job"
    says 'name        served' 'state       succeeded' 'cleanup     clean' 'SERVICE  EPOCH  STATE' 'main='
    status 0 "$curfew" -o json show "$job"
    json ".id == \"$job\" and .stages[0].succeeded == 1"
    status 0 "$curfew" services "$job"
    says 'cache    1      verified'
    status 0 "$curfew" services -o json "$job"
    json '.name == "cache" and .epoch == 1'
    status 0 "$curfew" cleanup "$job"
    says 'cleanup: clean' 'SIGTERM' 'verified' 'service-seconds: '
    says ' warming, ' ' 0.000 leaked'
    status 0 "$curfew" cleanup "$job" -o json
    json '.certificates[0].grade == "verified"'
    status 0 "$curfew" why "$job"
    says 'reason:   closed'
    status 0 "$curfew" why "$job" a/0
    says 'the task succeeded in attempt 1' 'reason:   task_succeeded' '"stage":"a"'
    status 0 "$curfew" why "$job" cache
    says "service 'cache' was stopped and is gone" '"grade":"verified"'
    status 7 "$curfew" why "$job" a/1
    says 'has no task'
    status 7 "$curfew" why "$job" none
    says "has no service 'none'"
    status 2 "$curfew" why --worker vm
    says "'vm' is no number of a worker"
    status 0 "$curfew" why --worker 1 -o json
    json '.code == "worker_idle" and .evidence.slots == 4'
    status 0 "$curfew" why -o json "$job"
    json '.message'
    status 0 "$curfew" list --name served --state succeeded --limit 1
    says "$job"
    [ "$(wc -l <"$log")" -eq 2 ] || fail 'more than one'
    status 0 "$curfew" list --label team=search -o json
    status 2 "$curfew" list --state happy
    says "'happy' is not a state"
    status 2 "$curfew" list --limit 0
    status 0 "$curfew" workers
    says 'WORKER' 'ready' 'default'
    status 0 "$curfew" workers -o json
    json '.slots == 4'
    status 0 "$curfew" leaks
    [ "$(wc -l <"$log")" -eq 1 ] || fail 'there is a leak'
}

# pretend_engine SOCKET DEPLOYMENT: answers as an engine with two services' containers and one of a task.
pretend_engine() {
    exec python3 - "$@" <<'END'
import http.server, json, socketserver, sys

def container(name, **labels):
    labels["deployment"] = sys.argv[2]
    return {"Id": name, "State": "running", "Labels": {"io.curfew." + key: value for key, value in labels.items()}}

answers = {
    "/version": {"ApiVersion": "1.44", "MinAPIVersion": "1.24"},
    "/containers/json": [container("a", job="j0000000000001", service="cache", epoch="1"),
                         container("b", job="j0000000000002", service="model", epoch="2"),
                         container("c", job="j0000000000002")],
}

class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(answers[self.path.split("?")[0]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return "unix"

socketserver.UnixStreamServer(sys.argv[1], Engine).serve_forever()
END
}

test_doctor() {
    local verdict=0
    "$curfew" doctor -o json >"$log" || verdict=$?
    json '[.findings[] | select(.area == "installation") | .check] | length == 14'
    json '[.findings[] | select(.area == "machine") | .check] | index("kill_boundary") != null'
    json '.findings[] | select(.check == "reaper") | .verdict == "ok"'
    json '.findings[] | select(.check == "version") | .verdict == "ok"'
    [ "$verdict" -eq "$(jq 'if .verdict == "wrong" then 8 else 0 end' "$log")" ] || fail "exit status $verdict"
    status 8 "$curfew" doctor --engine "unix:$work/no.sock"
    says 'wrong' 'kill_boundary' 'no.sock' 'is it running, and may this user use it?'
    # An engine that has containers of this installation which nobody wants.
    local deployment
    deployment=$(curl -sf "$CURFEW_SERVER/v1/doctor" | jq -r .deployment)
    pretend_engine "$work/engine.sock" "$deployment" &
    # shellcheck disable=SC2064
    trap "kill $!" EXIT # of this test's own shell
    until_ 60 curl -sf --unix-socket "$work/engine.sock" http://engine/version
    "$curfew" doctor -o json --engine "unix:$work/engine.sock" >"$log" || :
    json '.findings[] | select(.area == "engine" and .check == "answers") | .verdict == "ok"'
    json '.findings[] | select(.check == "containers") | .verdict == "wrong" and .found == "2 of services of this installation, 2 of them of no service that is live"'
    json '.findings[] | select(.check == "forgotten") | .verdict == "ok" and (.found | startswith("0 processes on this machine"))'
    status 8 "$curfew" --server http://127.0.0.1:1 doctor
    says 'is this its address (--server)' 'kill_boundary'
}

test_drill() {
    local before busy
    before=$("$curfew" workers -o json | jq .incarnation)
    # It is not done to a worker that has something else.
    submit "$(spec busy 'name: busy' 'stages: [{name: a, command: [sleep, "1000"]}]')"
    busy=$job
    until_ 60 eval '"$curfew" show -o json "$busy" | jq -e ".stages[0].running == 1" >/dev/null'
    "$curfew" doctor --drill -o json >"$log" || :
    json '.findings[] | select(.area == "drill" and .check == "kill") | .verdict == "wrong" and (.found | endswith("has 1 tasks and services of other jobs"))'
    json '[.findings[] | select(.area == "drill")] | length == 1'
    [ "$("$curfew" workers -o json | jq .incarnation)" -eq "$before" ] || fail 'it was killed'
    status 0 "$curfew" stop --wait "$busy"
    until_ 60 eval '[ -z "$("$curfew" list -o json --name curfew-drill | jq -r "select(.closed_at == null) | .id")" ]'
    # The real thing: all of it is said, nothing is left, and the worker is back.
    "$curfew" doctor --drill -o json >"$log" || :
    json '[.findings[] | select(.area == "drill") | .check] == ["kill", "processes", "job", "certificate", "worker"]'
    json '[.findings[] | select(.area == "drill") | .verdict] == ["ok", "ok", "ok", "ok", "ok"]'
    json '.findings[] | select(.check == "processes") | .found | test("^[3-9] of the canary were on this machine, 0 with the mark")'
    json '.findings[] | select(.check == "certificate") | .found | startswith("grade verified")'
    ! pgrep -f "$(grep -o 'curfew-drill-c[0-9a-z]*' "$log")" >/dev/null || fail 'something of the canary is left'
    [ "$("$curfew" workers -o json | jq .incarnation)" -eq $((before + 1)) ] || fail 'the worker is not back'
    status 2 "$curfew" doctor --force
}

# Where nobody can take the canary it is said at once, and nothing is submitted.
test_drill_without_a_worker_for_it() {
    local server
    server=$("$curfew" up --dir "$work/other")
    status 0 "$curfew" --server "$server" drain 1
    until_ 60 eval '"$curfew" --server "$server" workers -o json | jq -e ".state != \"ready\"" >/dev/null'
    status 8 timeout 20 "$curfew" --server "$server" doctor --drill
    says 'no ready worker has the runtime `process`'
    status 0 "$curfew" --server "$server" list -o json
    [ ! -s "$log" ] || fail 'something was submitted'
    status 0 "$curfew" down --dir "$work/other"
}

test_tasks_results_logs_events() {
    local file
    file=$(spec three 'name: three' 'stages: [{name: a, command: [sh, -c, "echo said $CURFEW_TASK; echo $CURFEW_TASK > $CURFEW_OUTPUT; test $CURFEW_TASK != 1"], tasks: {count: 3}, retries: {max: 0}, on_failure: continue}]')
    submit "$file"
    status 0 timeout 60 "$curfew" wait "$job"
    status 0 "$curfew" tasks "$job"
    says 'STAGE  INDEX' 'exit 1'
    [ "$(wc -l <"$log")" -eq 4 ] || fail 'not three tasks'
    status 0 "$curfew" tasks "$job" --state failed -o json
    json '.index == 1 and .stage == "a" and .error.error == "exit 1"'
    status 0 "$curfew" tasks "$job" --slices --stage a
    says 'FIRST  COUNT'
    status 0 "$curfew" results "$job"
    [ "$(jq -s 'map(.output) | sort | . == [0, 2]' "$log")" = true ] || fail 'not the results'
    status 0 "$curfew" results --follow "$job"
    status 0 "$curfew" logs "$job"
    says 'said 0' 'said 1'
    status 0 "$curfew" logs -f --source task/a/2/1 "$job"
    [ "$(cat "$log")" = 'said 2' ] || fail 'not the one source'
    status 0 "$curfew" logs -o json "$job"
    json '.source'
    status 0 "$curfew" events --follow "$job"
    json '.kind and .seq'
    status 0 "$curfew" retry "$job"
    says 'runs the failed tasks again'
    status 7 "$curfew" results jnone
    status 7 "$curfew" logs jnone
    status 7 "$curfew" tasks jnone
}

test_pause_resume_extend_delete() {
    local file
    submit "$slow"
    status 0 "$curfew" pause "$job"
    status 0 "$curfew" -o json show "$job"
    json '.state == "paused"'
    status 0 "$curfew" resume "$job"
    status 7 "$curfew" extend "$job" --by 1h
    status 2 "$curfew" extend "$job"
    status 7 "$curfew" delete "$job"
    status 0 "$curfew" delete --force "$job"
    says 'is deleted then'
    until_ 60 bash -c "! $curfew show $job"
    submit "$quick"
    status 0 timeout 60 "$curfew" wait "$job"
    status 0 "$curfew" delete -o json "$job"
    json '.deleted'
    status 7 "$curfew" show "$job"
    file=$(spec kept 'name: kept' 'autostop: {on: [failed]}' 'services: [{name: cache, command: [sleep, "1000"]}]' 'stages: [{name: a, command: ["true"]}]')
    status 0 "$curfew" submit "$file"
    says 'its services are kept; `curfew stop'
    job=$(head -n 1 "$log")
    status 0 "$curfew" stop --wait "$job"
    status 0 "$curfew" cleanup "$job"
    says 'cleanup: clean'
}

test_drain() {
    local worker
    worker=$("$curfew" workers -o json | jq .id)
    status 0 "$curfew" drain "$worker"
    says 'gets nothing new'
    until_ 60 bash -c "$curfew workers | grep -q draining"
    submit "$quick"
    status 5 "$curfew" wait --timeout 300ms "$job"
    status 0 "$curfew" drain --undo "$worker"
    status 0 timeout 60 "$curfew" wait "$job"
    status 2 "$curfew" drain first
    status 7 "$curfew" drain 999999
}

test_submit_forms() {
    local first
    "$curfew" submit --quiet - <"$quick" >"$log" || fail 'standard input'
    [ "$(wc -l <"$log")" -eq 1 ] || fail 'not just the id'
    printf '{"name": "json", "command": ["true"]}' | "$curfew" submit -o json - >"$log" || fail 'JSON'
    json '.state == "succeeded"'
    submit --key "k-$$" "$quick"
    first=$job
    submit --key="k-$$" "$quick"
    [ "$first" = "$job" ] || fail 'one key, two jobs'
    status 7 "$curfew" submit -d --key "k-$$" "$slow"
}

test_faults_with_their_places() {
    local file
    file=$(spec wrong 'name: x' 'stages:' '  - name: a' '    comand: [ls]' '    tasks: {count: -1}')
    status 2 "$curfew" submit "$file"
    says "$file:4:5: /stages/0/comand: " "$file:5:13: /stages/0/tasks/count: " 'is wrong in 3 places'
    status 2 "$curfew" validate "$file"
    says "$file:3:5: /stages/0/command: is required"
    status 2 "$curfew" validate "$(spec broken 'name: [')"
    says 'broken.yaml:2:'
    status 0 "$curfew" validate "$quick"
    says 'is right'
    status 0 "$curfew" validate -o json "$quick"
    json '.name == "quick"'
    status 2 "$curfew" validate "$work/none.yaml"
    says 'none.yaml'
    CURFEW_TOKEN_FILE=$work/none CURFEW_SERVER=nonsense status 0 "$curfew" validate "$quick" # it asks nobody
}

test_usage() {
    status 2 "$curfew"
    says 'usage: curfew'
    status 2 "$curfew" frobnicate
    says "no command 'frobnicate'"
    status 2 "$curfew" show
    says 'needs a JOB' '`curfew show --help`'
    status 0 "$curfew" --help
    says 'Exit status:' 'submit'
    status 0 "$curfew" --version
    status 2 "$curfew" --token-file "$work/none" list
    for command in $("$curfew" --help | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p'); do
        status 0 "$curfew" "$command" --help
        says "usage: curfew $command" 'Exit status:'
    done
}

test_no_manager() {
    local server=http://127.0.0.1:1
    for command in 'list' 'show j1' 'workers' 'logs j1' 'stop j1' 'results j1'; do
        # shellcheck disable=SC2086 # words
        status 6 timeout 10 "$curfew" --server $server $command
    done
    status 6 timeout 30 "$curfew" --server $server submit "$quick"
    says 'trying again'
    status 2 "$curfew" --server nonsense://x list
    status 6 "$curfew" --server unix:/nowhere/at/all list
    says 'unix:/nowhere/at/all: nobody answers'
}

# With SIGINT as a terminal's programs have it: a script's background jobs ignore it.
interruptible() {
    exec python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' "$@"
}

test_interrupt_ends_the_following_only() {
    local got=0
    (interruptible "$curfew" submit "$slow") >"$work/left" 2>&1 &
    until_ 60 grep -q stage.released "$work/left"
    kill -INT $!
    wait $! 2>/dev/null || got=$?
    cp "$work/left" "$log"
    job=$(head -n 1 "$log")
    [ $got -eq 130 ] || fail "exit status $got"
    says "$job goes on; \`curfew stop $job\` stops it"
    until_ 60 bash -c "$curfew -o json show $job | grep -q running"
    got=0
    (interruptible "$curfew" wait "$job") >"$log" 2>&1 &
    until_ 60 bash -c "grep -q 'State:.S' /proc/$!/status && grep -q curfew /proc/$!/comm"
    sleep 0.2
    kill -INT $!
    wait $! 2>/dev/null || got=$?
    [ $got -eq 130 ] || fail "exit status of wait $got"
    status 0 "$curfew" stop --wait "$job"
}

# terminal COLUMNS COMMAND...: on a terminal of its own; what that was sent is in $log. Makes $work/shown once that has a
# line of progress.
terminal() {
    python3 - "$log" "$work/shown" "$@" <<'PROGRAM'
import fcntl, os, pty, re, struct, sys, termios
log, shown, columns, argv = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execv(argv[0], argv)
with open(log, "w+b", buffering=0) as out:
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        out.write(data)
        out.seek(0)
        if re.search(rb"\x1b\[Krunning.*/8", out.read()):
            open(shown, "w").close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PROGRAM
}

test_terminal() {
    local file red=$'\033[31m' green=$'\033[32m' columns
    file=$(spec bar 'name: bar' "command: [sh, -c, 'until [ -e $work/shown ]; do sleep 0.1; done; test \$CURFEW_TASK != 2']" \
        'tasks: {count: 8}' 'retries: {max: 0}' 'on_failure: continue' 'timeout: 5m')
    for columns in 100 40; do
        rm -f "$work/shown"
        TERM=xterm terminal $columns "$curfew" submit "$file" || fail 'on a terminal'
        says $'\r\033[K' "${red}task.failed" "${green}job.closed" '/8' 'running'
        # What is between two returns of the cursor fits the terminal.
        tr '\r\n' '\n\n' <"$log" | grep -a '^.\[Krunning' | sed 's/^.\[K//' | awk -v max=$((columns - 1)) 'length > max { exit 1 }' ||
            fail "wider than $columns"
    done
    rm "$work/shown"
    NO_COLOR=1 TERM=xterm terminal 80 "$curfew" submit "$file" || fail 'without colours'
    says $'\r\033[K'
    says_not "$red"
    TERM=dumb terminal 80 "$curfew" submit "$file" || fail 'on a simple terminal'
    says_not $'\033'
    status 0 "$curfew" submit "$file"
    says_not $'\033'
    TERM=xterm terminal 80 "$curfew" -o json submit "$file" || fail 'JSON on a terminal'
    says_not $'\033'
    json '.state == "succeeded"'
}

# The reader of a pipe goes away.
test_broken_pipe() {
    local first
    first=$("$curfew" --help | head -n 1)
    [ "$first" = 'usage: curfew [OPTIONS] COMMAND ...' ] || fail "$first"
    status 8 bash -c "'$curfew' list >/dev/full"
    says 'could not be written'
}

# A directory goes along, and names that are not ASCII arrive.
test_bundle() {
    mkdir "$work/with files"
    printf '#!/bin/sh\ncat "data/Straße" >"$CURFEW_OUTPUT"\n' >"$work/with files/run.sh"
    chmod +x "$work/with files/run.sh"
    mkdir "$work/with files/data"
    echo '"from a file"' >"$work/with files/data/Straße"
    printf 'name: files\ncommand: [./run.sh]\n' >"$work/with files/job.yaml"
    (cd "$work/with files" && "$curfew" submit --quiet job.yaml) >"$log" || fail 'in its directory'
    status 0 "$curfew" submit --quiet "$work/with files/job.yaml"
    status 0 "$curfew" results "$(cat "$log")"
    says '"output":"from a file"'
}

run_all
