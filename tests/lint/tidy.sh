#!/usr/bin/env bash
# clang-tidy of all sources with .clang-tidy; every finding is an error. The version is one that Debian 12 and 13 have.
# A file is looked at again only when it, what it includes, or the checks changed: what was clean is remembered below
# BUILD/tidy.
set -euo pipefail

if [ "${1:-}" = --one ]; then
    # shellcheck disable=SC2086 # a list of flags
    mapfile -t files < <(clang -MM $TIDY_FLAGS "$2" | sed -e 's/^[^:]*://' -e 's/\\$//' | xargs -n 1)
    stamp=$TIDY_STAMPS/$( (cat "${files[@]}" && echo "$2 $TIDY_KEY") | sha256sum | cut -c 1-32)
    [ ! -e "$stamp" ] || exit 0
    # shellcheck disable=SC2086 # a list of flags
    clang-tidy-19 --quiet --warnings-as-errors='*' "$2" -- $TIDY_FLAGS 2>"$stamp.$$" || {
        cat "$stamp.$$"
        rm -f "$stamp.$$"
        exit 1
    }
    mv "$stamp.$$" "$stamp"
    exit 0
fi

build=$(realpath -m "${BUILD:-build}")
make -s BUILD="$build" "$build/gen/statements.h"
TIDY_STAMPS=$build/tidy
TIDY_FLAGS=$(make -s BUILD="$build" print-flags)
TIDY_KEY=$(cat .clang-tidy tests/.clang-tidy <(echo "$TIDY_FLAGS") | sha256sum)
export TIDY_STAMPS TIDY_FLAGS TIDY_KEY
mkdir -p "$TIDY_STAMPS"
git ls-files -z 'services/*.c' 'tests/*.c' | xargs -0 -r -n 1 -P "${JOBS:-2}" "$0" --one
