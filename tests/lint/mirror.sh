#!/usr/bin/env bash
# Every services/**/x.c that has a header x.h has its test: tests/unit/**/test_x.c, or tests/integration/**/test_x.c when
# it needs a database or processes. A file without a header of its own is a part of what another header promises, and is
# tested there. Exceptions stand in mirror.allow with the reason. A test whose source is gone is refused as well.
set -euo pipefail

allow=tests/lint/mirror.allow
failed=0
while read -r source; do
    path=${source#services/}
    test="${path%/*}/test_$(basename "$path")"
    if [ ! -e "${source%.c}.h" ] || [ -e "tests/unit/$test" ] || [ -e "tests/integration/$test" ] ||
        grep -q "^$source " "$allow"; then
        continue
    fi
    echo "$source: no tests/unit/$test or tests/integration/$test"
    failed=1
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
exit $failed
