#!/usr/bin/env bash
# Slow clients against a real manager, a minute each: slow.sh BUILD [SECONDS [CONNECTIONS]]. slowhttptest (Debian) opens
# connections whose heads, bodies or reading never end, while a good client lists jobs and another asks for health. Fails when the good
# ones are refused or wait for long, or when slow ones are still there after so many seconds: the manager counts its connections.
set -euo pipefail
build=$(realpath "$1") seconds=${2:-60} connections=${3:-1000}
work=$(mktemp -d /tmp/curfew-slow-XXXXXX)
chmod 711 "$work" # the database's user has to get through
command -v slowhttptest >/dev/null || {
    echo 'slow: slowhttptest is missing: tests/support/deps.sh --ci installs it'
    exit 1
}
trap '"$build/bin/curfew" down --dir "$work/stack" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
ulimit -n "$(ulimit -Hn)"
url=$("$build/bin/curfew" up --dir "$work/stack")
for number in $(seq 200); do
    printf '%s\n' "name: listed-$number" 'mode: pull' 'tasks: {count: 1}' | CURFEW_SERVER=$url "$build/bin/curfew" submit --detach - >/dev/null
done

connected() {
    curl --silent --fail "$url/metrics" | awk '$1 == "curfew_http_connections" { print $2 }'
}

# Asks for a path until the file `done` is there; a line of status and seconds for each answer.
good() {
    until [ -e "$work/done" ]; do
        curl --silent --output /dev/null --max-time 10 --write-out '%{http_code} %{time_total}\n' "$url$1" || true
    done >"$work/good.$2"
}

failed=0
# attack NAME OPTION...
attack() {
    local name=$1 status most left attacker
    shift
    rm -f "$work/done"
    good '/v1/jobs?limit=100' jobs &
    good /livez health &
    slowhttptest "$@" -c "$connections" -r 200 -l $((seconds + 20)) -u "$url/v1/jobs" >"$work/log" 2>&1 &
    attacker=$!
    sleep $((connections / 200 + 1))
    most=$(connected)
    sleep $((seconds + 15 - connections / 200))
    left=$(connected)
    touch "$work/done"
    wait $attacker || true
    wait
    status=$(tr '\r' '\n' <"$work/log" | sed 's/\x1b\[[0-9;]*m//g' | grep -E '^ *(closed|connected|pending|error|Exit status):' | tail -n 5 | tr -s ' \n' ' ')
    for file in jobs health; do
        sort -k 2 -n "$work/good.$file" | awk -v name="$name" -v file="$file" '
            { at[NR] = $2; bad += $1 != 200 }
            END {
                printf "%s: good %s: %d calls, %d bad, p50 %.1f ms, p99 %.1f ms, slowest %.1f ms\n", name, file, NR, bad,
                    at[int(NR / 2) + 1] * 1000, at[int(NR * 99 / 100) + 1] * 1000, at[NR] * 1000
                exit bad > 0 || NR == 0 || at[NR] > 5
            }' || failed=1
    done
    echo "$name: slowhttptest: $status; connections of the manager: $most, after $((seconds + 15)) s $left"
    [ "$left" -le 4 ] || failed=1 # the good ones, the one that asks, and the stack's worker
}

attack 'slow heads' -H -i 3 -x 24
attack 'slow bodies' -B -i 3 -s 8192 -x 10
attack 'slow readers' -X -w 512 -y 1024 -n 5 -z 32
exit $failed
