#!/usr/bin/env bash
# schemathesis.sh PROGRAM LOG: a real manager over the PostgreSQL of the environment, and schemathesis that asks it all that
# its document allows, and more. Fails when it finds a 5xx, a status, a media type, a header or a body that the document
# does not have, or when the manager does not end well.
set -euo pipefail
build=$(realpath "${BUILD:-build}")
work=$(mktemp -d)
program=$1
log=$2
trap 'rm -rf "$work"; kill $(jobs -p) 2>/dev/null || true' EXIT

# Nothing here has to outlive a crash, and a slow disk is not what is asked about.
database="host=$PGHOST user=$PGUSER dbname=$PGDATABASE options='-c synchronous_commit=off'"
printf 'curfew_%052d' 1 >"$work/token"
chmod 600 "$work/token"
"$build/bin/curfew-jobmanager" migrate --database-url "$database"
"$build/bin/curfew-jobmanager" serve --database-url "$database" --listen 127.0.0.1:0 --port-file "$work/port" \
    --token-file "$work/token" 2>"$work/manager.log" &
manager=$!
end=$((SECONDS + 30))
until [ -s "$work/port" ]; do
    if [ $SECONDS -gt $end ] || ! kill -0 $manager; then
        cat "$work/manager.log"
        exit 1
    fi
    sleep 0.05
done

# ask NAME ARGUMENT...: what it said is in LOG.NAME. A worker of its that died says nothing in its exit status.
ask() {
    local name=$1 here=$PWD
    shift
    (cd "$work" && SCHEMATHESIS_HOOKS="$here/tests/contract/hooks.py" "$program" \
        --config-file "$here/tests/contract/schemathesis.toml" --no-color run \
        --header "Authorization: Bearer $(cat "$work/token")" ${EXAMPLES:+--max-examples "$EXAMPLES"} "$@" \
        "http://127.0.0.1:$(cat "$work/port")/openapi.json" >"$log.$name" 2>&1) &&
        ! grep -q -e 'panicked at' -e '^Exception in thread' "$log.$name"
}

# Two at a time, of about the same size: each keeps one core busy.
failed=0
ask jobs --include-path-regex '^/v1/jobs' --phases examples,coverage,fuzzing &
ask others --exclude-path-regex '^/v1/jobs' --phases examples,coverage,fuzzing || failed=1
wait $! || failed=1
ask links --phases stateful || failed=1
if [ $failed -ne 0 ]; then
    sed -n '/= FAILURES =/,$p; /= ERRORS =/,$p; /panicked at/p' "$log.jobs" "$log.others" "$log.links" | cut -c 1-500 | head -n 200
fi
kill $manager
if ! wait $manager; then
    cat "$work/manager.log"
    failed=1
fi
exit $failed
