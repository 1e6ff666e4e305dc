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
    if [ ! -e "${source%.c}.h" ] || [ -e "tests/unit/$test" ] || [ -e "tests/integration/$test" ] || grep -q "^$source " "$allow"; then
        continue
    fi
    echo "$source: no tests/unit/$test or tests/integration/$test"
    failed=1
done < <(find services -name '*.c' ! -name main.c | sort)

# A test tests a source file, or a directory as a whole (test_<directory>.c beside its files).
while read -r test; do
    path=${test#tests/*/}
    name=${path##*/test_}
    source="services/${path%/*}/$name"
    directory=$(basename "$(dirname "$source")")
    if [ -e "$source" ] || [ -e "tests/${path%/*}/$name" ] || [ -e "${source%.c}.h" ] || [ -d "${source%.c}" ] || [ "$directory.c" = "$name" ] ||
        grep -q "^$test " "$allow"; then
        continue
    fi
    echo "$test: no $source, ${source%.c}.h or ${source%.c}/"
    failed=1
done < <(find tests/unit tests/integration -name 'test_*.c' 2>/dev/null | sort)

while read -r file reason; do
    [[ $file != '#'* ]] || continue
    if [ ! -e "$file" ] || [ -z "$reason" ]; then
        echo "$allow: '$file' does not exist or has no reason"
        failed=1
    fi
done <"$allow"
exit $failed
