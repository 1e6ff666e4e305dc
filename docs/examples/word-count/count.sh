#!/bin/sh
# One task: counts the words of one file into a sorted set of its own. Running it twice gives the same set, so an attempt
# that was repeated counts nothing twice.
set -eu
file=$(jq -r .file)
key="words:$file"
counts=$(tr -cs '[:alpha:]' '\n' <"/usr/share/common-licenses/$file" | tr '[:upper:]' '[:lower:]' | awk 'length > 3' | sort | uniq -c)
{
    echo MULTI
    echo "DEL $key"
    echo "$counts" | awk -v key="$key" '{print "ZINCRBY", key, $1, $2}'
    echo "SADD files $key"
    echo EXEC
} | redis-cli -h "$CURFEW_SERVICE_CACHE_HOST" -p "$CURFEW_SERVICE_CACHE_PORT" -e >/dev/null
echo "$file: $(echo "$counts" | wc -l) different words"
