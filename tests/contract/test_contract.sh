#!/usr/bin/env bash
# The API's document: redocly has nothing to say of it, and schemathesis finds no reply of a real manager that is not in it.
# Both are installed by name and version from their registries, below build/contract.
# shellcheck source=tests/support/cli.sh
. tests/support/cli.sh

at=$build/contract
node_packages=(node@22.20.0 @redocly/cli@2.77.0)
python_packages=(schemathesis==4.32.5)

# installed NAME PACKAGE...: whether these are there already, and no others.
installed() {
    local name=$1
    shift
    [ "$(cat "$at/$name/installed" 2>/dev/null)" = "$*" ]
}

test_document_is_liked_by_redocly() {
    if ! installed node "${node_packages[@]}"; then
        mkdir -p "$at/node"
        npm --prefix "$at/node" install --no-save --no-package-lock --no-audit --no-fund --loglevel=error \
            "${node_packages[@]}" >"$log" 2>&1 || fail "redocly cannot be installed"
        # the package `node` fetches its program in a step of its own, which npm may have left out
        [ -e "$at/node/node_modules/node/bin/node" ] || (cd "$at/node/node_modules/node" && node installArchSpecificPackage)
        echo "${node_packages[*]}" >"$at/node/installed"
    fi
    "$build/bin/curfew-jobmanager" openapi >"$work/openapi.json"
    export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true NODE_DISABLE_COMPILE_CACHE=1
    status 0 "$at/node/node_modules/node/bin/node" "$at/node/node_modules/@redocly/cli/bin/cli.js" lint \
        --config tests/contract/redocly.yaml --max-problems 20 "$work/openapi.json"
    says_not 'warning'
}

test_manager_answers_as_the_document_says() {
    if ! installed python "${python_packages[@]}"; then
        rm -rf "$at/python"
        python3 -m venv "$at/python" >"$log" 2>&1 || fail "no venv"
        "$at/python/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}" >"$log" 2>&1 ||
            fail "schemathesis cannot be installed"
        echo "${python_packages[*]}" >"$at/python/installed"
    fi
    status 0 "$build/tests/bench/with_postgres" tests/contract/schemathesis.sh "$at/python/bin/st" "$at/schemathesis"
}

run_all
