#!/bin/sh
# down.sh [OPTION...]: `docker compose down OPTION...` with all profiles, and then the end of what jobs still have at the engine.
#
# A worker ends what it runs when it is told to stop. But one that was killed just before has left containers, which the reaper
# would have ended when the worker's lease was over; after `down` there is no reaper. Only what carries the label of this
# deployment, whose name the worker's volume knows, is touched.
set -eu
cd "$(dirname "$0")/.."

label=io.curfew.deployment
if docker compose version >/dev/null 2>&1; then compose='docker compose'; else compose=docker-compose; fi

# containers LABEL, networks LABEL: their ids.
containers() {
    docker ps --all --quiet --filter "label=$1"
}
networks() {
    docker network ls --quiet --filter "label=$1"
}

$compose --profile docker stop worker-docker
deployment=
if [ -n "$(containers $label)$(networks $label)" ]; then
    deployment=$($compose --profile docker run --rm --no-deps -T --entrypoint cat worker-docker \
        /var/lib/curfew/deployment) || {
        echo "down.sh: the engine has containers of jobs; whether they are of this deployment is not known any more" >&2
        deployment=
    }
fi
$compose --profile docker --profile demo down "$@"

[ -n "$deployment" ] || exit 0
# shellcheck disable=SC2046 # ids
[ -z "$(containers "$label=$deployment")" ] || {
    docker stop $(containers "$label=$deployment")
    docker rm --force --volumes $(containers "$label=$deployment")
} >/dev/null
# shellcheck disable=SC2046
[ -z "$(networks "$label=$deployment")" ] || docker network rm $(networks "$label=$deployment") >/dev/null
