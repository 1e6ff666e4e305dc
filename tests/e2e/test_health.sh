#!/usr/bin/env bash
# The `health` commands of worker and reaper, which containers are judged by: healthy while what they depend on has answered lately,
# not healthy when it does not, when they hang, and when they are gone.
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh

stack=$work/stack
children=()
end_children() {
    kill -KILL "${children[@]}" 2>/dev/null || true # stopped ones too
}

# start NAME COMMAND...: in the background; its process is ${NAME}.
start() {
    local -n process=$1
    "${@:2}" >>"$work/$1.log" 2>&1 &
    process=$!
    children+=("$process")
}

# is WORD COMMAND...: waits until `health` answers so.
is() {
    until_ 60 answers "$@"
}

answers() {
    local got=0
    "${@:2}" >"$log" 2>&1 || got=$?
    if [ "$1" = healthy ]; then
        [ $got -eq 0 ]
    else
        [ $got -eq 1 ] && grep -qF "$1" "$log"
    fi
}

test_reaper() {
    local reaper health
    trap end_children EXIT
    CURFEW_DATABASE_URL="postgresql:///postgres?host=$stack/run/pg&user=curfew"
    CURFEW_HEALTH_FILE=$work/reaper-health
    export CURFEW_DATABASE_URL CURFEW_HEALTH_FILE
    health=("$build/bin/curfew-reaper" health)
    status 1 "${health[@]}"
    says 'cannot read'
    start reaper "$build/bin/curfew-reaper" --term 1s
    is healthy "${health[@]}"
    status 1 "$build/bin/curfew-reaper"
    says 'locked by a running process'
    kill -STOP "$reaper"
    is 'has not been healthy' "${health[@]}"
    kill -CONT "$reaper"
    is healthy "${health[@]}"
    kill -KILL "$reaper"
    is 'does not run' "${health[@]}"
    CURFEW_HEALTH_FILE='' status 1 "${health[@]}"
    says 'health-file'
}

test_worker() {
    local manager worker health
    trap end_children EXIT
    CURFEW_DATABASE_URL="postgresql:///postgres?host=$stack/run/pg&user=curfew"
    CURFEW_STATE_DIR=$work/worker
    export CURFEW_DATABASE_URL CURFEW_STATE_DIR
    health=("$build/bin/curfew-worker" health)
    status 1 "${health[@]}"
    says 'cannot read'
    start manager "$build/bin/curfew-jobmanager" serve --listen 127.0.0.1:0 --port-file "$work/port" \
        --worker-lease 2s --worker-fence 1s --worker-skew 500ms --worker-poll 300ms
    until_ 60 test -s "$work/port"
    CURFEW_SERVER=http://127.0.0.1:$(cat "$work/port")
    export CURFEW_SERVER
    start worker "$build/bin/curfew-worker" --name health
    is healthy "${health[@]}"
    status 2 "$build/bin/curfew-worker" --name another
    says 'locked by a running process'
    kill -STOP "$manager" # the worker runs, and nobody answers it
    is 'has not been healthy' "${health[@]}"
    kill -CONT "$manager"
    is healthy "${health[@]}"
    kill -TERM "$worker"
    is 'does not run' "${health[@]}"
}

"$curfew" up --dir "$stack" >/dev/null
run_all
