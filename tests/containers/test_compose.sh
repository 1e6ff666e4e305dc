#!/usr/bin/env bash
# compose.yaml as users have it, on a private engine with the images of `make images`: up, the demo, what is killed comes back,
# everything is replaced under load without a failed submit, and down leaves nothing. Every command of docs/how-to/compose.md,
# air-gapped.md and remote-engine.md is run on the way, where a user would.
#
# The bases are made outside of the engine's network, which ends at this machine. `docker compose` is that of Debian 13 where it is
# installed, else docker-compose 1.29.
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
export COMPOSE_PROJECT_NAME=clone CURFEW_DRAIN_TIMEOUT=2s
export CURFEW_SERVER=http://127.0.0.1:19001 CURFEW_TOKEN_FILE=$clone/secrets/token

compose() {
    if command docker compose version >/dev/null 2>&1; then
        (cd "$clone" && command docker compose "$@")
    else
        (cd "$clone" && docker-compose "$@")
    fi
}

# What the documents call `docker compose` is what this machine has of it.
docker() {
    if [ "$1" = compose ]; then compose "${@:2}"; else command docker "$@"; fi
}
export clone
export -f compose docker

# commands PAGE [HEADING]: those of a page of docs/how-to, or of one section: the lines that begin with `$ `.
commands() {
    awk -v heading="${2:+## $2}" '/^## / { section = $0 } /^\$ / && (heading == "" || section == heading) { print substr($0, 3) }' \
        "docs/how-to/$1"
}

# section PAGE HEADING [NUMBER]: runs the commands of a section, or one of them, in the clone, as one session. Its output is in $log.
section() {
    commands "$1" "$2" | sed -n "${3:-1,\$}p" >"$work/session"
    [ -s "$work/session" ] || fail "$1 has no such commands below '$2'"
    (cd "$clone" && exec bash -e -v "$work/session") >"$log" 2>&1 </dev/null || fail "$1, $2"
    cat "$work/session" >>"$work/ran"
}

# container SERVICE: its id; asked of the engine, since compose takes most of a second.
container() {
    docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
        --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}

# kill_in SERVICE: SIGKILL to the program under the container's init, as a crash is; the container is started again by its policy.
# The shell that kills ends with that init, most often before it can say how.
kill_in() {
    local container started
    container=$(container "$1")
    started=$(docker inspect -f '{{.State.StartedAt}}' "$container")
    docker exec "$container" sh -c 'kill -KILL $(cat /proc/1/task/1/children)' || true
    until_ 60 is_started_again "$container" "$started"
}

is_started_again() {
    [ "$(docker inspect -f '{{.State.Running}}' "$1")" = true ] && [ "$(docker inspect -f '{{.State.StartedAt}}' "$1")" != "$2" ]
}

is_healthy() {
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$(container "$1")")" = healthy ]
}

