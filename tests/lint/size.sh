#!/usr/bin/env bash
# A file is one concept: at most 500 lines. A function is one thought: at most 60.
set -euo pipefail

failed=0
while read -r file; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 500 ]; then
        echo "$file: $lines lines, at most 500"
        failed=1
    fi
done < <(git ls-files '*.c' '*.h' '*.sql' '*.sh' '*.py' '*.js' '*.css' '*.html')

# A function's body stands between a brace in the first column and the next one that closes there.
while read -r file; do
    awk -v file="$file" '
        /^\{/ { start = NR }
        /^\}/ { if (start && NR - start > 60) { print file ":" start ": function of " NR - start " lines, at most 60"; bad = 1 } start = 0 }
        END { exit bad }
    ' "$file" || failed=1
done < <(git ls-files '*.c' '*.h')
exit $failed
