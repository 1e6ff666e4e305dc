#!/usr/bin/env bash
# compose.yaml as users have it, on a private engine with the images of `make images`: up, the demo, what is killed comes back,
# everything is replaced under load without a failed submit, and down leaves nothing.
#
# The bases are made outside of the engine's network, which ends at this machine.
# deadline: 900
set -euo pipefail
# shellcheck source=tests/support/cli.sh
source tests/support/cli.sh
export PATH=/usr/bin:$PATH # Debian's docker

if [ "${1:-}" != --inside ]; then
    docker/bases.sh build/images
    trap - EXIT
    rm -rf "$work"
    exec "$build/tests/fixtures/engine" --on-disk --no-images "$0" --inside
fi

clone=$work/clone
export COMPOSE_PROJECT_NAME=clone
export CURFEW_SERVER=http://127.0.0.1:19001 CURFEW_TOKEN_FILE=$clone/secrets/token

compose() {
    (cd "$clone" && docker-compose "$@")
}

container() {
    compose ps --quiet "$1"
}

# kill_in SERVICE: SIGKILL to the program under the container's init, as a crash is.
kill_in() {
    docker exec "$(container "$1")" sh -c 'kill -KILL $(cat /proc/1/task/1/children)'
}

all_healthy() {
    local service
    for service in postgres jobmanager worker-1 worker-2 reaper; do
        [ "$(docker inspect -f '{{.State.Health.Status}}' "$(container $service)")" = healthy ] || return 1
    done
}

# A job with a service that every task asks, for about SECONDS on the four processors of both workers.
cat >"$work/busy.yaml" <<'JOB'
name: busy
services:
  - name: cache
    command: [redis-server, --port, "${PORT}", --protected-mode, "no", --save, ""]
    ports: [{name: main}]
    ready: {tcp: main}
    on_failure: {restart: {max: 10, window: 1m, backoff: 100ms}}
stages:
  - name: ask
    command: [sh, -c, "redis-cli -e -h $CURFEW_SERVICE_CACHE_HOST -p $CURFEW_SERVICE_CACHE_PORT PING && sleep 0.2"]
    tasks: {count: 60}
    retries: {max: 50, backoff: 200ms}
JOB
printf 'name: small\ncommand: ["true"]\n' >"$work/small.yaml"

# ends_well JOB: its outcome is success, and its services are gone.
ends_well() {
    timeout 90 "$curfew" wait "$1" >"$log" 2>&1 || fail "job $1 does not end well: $("$curfew" show "$1" 2>&1)"
    "$curfew" -o json show "$1" | jq -e '.state == "succeeded" and (.cleanup == "clean" or .cleanup == "none")' >"$log" ||
        fail "job $1: $("$curfew" cleanup "$1")"
}

test_images() {
    local image size
    mkdir "$clone"
    cp -r compose.yaml .dockerignore Makefile docker services docs "$clone"
    status 0 "$clone/docker/images.sh" build/images
    for image in jobmanager worker worker-demo reaper cli; do
        size=$(docker image inspect -f '{{.Size}}' "curfew-$image")
        [ "$size" -lt 120000000 ] || fail "curfew-$image has $size bytes"
        [ "$(docker image inspect -f '{{.Config.User}}' "curfew-$image")" = 10001:10001 ] || fail "curfew-$image runs as root"
        [ "$(docker image inspect -f '{{index .Config.Entrypoint 0}}' "curfew-$image")" = tini ] || fail "curfew-$image has no init"
        status 0 docker run --rm --read-only --cap-drop ALL --entrypoint sh "curfew-$image" -c 'ldd /usr/bin/curfew*'
        says_not 'not found'
    done
}

# The same tree gives the same programs.
test_reproducible() {
    local image=curfew-again:builder which
    docker build --quiet --no-cache --network none --file docker/Dockerfile --target builder --tag $image \
        --build-arg BUILDER_BASE=curfew-base:builder "$clone" >/dev/null
    docker run --rm --entrypoint sh $image -c 'cd /out && sha256sum *' >"$work/again"
    for which in jobmanager:curfew-jobmanager worker:curfew-worker worker:curfew-shim worker-demo:curfew-worker reaper:curfew-reaper cli:curfew; do
        docker run --rm --entrypoint sh "curfew-${which%:*}" -c "cd /usr/bin && sha256sum ${which#*:}" >"$log"
        grep -qxFf "$log" "$work/again" || fail "${which#*:} differs: $(cat "$work/again")"
    done
}

