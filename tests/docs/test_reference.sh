#!/usr/bin/env bash
# The committed reference pages are what the programs print today.
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
