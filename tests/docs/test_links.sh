#!/usr/bin/env bash
# Every relative link in a Markdown page leads to a file, and to a heading of it when it names one.
set -euo pipefail

failed=0
# The anchors of a page's headings: lower case, spaces to dashes, without punctuation.
anchors() {
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed -e 's/[^a-z0-9 _-]//g' -e 's/ /-/g'
}

while IFS=: read -r page link; do
    target=${link%%#*}
    path=$page
    [ -z "$target" ] || path=$(dirname "$page")/$target
    if [ ! -e "$path" ]; then
        echo "$page: $link does not exist"
        failed=1
    elif [[ $link == *#* ]] && ! anchors "$path" | grep -qxF "${link#*#}"; then
        echo "$page: $link names no heading of $path"
        failed=1
    fi
done < <(git ls-files '*.md' | xargs grep -oHE '\]\([^) ]+\)' | sed -E 's/\]\(([^)]+)\)/\1/' | grep -vE ':(https?|mailto):')
exit $failed
