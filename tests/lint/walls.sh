#!/usr/bin/env bash
# A third-party header is included in one place only, so that the library can be replaced, or its traps avoided, there.
set -euo pipefail

failed=0
# wall PATTERN DIRECTORY...: headers that match the pattern appear below these directories only.
wall() {
    local pattern=$1 found places
    shift
    places=$(printf '|%s' "$@")
    found=$(grep -rnE --include='*.[ch]' "^ *# *include *[<\"](${pattern})[>\"]" services | grep -vE "^(${places#|})/") || return 0
    printf '%s\n' "$found" "  ^ only below: $*"
    failed=1
}

programs=(services/jobmanager services/worker services/reaper services/cli)
wall '(libpq-fe|libpq/.*|pg_config.*)\.h' services/common/db
wall 'microhttpd\.h' services/common/http
wall 'curl/.*\.h' services/common/http
wall '(json|json-c/.*|json_.*)\.h' services/common/json services/common/model services/common/http services/common/store "${programs[@]}"
wall '(archive|archive_entry)\.h' services/common/store services/jobmanager services/worker services/cli
wall 'yaml\.h' services/common/json
wall 'zlib\.h' services/common/http
wall 'gnutls/.*\.h' services/common/base services/common/http
exit $failed
