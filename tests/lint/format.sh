#!/usr/bin/env bash
# format.sh [--fix]: all C sources have the format of .clang-format. Versions of clang-format disagree in details, so it is
# the one that both Debian 12 and 13 have.
set -euo pipefail

formatter=${CLANG_FORMAT:-clang-format-19}
command -v "$formatter" >/dev/null || {
    echo "format: $formatter is missing: tests/support/deps.sh --ci installs it"
    exit 1
}
mode=(--dry-run --Werror)
[ "${1:-}" != --fix ] || mode=(-i)
git ls-files -z '*.c' '*.h' | xargs -0 -r "$formatter" "${mode[@]}"
