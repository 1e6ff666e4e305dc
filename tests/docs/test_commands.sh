#!/usr/bin/env bash
# Every ```sh block of the documentation is run, page by page, in order, in one `bash -e` session per page, in a directory that
# looks like a checkout with the programs built. Blocks of other kinds (yaml, text, console) are examples and are not run.
#
# Only what would collide with a second run on the machine is replaced: paths /tmp/curfew-... and the port 19001 become
# unique ones; `make` alone, which would compile everything again, becomes a look at what it makes.
# A page that speaks of CURFEW_DATABASE_URL gets one, of an empty database.
# PAGE is a substring of the pages to run.
# A page that is told so in `expected` below must print these texts, in this order.
set -euo pipefail

top=$PWD
build=$(realpath "${BUILD:-build}")
work=$(mktemp -d "${TMPDIR:-/tmp}/curfew-docs-XXXXXX")
chmod 711 "$work" # the database's user has to get through
checkout=$work/checkout
failed=0

end() {
    local directory
    for directory in "$work"/*; do
        [ ! -e "$directory/run/guard" ] || "$build/bin/curfew" down --dir "$directory" 2>/dev/null || true
    done
    cd "$top"
    rm -rf "$work"
}
trap end EXIT

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Makes an empty database for a page; prints its URI.
database_of() {
    local sockets=$work/database/run/pg
    [ -d "$sockets" ] || "$build/bin/curfew" up --dir "$work/database" >/dev/null
    psql --quiet --host "$sockets" --username curfew --dbname postgres --command "CREATE DATABASE \"$1\"" >&2
    echo "postgresql:///$1?host=$sockets&user=curfew"
}

# The commands of a page.
blocks_of() {
    awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside { print }' "$1"
}

# expected PAGE: the texts that its session must print, one a line, in this order.
expected() {
    case $1 in
    docs/tutorial.md)
        cat <<'TEXTS'
http://127.0.0.1:
WORKER  NAME
service.ready  service=cache
job.running
job.outcome  outcome=succeeded
service.verified  service=cache
job.closed  cleanup=clean
state       succeeded
"right":true
cleanup: clean
verified  succeeded  SIGTERM
serves
night
/stages/0/comand: there is no such field
is wrong in 2 places
ended
TEXTS
        ;;
    docs/how-to/several-machines.md)
        printf '%s\n' event=listening 'only-beta  0      4      succeeded' 'at-night   0      1      succeeded'
        ;;
    docs/how-to/tokens.md)
        cat <<'TEXTS'
event=listening
shown this once
alice  submitter  valid
"by":"alice"
needs a token of role admin, and token 'alice' is of role submitter
exit status 7
shown this once
theirs
theirs
(max_tasks), and this job alone has 1001
exit status
is revoked
this token was revoked
exit status 7
JOB
TEXTS
        ;;
    docs/how-to/tls.md)
        cat <<'TEXTS'
event=listening
exit status
ok
plain HTTP is not answered
certificate read again
ok
secure
hello
TEXTS
        ;;
    docs/how-to/services.md) echo 'is right' ;;
    docs/how-to/stream.md) printf '%s\n' 'cleanup=none' '"output":{"length":9}' ;;
    docs/how-to/stuck-jobs.md)
        printf '%s\n' 'no worker' 'state       queued' job.submitted ready 'is closed' 'cleanup: none' 'STOP ASKED'
        ;;
    docs/how-to/operate.md)
        printf '%s\n' 'gets nothing new' draining 'works again' 'curfew_leaked_services 0' ready ended 127.0.0.1 ended
        ;;
    *) ;;
    esac
}

# Whether the texts on stdin stand in this order in a file; names the first that does not.
in_order() {
    python3 -c '
import sys
log, at = open(sys.argv[1], errors="replace").read(), 0
for text in sys.stdin.read().splitlines():
    at = log.find(text, at)
    if at < 0:
        sys.exit(f"not printed, or not in this order: {text}")
' "$1"
}

run_page() {
    local page=$1 name=${1//[\/.]/_} port status=0
    local session=$work/$name.sh log=$work/$name.log
    port=$(free_port)
    blocks_of "$page" | sed -e "s|/tmp/curfew-|$work/$name-|g" \
        -e "s|\b19001\b|$port|g" -e 's|^make$|make --dry-run all >/dev/null \&\& ls build/bin|' >"$session"
    [ -s "$session" ] || return 0
    if grep -q CURFEW_DATABASE_URL "$page"; then
        CURFEW_DATABASE_URL=$(database_of "${name,,}")
        export CURFEW_DATABASE_URL
    fi
    (cd "$checkout" && CURFEW_SERVER=http://127.0.0.1:$port exec bash -e -v "$session") >"$log" 2>&1 </dev/null || status=$?
    if [ $status -ne 0 ] || ! expected "$page" | in_order "$log"; then
        echo "FAIL $page: exit status $status"
        cat "$log"
        failed=$((failed + 1))
        return 0
    fi
    if grep -lsaF "$work/$name" /proc/[0-9]*/cmdline; then
        echo "FAIL $page: leaves processes"
        failed=$((failed + 1))
        return 0
    fi
    echo "ok   $page: $(blocks_of "$page" | grep -vc '^ *$') lines"
    passed=$((passed + 1))
}

passed=0
mkdir "$checkout"
cp -r README.md Makefile docs services tests "$checkout"
ln -s "$build" "$checkout/build"
for page in README.md $(find docs -name '*.md' ! -path 'docs/reference/*' ! -path 'docs/decisions/*' | sort); do
    [[ $page == *"${PAGE:-}"* ]] || continue
    run_page "$page"
done
[ "$passed" -gt 0 ] || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
