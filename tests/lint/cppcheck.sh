#!/usr/bin/env bash
# cppcheck of the programs. Tests are left to clang-tidy: cppcheck does not know that a failed assertion ends a test.
set -euo pipefail

build=$(realpath -m "${BUILD:-build}")
make -s BUILD="$build" "$build/gen/statements.h"
mkdir -p "$build/cppcheck"
cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --language=c --enable=warning,performance,portability \
    --cppcheck-build-dir="$build/cppcheck" -j "${JOBS:-2}" --suppressions-list=tests/lint/cppcheck.suppress \
    -I . -I "$build/gen" -D_GNU_SOURCE services
