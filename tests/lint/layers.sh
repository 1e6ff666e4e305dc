#!/usr/bin/env bash
# Includes point one way: base <- json, db <- http, model <- engine, store <- programs. A program never includes another program,
# and the shim, which runs beside every task, includes base only.
set -euo pipefail

# The directories below services/ that files of a directory may include from, besides their own.
allowed() {
    case $1 in
    common/base) echo "" ;;
    common/json | common/db) echo "common/base" ;;
    common/http | common/model) echo "common/base common/json common/db" ;;
    common/engine) echo "common/base common/json common/model" ;;
    common/store) echo "common/base common/json common/db common/http common/model" ;;
    worker/shim) echo "common/base" ;;
    worker) echo "common/base common/json common/db common/http common/model common/engine common/store worker/shim" ;;
    jobmanager | reaper | cli) echo "common/base common/json common/db common/http common/model common/engine common/store" ;;
    *) echo "?" ;;
    esac
}

# The layer that a path below services/ belongs to.
layer_of() {
    case $1 in
    common/*/*) echo "$1" | cut -d / -f 1-2 ;;
    worker/shim/*) echo worker/shim ;;
    *) echo "${1%%/*}" ;;
    esac
}

failed=0
while IFS=: read -r file line include; do
    from=$(layer_of "${file#services/}")
    to=$(layer_of "${include#services/}")
    if [ "$(allowed "$from")" = '?' ]; then
        echo "$file: '$from' is no layer that tests/lint/layers.sh knows"
        failed=1
    elif [ "$from" != "$to" ] && [[ " $(allowed "$from") " != *" $to "* ]]; then
        echo "$file:$line: $from must not include $include"
        failed=1
    fi
done < <(grep -rnoE --include='*.[ch]' '^#include "services/[^"]+' services | sed 's/#include "//')

# Everything of ours is included by its path from the root, which shows the layer.
if grep -rnE --include='*.[ch]' '^ *# *include *"' services tests | grep -vE '#include "(services|tests)/[a-z0-9_/]+\.h"'; then
    echo "the includes above do not begin with services/ or tests/"
    failed=1
fi
# What users get does not depend on tests.
if grep -rnE --include='*.[ch]' '#include "tests/' services; then
    echo "the files above include tests"
    failed=1
fi
exit $failed
