#!/usr/bin/env bash
# The committed reference pages are what the programs print today, and the one that is written by hand has all labels.
set -euo pipefail

printed=$(mktemp -d)
trap 'rm -rf "$printed"' EXIT
docs/generate.sh "$printed"
for page in "$printed"/*.md; do
    diff -u "docs/reference/${page##*/}" "$page" || {
        echo "docs/reference/${page##*/} is out of date: run make docs"
        exit 1
    }
done
# Labels, as the code has them and as the page has them.
diff <(grep -oE '"io\.curfew\.[a-z]+"' services/common/model/engine_labels.h | tr -d '"' | sort -u) \
    <(grep -oE 'io\.curfew\.[a-z]+' docs/reference/labels.md | sort -u) || {
    echo "docs/reference/labels.md has other labels than services/common/model/engine_labels.h"
    exit 1
}
