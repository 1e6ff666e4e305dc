#!/bin/sh
# socket.sh: writes into .env, which compose reads by itself, what profile docker has to know of the engine: where its socket is, and
# the group that may use it. What .env says of other things stays.
#
# Which group that is depends on who looks (Docker Desktop and rootless engines show another one inside than outside), so a
# container of the worker's image looks; the image is built when it is not there.
set -eu
cd "$(dirname "$0")/.."

case ${DOCKER_HOST:-} in
'') socket=/var/run/docker.sock ;;
unix://*) socket=${DOCKER_HOST#unix://} ;;
*)
    echo "socket.sh: the engine at $DOCKER_HOST has no socket on this machine: see docs/how-to/remote-engine.md" >&2
    exit 1
    ;;
esac
if docker compose version >/dev/null 2>&1; then compose='docker compose'; else compose=docker-compose; fi

group=$(CURFEW_SOCKET=$socket $compose --profile docker run --rm --no-deps -T --entrypoint stat worker-docker \
    -L -c %g /var/run/docker.sock)
{
    [ ! -e .env ] || grep -v '^CURFEW_SOCKET\(_GROUP\)\?=' .env || true
    printf 'CURFEW_SOCKET=%s\nCURFEW_SOCKET_GROUP=%s\n' "$socket" "$group"
} >.env.new
mv .env.new .env
