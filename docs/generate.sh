#!/usr/bin/env bash
# generate.sh [DIRECTORY]: prints the reference pages from the tables of the programs in BUILD (build) into DIRECTORY
# (docs/reference). `make docs` runs it; tests/docs/test_reference.sh sees that what is committed is what it prints.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD:-build}
directory=${1:-docs/reference}
mkdir -p "$directory"
make -s BUILD="$build" "$build/tests/docs/print_reference"

"$build/tests/docs/print_reference" states >"$directory/states.md"
"$build/tests/docs/print_reference" why >"$directory/why.md"
"$build/tests/docs/print_reference" job-spec >"$directory/job-spec.md"
if [ -x "$build/bin/curfew-jobmanager" ]; then
    "$build/bin/curfew-jobmanager" api-markdown >"$directory/api.md"
fi
if [ -x "$build/bin/curfew" ]; then
    "$build/bin/curfew" --help-markdown >"$directory/cli.md"
fi
{
    cat <<'END'
# Settings

Printed from the tables of the programs (`--help` prints the same). A flag wins over the environment, the environment over
the default. An empty variable counts as none. Secrets are read from files only.

END
    for program in jobmanager worker reaper; do
        [ ! -x "$build/bin/curfew-$program" ] || "$build/bin/curfew-$program" --help-markdown
    done
} >"$directory/config.md"