test_up_is_healthy_in_time() {
    local started=$SECONDS
    "$clone/docker/secrets.sh"
    compose up --detach >"$log" 2>&1 || fail "compose up"
    until_ 30 all_healthy
    [ $((SECONDS - started)) -le 30 ] || fail "healthy after $((SECONDS - started)) s"
    status 0 curl --silent --fail --header "Authorization: Bearer $(cat "$CURFEW_TOKEN_FILE")" "$CURFEW_SERVER/v1/workers"
    says worker-1 worker-2
    [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$CURFEW_SERVER/v1/workers")" = 401 ] || fail "no token is needed"
}

test_demo() {
    status 0 compose run --rm demo
    says 'job.closed  cleanup=clean' '"word":"license"' 'cleanup: clean' verified
}

test_killed_worker() {
    local job
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 10 job_is_running "$job"
    kill_in worker-1
    ends_well "$job"
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 10 job_is_running "$job"
    docker kill "$(container worker-2)" >/dev/null # the whole container, and nobody starts it again but we
    compose start worker-2 >/dev/null 2>&1
    ends_well "$job"
    until_ 30 all_healthy
}

job_is_running() {
    "$curfew" -o json show "$1" | jq -e '.state == "running"'
}

test_killed_manager_and_reaper() {
    local job
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 10 job_is_running "$job"
    kill_in jobmanager
    kill_in reaper
    until_ 30 all_healthy
    ends_well "$job"
}

# Submits small jobs, one after the other, until there is a file; a line for each.
load() {
    until [ -e "$work/enough" ]; do
        if "$curfew" submit --detach "$work/small.yaml"; then sleep 0.05; else echo FAILED; fi
    done >"$work/submitted" 2>"$work/load.log"
}

# The command line knows its submit again by its key and asks for some seconds, longer than a manager is away.
test_rolling_replacement() {
    local loader service job before
    load &
    loader=$!
    for service in jobmanager worker-1 worker-2 reaper; do
        before=$(container $service)
        compose up --detach --no-deps --force-recreate $service >"$log" 2>&1 || fail "replacing $service"
        [ "$before" != "$(container $service)" ] || fail "$service was not replaced"
        until_ 30 all_healthy
    done
    touch "$work/enough"
    wait $loader
    ! grep -q FAILED "$work/submitted" || fail "failed submits: $(cat "$work/load.log")"
    [ "$(wc -l <"$work/submitted")" -ge 20 ] || fail "too few for a load: $(wc -l <"$work/submitted")"
    while read -r job; do ends_well "$job"; done <"$work/submitted"
    status 0 "$curfew" -o json leaks
    says_not '"service"'
}

test_down_leaves_nothing() {
    local volumes
    compose down >"$log" 2>&1 || fail "compose down"
    [ -z "$(docker ps --all --quiet)" ] || fail "containers: $(docker ps --all)"
    [ -z "$(docker network ls --quiet --filter type=custom)" ] || fail "networks: $(docker network ls)"
    volumes=$(docker volume ls --quiet | sort | paste -sd ' ')
    [ "$volumes" = 'clone_postgres clone_worker-1 clone_worker-2' ] || fail "volumes: $volumes"
    compose up --detach >"$log" 2>&1 || fail "compose up again"
    until_ 30 all_healthy
    compose down --volumes >"$log" 2>&1 || fail "compose down --volumes"
    [ -z "$(docker ps --all --quiet; docker network ls --quiet --filter type=custom; docker volume ls --quiet)" ] ||
        fail "left: $(docker ps --all; docker volume ls)"
}

# One after the other, each stands on what the one before left.
run_all test_images test_reproducible test_up_is_healthy_in_time test_demo test_killed_worker \
    test_killed_manager_and_reaper test_rolling_replacement test_down_leaves_nothing
