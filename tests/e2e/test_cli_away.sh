#!/usr/bin/env bash
# The command line while its manager hangs, is killed, or has no database: what follows a job goes on, or says why not.
# shellcheck disable=SC2016 # commands of jobs are for other shells
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh

stack=$work/stack
"$curfew" up --dir "$stack" --slots 2 >"$log" || fail 'no stack'
through_contract "$(cat "$log")"

# One that takes connections and never says a word: a wait is over when it should be, and not when calls usually are.
test_manager_hangs() {
    local port
    port=$(free_port)
    python3 -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); time.sleep(1000)' "$port" &
    until_ 60 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
    status 6 timeout 25 "$curfew" --server "http://127.0.0.1:$port" wait j1 --timeout 1ms
    says 'timed out'
    kill $!
}

# restart_manager FILE...: kill -9; the stack starts it again, but not before each of these outputs has said that it is away.
restart_manager() {
    local guard said
    guard=$(pid_of "$stack" guard)
    # shellcheck disable=SC2064
    trap "kill -CONT $guard" EXIT # of the test's own shell
    kill -STOP "$guard"
    kill -KILL "$(pid_of "$stack" jobmanager)"
    for said in "$@"; do
        until_ 60 grep -q 'trying again' "$said"
    done
    kill -CONT "$guard"
}

# Follows through a restart of the manager.
test_manager_restarts() {
    local got=0
    printf 'name: across\ncommand: [sh, -c, "until [ -e %s/restarted ]; do sleep 0.1; done"]\n' "$work" >"$work/across.yaml"
    "$curfew" submit "$work/across.yaml" >"$work/across" 2>&1 &
    until_ 60 grep -q stage.released "$work/across"
    restart_manager "$work/across"
    touch "$work/restarted"
    wait $! || got=$?
    cp "$work/across" "$log"
    [ $got -eq 0 ] || fail "exit status $got"
    says 'trying again' 'outcome=succeeded' 'job.closed'
    [ "$(grep -c stage.released "$log")" -eq 1 ] || fail 'an event twice'
}

# What is streamed goes on where it was: no byte is lost, none comes twice.
test_streams_across_a_restart() {
    local job what followers=()
    cat >"$work/talks.yaml" <<JOB
name: talks
command: [sh, -c, "echo before; until [ -e $work/go ]; do sleep 0.1; done; echo {} > \$CURFEW_OUTPUT; echo after"]
JOB
    job=$("$curfew" submit --detach "$work/talks.yaml")
    "$curfew" logs --follow "$job" >"$work/logs" 2>"$work/logs.said" &
    followers=($!)
    "$curfew" events --follow "$job" >"$work/events" 2>"$work/events.said" &
    followers+=($!)
    "$curfew" results --follow "$job" >"$work/results" 2>"$work/results.said" &
    followers+=($!)
    until_ 60 grep -q before "$work/logs"
    until_ 60 grep -q stage.released "$work/events"
    restart_manager "$work/logs.said" "$work/events.said" "$work/results.said"
    touch "$work/go"
    for what in "${followers[@]}"; do
        wait "$what" || fail 'a follower failed'
    done
    [ "$(cat "$work/logs")" = $'before\nafter' ] || fail "the log: $(cat "$work/logs")"
    [ "$(wc -l <"$work/results")" -eq 1 ] || fail 'not the one result'
    [ "$(jq .seq "$work/events")" = "$(seq "$(wc -l <"$work/events")")" ] || fail 'not each event once'
}

# A manager whose database is away says so, and is waited for, even when that is the first that it says.
test_database_is_away() {
    python3 - "$work/away" 2>/dev/null <<'PROGRAM' &
import http.server, json, os, sys
class Manager(http.server.BaseHTTPRequestHandler):
    calls = 0
    def do_GET(self):
        Manager.calls += 1
        away = Manager.calls <= 2
        body = {"code": "unavailable", "detail": "the database is away"} if away else {"outcome": "failed", "closed_at": "x"}
        text = json.dumps(body).encode()
        self.send_response(503 if away else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
server = http.server.HTTPServer(("127.0.0.1", 0), Manager)
with open(sys.argv[1] + ".new", "w") as out:
    print(server.server_port, file=out)
os.rename(sys.argv[1] + ".new", sys.argv[1])
for _ in range(3):
    server.handle_request()
PROGRAM
    until_ 60 test -e "$work/away"
    status 1 timeout 30 "$curfew" --server "http://127.0.0.1:$(cat "$work/away")" wait j1
    says 'the database is away; trying again'
    wait $!
}

run_all
