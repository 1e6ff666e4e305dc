#!/usr/bin/env bash
# `make bench-peers`: what other queues over PostgreSQL carry on this machine, in turn with Curfew. Peers are installed by
# name and version from their registries, below BUILD/bench/peers; without Go or Python's venv those that need it are left out,
# which is said.
#   make bench-peers RUNS=3
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=$(realpath "${BUILD:-build}")
at=$build/bench/peers
PATH=$PATH:/usr/local/go/bin
node_packages=(node@22.20.0 graphile-worker@0.18.0 pg-boss@12.38.0 pg@8.23.1)
river=v0.51.2
python_packages=(pgqueuer==1.6.0 asyncpg==0.32.0 uvloop==0.23.0)

# is_installed PEERS WHAT: the last install below PEERS/ was of WHAT.
is_installed() {
    [ "$(cat "$at/$1/installed" 2>/dev/null)" = "$2" ]
}

install_node() {
    is_installed node "${node_packages[*]}" && return
    command -v npm >/dev/null || {
        echo "bench-peers: needs npm" >&2
        exit 1
    }
    npm --prefix "$at/node" install --no-save --no-package-lock --no-audit --no-fund --loglevel=error "${node_packages[@]}"
    # the package `node` fetches its program in a step of its own, which npm may have left out
    [ -e "$at/node/node_modules/node/bin/node" ] || (cd "$at/node/node_modules/node" && node installArchSpecificPackage)
    echo "${node_packages[*]}" >"$at/node/installed"
}

install_river() {
    command -v go >/dev/null || {
        echo "River is left out: there is no go"
        return
    }
    cp tests/bench/peers/river.go "$at/go"
    if ! is_installed go "$river"; then
        (cd "$at/go" && rm -f go.mod go.sum && go mod init bench &&
            go get "github.com/riverqueue/river@$river" "github.com/riverqueue/river/riverdriver/riverpgxv5@$river") 2>/dev/null
        echo "$river" >"$at/go/installed"
    fi
    (cd "$at/go" && go mod tidy 2>/dev/null && go build -o river river.go)
}

install_pgqueuer() {
    is_installed python "${python_packages[*]}" && return
    python3 -m venv "$at/python/venv" || {
        echo "pgqueuer is left out: there is no venv"
        return
    }
    "$at/python/venv/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"
    echo "${python_packages[*]}" >"$at/python/installed"
}

mkdir -p "$at/node" "$at/go" "$at/python"
install_node
install_river
install_pgqueuer
cp tests/bench/peers/*.mjs "$at/node"
exec "$build/tests/bench/with_postgres" python3 tests/bench/peers/compare.py "$build" "${RUNS:-3}"
