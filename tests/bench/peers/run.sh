#!/usr/bin/env bash
# `make bench-peers`: what other queues over PostgreSQL carry on this machine, in turn with Curfew. Peers are installed by
# name and version from their registry, below BUILD/bench/peers.
#   make bench-peers RUNS=3
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=$(realpath "${BUILD:-build}")
at=$build/bench/peers
node_packages=(node@22.20.0 graphile-worker@0.18.0 pg-boss@12.38.0 pg@8.23.1)

mkdir -p "$at/node"
if [ "$(cat "$at/node/installed" 2>/dev/null)" != "${node_packages[*]}" ]; then
    command -v npm >/dev/null || {
        echo "bench-peers: needs npm" >&2
        exit 1
    }
    npm --prefix "$at/node" install --no-save --no-package-lock --no-audit --no-fund --loglevel=error "${node_packages[@]}"
    # the package `node` fetches its program in a step of its own, which npm may have left out
    [ -e "$at/node/node_modules/node/bin/node" ] || (cd "$at/node/node_modules/node" && node installArchSpecificPackage)
    echo "${node_packages[*]}" >"$at/node/installed"
fi
cp tests/bench/peers/*.mjs "$at/node"
exec "$build/tests/bench/with_postgres" python3 tests/bench/peers/compare.py "$build" "${RUNS:-3}"
