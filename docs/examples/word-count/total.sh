#!/bin/sh
# Runs once, when all files are counted: the ten most frequent words are the job's result.
set -eu
redis() {
    redis-cli -h "$CURFEW_SERVICE_CACHE_HOST" -p "$CURFEW_SERVICE_CACHE_PORT" -e "$@"
}
keys=$(redis SMEMBERS files)
# shellcheck disable=SC2086 # one word per key
redis ZUNIONSTORE total "$(echo "$keys" | wc -l)" $keys >/dev/null
redis ZREVRANGE total 0 9 WITHSCORES | paste - - |
    awk -F '\t' '{ printf "{\"word\":\"%s\",\"count\":%d}\n", $1, $2 }' >"$CURFEW_OUTPUT"