all_healthy() {
    is_healthy postgres && is_healthy jobmanager && is_healthy worker-1 && is_healthy worker-2 && is_healthy reaper
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

# tell_of JOB: fails, with what there is to know of a job that does not end well.
tell_of() {
    {
        "$curfew" show "$1"
        "$curfew" why "$1"
        "$curfew" tasks --slices "$1"
        "$curfew" workers
        docker ps --all
        compose logs --tail 40 worker-1 worker-2 worker-docker reaper reaper-docker
    } >"$log" 2>&1
    fail "job $1 does not end well"
}

# ends_well JOB: its outcome is success, and its services are gone.
ends_well() {
    timeout 90 "$curfew" wait "$1" >"$log" 2>&1 || tell_of "$1"
    "$curfew" -o json show "$1" | jq -e '.state == "succeeded" and (.cleanup == "clean" or .cleanup == "none")' >"$log" ||
        fail "job $1: $("$curfew" cleanup "$1")"
}

test_images() {
    local image size version
    version=$("$curfew" --version | cut -d ' ' -f 2)
    mkdir "$clone"
    cp -r compose.yaml compose.override.example.yaml .dockerignore Makefile docker services docs "$clone"
    ln -s "$build" "$clone/build"
    section air-gapped.md 'Make the images'
    section air-gapped.md 'In two steps'
    for image in jobmanager worker worker-demo reaper cli; do
        size=$(docker image inspect -f '{{.Size}}' "curfew-$image")
        [ "$size" -lt 120000000 ] || fail "curfew-$image has $size bytes"
        [ "$(docker image inspect -f '{{.Config.User}}' "curfew-$image")" = 10001:10001 ] || fail "curfew-$image runs as root"
        [ "$(docker image inspect -f '{{index .Config.Entrypoint 0}}' "curfew-$image")" = tini ] || fail "curfew-$image has no init"
        [ "$(docker image inspect -f '{{.Config.StopSignal}}' "curfew-$image")" = SIGTERM ] || fail "curfew-$image has no stop signal"
        [ $image = cli ] || [ "$(docker image inspect -f '{{len .Config.Healthcheck.Test}}' "curfew-$image")" -ge 2 ] ||
            fail "curfew-$image says nothing of its health"
        docker image inspect -f '{{json .Config.Labels}}' "curfew-$image" >"$log"
        says "\"org.opencontainers.image.version\":\"$version\"" image.revision image.title
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
    section compose.md Start
    until_ 60 all_healthy
    [ $((SECONDS - started)) -le 30 ] || fail "healthy after $((SECONDS - started)) s"
    status 0 curl --silent --fail --header "Authorization: Bearer $(cat "$CURFEW_TOKEN_FILE")" "$CURFEW_SERVER/v1/workers"
    says worker-1 worker-2
    [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$CURFEW_SERVER/v1/workers")" = 401 ] || fail "no token is needed"
}

test_demo() {
    section compose.md 'Run a job'
    says 'job.closed  cleanup=clean' '"word":"license"' 'cleanup: clean' verified '"name":"squares"' '"name":"word-count"'
}

test_killed_worker() {
    local job
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 60 job_is_running "$job"
    kill_in worker-1
    ends_well "$job"
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 60 job_is_running "$job"
    docker kill "$(container worker-2)" >/dev/null # the whole container, and nobody starts it again but we
    compose start worker-2 >"$log" 2>&1 || fail "compose start"
    ends_well "$job"
    until_ 60 all_healthy
}

job_is_running() {
    "$curfew" -o json show "$1" | jq -e '.state == "running"'
}

test_killed_manager_and_reaper() {
    local job
    job=$("$curfew" submit --detach "$work/busy.yaml")
    until_ 60 job_is_running "$job"
    kill_in jobmanager
    kill_in reaper
    until_ 60 all_healthy
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
    local loader job manager worker
    load &
    loader=$!
    manager=$(container jobmanager) worker=$(container worker-1)
    section compose.md Replace
    until_ 60 all_healthy
    if [ "$manager" = "$(container jobmanager)" ] || [ "$worker" = "$(container worker-1)" ]; then fail "nothing was replaced"; fi
    compose up --detach --no-deps --force-recreate worker-2 reaper >"$log" 2>&1 || fail "replacing more"
    until_ 60 all_healthy
    touch "$work/enough"
    wait $loader
    ! grep -q FAILED "$work/submitted" || fail "failed submits: $(cat "$work/load.log")"
    [ "$(wc -l <"$work/submitted")" -ge 20 ] || fail "too few for a load: $(wc -l <"$work/submitted")"
    while read -r job; do ends_well "$job"; done <"$work/submitted"
    status 0 "$curfew" -o json leaks
    says_not '"service"'
}

# What the jobs of this deployment have at the engine.
of_jobs() {
    docker ps --all --quiet --filter label=io.curfew.deployment
    docker network ls --quiet --filter label=io.curfew.deployment
}

nothing_of_jobs() {
    [ -z "$(of_jobs)" ]
}

docker_is_healthy() {
    all_healthy && is_healthy worker-docker && is_healthy reaper-docker
}

# A job with a service in a container, and tasks of all workers that ask it.
sed -e 's/name: busy/name: contained/' -e 's/{name: main}/{name: main, container: 6379}/' \
    -e 's/  - name: cache/&\n    image: redis:8/' -e 's/sleep 0.2/sleep 0.5/' "$work/busy.yaml" >"$work/contained.yaml"

test_containers() {
    section compose.md 'Jobs with containers'
    says '"word":"license"' 'cleanup: clean' container verified
    until_ 60 docker_is_healthy
    nothing_of_jobs || fail "left: $(docker ps --all)"
}

# A service goes on: it has had one start, and the tasks of the killed worker find it again.
test_killed_worker_of_containers() {
    local job
    job=$("$curfew" submit --detach "$work/contained.yaml")
    until_ 60 job_is_running "$job"
    kill_in worker-docker
    ends_well "$job"
    "$curfew" -o json cleanup "$job" >"$log"
    jq -e '[.certificates[].epoch] == [1]' "$log" >/dev/null || fail "the service did not go on"
    until_ 60 docker_is_healthy
    nothing_of_jobs || fail "left: $(docker ps --all)"
}

test_down_leaves_nothing() {
    local volumes job
    job=$("$curfew" submit --detach "$work/contained.yaml")
    until_ 60 job_is_running "$job"
    COMPOSE_PROFILES=docker section compose.md End 1
    [ -z "$(docker ps --all --quiet)" ] || fail "containers: $(docker ps --all)"
    [ -z "$(docker network ls --quiet --filter type=custom)" ] || fail "networks: $(docker network ls)"
    volumes=$(docker volume ls --quiet | sort | paste -sd ' ')
    [ "$volumes" = 'clone_postgres clone_worker-1 clone_worker-2 clone_worker-docker' ] || fail "volumes: $volumes"
}

# What it has left is taken up again, here by the file for development.
test_development() {
    section compose.md Develop
    until_ 60 all_healthy
    PGPASSWORD=$(cat "$clone/secrets/database-password") \
        status 0 psql --host 127.0.0.1 --port 19002 --username curfew --command 'SELECT count(*) AS jobs FROM job' curfew
    says jobs
    docker logs "$(container jobmanager)" >"$log" 2>&1
    says '"event":"listening"'
}

# Nobody is left who would end them, and another deployment's are nobody's business.
test_down_after_a_kill_leaves_nothing() {
    local job
    COMPOSE_PROFILES=docker compose up --detach >"$log" 2>&1 || fail "compose up"
    until_ 60 docker_is_healthy
    docker network create --label io.curfew.deployment=others others >/dev/null
    docker run --detach --name others --network others --label io.curfew.deployment=others redis:8 >/dev/null
    job=$("$curfew" submit --detach "$work/contained.yaml")
    until_ 60 job_is_running "$job"
    docker kill "$(container worker-docker)" >/dev/null
    section compose.md End 4
    [ "$(docker ps --all --format '{{.Names}}')" = others ] || fail "containers: $(docker ps --all)"
    [ "$(docker network ls --filter type=custom --format '{{.Name}}')" = others ] || fail "networks: $(docker network ls)"
    docker rm --force others >/dev/null
    docker network rm others >/dev/null
    section compose.md End 2
    section compose.md End 3
    rm "$clone/compose.override.yaml"
    [ -z "$(docker ps --all --quiet; docker network ls --quiet --filter type=custom; docker volume ls --quiet)" ] ||
        fail "left: $(docker ps --all; docker volume ls)"
}

# The whole page, with this engine behind an ssh server, and its machine under an address of its own.
test_remote_engine() {
    local address=192.0.2.7 sshd page=remote-engine.md
    unset CURFEW_TOKEN_FILE CURFEW_SERVER
    ip address add $address/32 dev lo
    start_sshd $address
    status 0 "$curfew" up --dir "$work/stack"
    CURFEW_SERVER=$(tail -n 1 "$log")
    export CURFEW_SERVER CURFEW_DATABASE_URL="postgresql:///curfew?host=$work/stack/run/pg&user=curfew"
    commands $page >>"$work/ran"
    commands $page | sed -e "s|/tmp/curfew-engine|$work/engine|g" -e "s|/var/run/docker.sock|${DOCKER_HOST#unix://}|g" \
        -e "s/\bbuilder\b/$address/g" -e "s|^ssh |&-F $work/ssh/config |" >"$work/session"
    (cd "$clone" && exec timeout 120 bash -e -v "$work/session") >"$log" 2>&1 </dev/null || fail $page
    says OK 'cleanup=clean'
    kill "$sshd"
    status 0 "$curfew" down --dir "$work/stack"
    nothing_of_jobs || fail "left: $(docker ps --all)"
}

# start_sshd ADDRESS: for root, with a key; sets $sshd.
start_sshd() {
    mkdir -p "$work/ssh" /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/ssh/host"
    printf '%s\n' "HostKey $work/ssh/host" "AuthorizedKeysFile $work/ssh/key.pub" "ListenAddress $1:2222" 'StrictModes no' \
        'UsePAM no' 'PasswordAuthentication no' 'PidFile none' >"$work/ssh/sshd"
    printf '%s\n' 'Port 2222' 'User root' "IdentityFile $work/ssh/key" 'IdentitiesOnly yes' 'StrictHostKeyChecking no' \
        "UserKnownHostsFile $work/ssh/known" 'LogLevel ERROR' >"$work/ssh/config"
    /usr/sbin/sshd -D -e -f "$work/ssh/sshd" 2>"$work/ssh/log" &
    sshd=$!
    until_ 60 ssh -F "$work/ssh/config" "$1" true
}

test_every_command_of_the_pages_was_run() {
    local page
    for page in compose.md air-gapped.md remote-engine.md; do commands $page; done | sort -u >"$work/commands"
    sort -u "$work/ran" | comm -23 "$work/commands" - >"$log"
    [ -s "$work/commands" ] || fail "there are no commands"
    [ ! -s "$log" ] || fail "commands that nobody runs"
}

each_stands_on_the_one_before=true
run_all test_images test_reproducible test_up_is_healthy_in_time test_demo test_killed_worker \
    test_killed_manager_and_reaper test_rolling_replacement test_containers test_killed_worker_of_containers \
    test_down_leaves_nothing test_development test_down_after_a_kill_leaves_nothing test_remote_engine \
    test_every_command_of_the_pages_was_run
