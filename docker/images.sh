#!/usr/bin/env bash
# images.sh DIRECTORY: all images that compose.yaml and the examples name, on an engine that pulls none: the bases of DIRECTORY
# (bases.sh makes them) are imported, and docker/Dockerfile is built on them without a network. What is unchanged is taken from
# the engine's cache.
#
# Needs an engine (DOCKER_HOST or the usual socket) and Debian's docker.io.
set -euo pipefail
bases=$(realpath "${1:?usage: images.sh DIRECTORY}")
cd "$(dirname "$0")/.."

# import BASE IMAGE CHANGE...: unless the image is of this archive already. Any image of this name is replaced.
import() {
    local base=$1 image=$2 sum
    shift 2
    sum=$(cat "$bases/$base.sum")
    [ "$(docker image inspect -f '{{index .Config.Labels "io.curfew.base"}}' "$image" 2>/dev/null)" != "$sum" ] || return 0
    docker import "${@/#/--change=}" --change="LABEL io.curfew.base=$sum" "$bases/$base.tar" "$image" >/dev/null
    echo "imported $image"
}

import builder curfew-base:builder
import runtime curfew-base:runtime
import demo curfew-base:demo
import postgres postgres:17 'ENTRYPOINT ["postgres-entrypoint.sh"]' 'CMD ["postgres"]' 'EXPOSE 5432' \
    'ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin'
# What docs/examples/word-count/container.yaml runs in a container: the same packages once more.
printf 'FROM curfew-base:demo\nCMD ["redis-server", "--protected-mode", "no"]\n' | docker build --quiet --tag redis:8 - >/dev/null

revision=$(git describe --always --abbrev=40 --exclude="*" --dirty 2>/dev/null || echo unknown)
for target in jobmanager worker worker-demo reaper cli; do
    docker build --quiet --network none --file docker/Dockerfile --target "$target" --tag "curfew-$target" \
        --build-arg BUILDER_BASE=curfew-base:builder --build-arg RUNTIME_BASE=curfew-base:runtime \
        --build-arg DEMO_BASE=curfew-base:demo --build-arg REVISION="$revision" . >/dev/null
    echo "built curfew-$target"
done
