#!/usr/bin/env bash
# Tests mirror sources: services/**/x_y.c with a header x_y.h is tested by tests/unit/**/test_x_y.c (tests/integration when
# it needs a database or processes), by one for the whole of which it is a part (test_x.c, test_x_z.c), or by any test that
# includes its header. A file without a header is a part of what another header promises. Exceptions stand in mirror.allow
# with the reason. A test whose source is gone is refused as well.
set -euo pipefail

allow=tests/lint/mirror.allow
failed=0
included=$(grep -rhoE --include='*.[ch]' '#include "services/[^"]+"' tests | sort -u)

# Whether something tests the source of this path below services/ (without .c).
is_tested() {
    local path=$1 part=${1##*/}
    if [[ $included == *"\"services/$path.h\""* ]]; then
        return 0
    fi
    while :; do
        if compgen -G "tests/unit/${path%/*}/test_$part.c" >/dev/null ||
            compgen -G "tests/unit/${path%/*}/test_${part}_*.c" >/dev/null ||
            compgen -G "tests/integration/${path%/*}/test_$part.c" >/dev/null ||
            compgen -G "tests/integration/${path%/*}/test_${part}_*.c" >/dev/null; then
            return 0
        fi
        [[ $part == *_* ]] || return 1
        part=${part%_*}
    done
}

while read -r source; do
    path=${source#services/}
    path=${path%.c}
    if [ -e "${source%.c}.h" ] && ! is_tested "$path" && ! grep -q "^$source " "$allow"; then
        echo "$source: no tests/unit/${path%/*}/test_${path##*/}.c, nor one below tests/integration/"
        failed=1
    fi
done < <(find services -name '*.c' ! -name main.c | sort)

# Whether a test of this name (a path without test_, as in common/store/settle_random) has something to test: a source, a
# header or a directory of that name or of a beginning of it (settle), or the directory that it stands in.
has_subject() {
    local path=$1
    if [ "$(basename "${path%/*}")" = "${path##*/}" ]; then
        return 0
    fi
    while :; do
        for subject in "services/$path" "tests/$path"; do
            if [ -e "$subject.c" ] || [ -e "$subject.h" ] || [ -d "$subject" ]; then return 0; fi
        done
        [[ ${path##*/} == *_* ]] || return 1
        path=${path%_*}
    done
}

while read -r test; do
    path=${test#tests/*/}
    path=${path%/*}/${path##*/test_}
    if ! has_subject "${path%.c}" && ! grep -q "^$test " "$allow"; then
        echo "$test: tests nothing in services/ that has a similar name"
        failed=1
    fi
done < <(find tests/unit tests/integration -name 'test_*.c' 2>/dev/null | sort)

while read -r file reason; do
    [[ $file != '#'* ]] || continue
    if [ ! -e "$file" ] || [ -z "$reason" ]; then
        echo "$allow: '$file' does not exist or has no reason"
        failed=1
    fi
done <"$allow"

while read -r name; do
    if [ ! -e "tests/$name" ] && [ ! -e "tests/$name.c" ]; then
        echo "tests/support/longest: there is no tests/$name"
        failed=1
    fi
done <tests/support/longest
exit $failed
