#!/bin/bash
# The start of the PostgreSQL image that `make images` builds where none can be pulled: understands of the official image what
# compose.yaml uses. POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD_FILE, PGDATA; arguments are the server's.
#
# Makes the cluster when the directory is empty, in a directory beside it that is renamed when it is whole: a start that is cut off
# half-way is begun again. Runs the server as user postgres, PID 1.
set -euo pipefail

export PATH=/usr/lib/postgresql/17/bin:$PATH
export PGDATA=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}

if [ "$(id -u)" -eq 0 ]; then
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres "$PGDATA" /var/run/postgresql
    # The password's file is its owner's alone: it is read before the rights are given up.
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        [ -s "${POSTGRES_PASSWORD_FILE:-}" ] || {
            echo "postgres: POSTGRES_PASSWORD_FILE names no file with a password" >&2
            exit 1
        }
        install -o postgres -m 600 "$POSTGRES_PASSWORD_FILE" /var/run/postgresql/password
    fi
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

[ "${1:-}" != postgres ] || shift

make_cluster() {
    local new=$PGDATA/new
    rm -rf "$new"
    initdb --pgdata "$new" --username "$user" --pwfile /var/run/postgresql/password --encoding UTF8 --locale C.UTF-8 \
        --auth-local trust --auth-host scram-sha-256 >/dev/null
    echo 'host all all all scram-sha-256' >>"$new/pg_hba.conf"
    if [ "$database" != postgres ]; then
        printf 'CREATE DATABASE "%s";\n' "$database" |
            postgres --single -D "$new" postgres >/dev/null
    fi
    # PG_VERSION comes last: it says that everything is there.
    find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$PGDATA" {} +
    sync -f "$PGDATA"
    mv "$new/PG_VERSION" "$PGDATA"
    rmdir "$new"
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    find "$PGDATA" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
    make_cluster
fi
rm -f /var/run/postgresql/password
chmod 700 "$PGDATA"
exec postgres -c listen_addresses='*' "$@"
