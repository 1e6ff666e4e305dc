#!/usr/bin/env bash
# deps.sh [--ci]: installs the Debian packages (12 and 13) that building, testing and the demo need; with --ci also what
# the lints, valgrind, the coverage report and the container tests need. Those run wherever docker.io and busybox-static are.
#
# Does nothing, and needs neither root nor a network, when nothing is missing. Packages that bring a service with them do
# not start it, now or at boot, and PostgreSQL makes no cluster: tests and demo start private ones.
set -euo pipefail

packages=(
    gcc libc6-dev make pkg-config
    libmicrohttpd-dev libjson-c-dev libpq-dev libcurl4-gnutls-dev libyaml-dev libarchive-dev libgnutls28-dev zlib1g-dev libcmocka-dev
    postgresql redis-server
    procps jq curl python3 openssl nginx-light haproxy
)
ci_packages=(
    clang clang-format-19 clang-tidy-19 cppcheck shellcheck valgrind libc6-dbg gcovr git
    docker.io docker-compose docker-registry mmdebstrap iptables iproute2 openssh-client openssh-server busybox-static prometheus libclang-rt-dev
    slowhttptest
    python3-venv
)
# From Debian 13 on the client of docker.io is a package of its own.
# shellcheck source=/dev/null
if [ "$(. /etc/os-release 2>/dev/null && echo "${VERSION_ID:-0}" | cut -d . -f 1)" -ge 13 ]; then
    ci_packages+=(docker-cli)
fi
# Node.js that does not come from Debian brings npm along.
command -v npm >/dev/null || ci_packages+=(npm)
case "${1:-}" in
'') ;;
--ci) packages+=("${ci_packages[@]}") ;;
*)
    echo "usage: deps.sh [--ci]" >&2
    exit 2
    ;;
esac

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "deps: this is not Debian; install what corresponds to: ${missing[*]}" >&2
    exit 1
fi
echo "deps: installing ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: needs root: apt-get install ${missing[*]}" >&2
        exit 1
    }
    exec sudo "$0" "$@"
fi

# While this script runs, and no longer even when it is killed, no package starts its service. A policy that the machine
# has already is left alone. PostgreSQL is asked to make no cluster; the file that says so gets its old content back.
policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.conf
saved=$(mktemp -d)
cleanup() {
    [ ! -e "$saved/policy" ] || rm -f "$policy"
    [ ! -e "$saved/cluster" ] || cp -p "$saved/cluster" "$cluster"
    rm -rf "$saved"
}
trap cleanup EXIT
if [ ! -e "$policy" ]; then
    touch "$saved/policy"
    printf '#!/bin/sh\nkill -0 %d 2>/dev/null && exit 101\nexit 0\n' $$ >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
# apt-get with these arguments; what it says is shown when it fails.
apt() {
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >"$saved/log" 2>&1 </dev/null || {
        cat "$saved/log" >&2
        echo "deps: apt-get $1 failed" >&2
        return 1
    }
}
apt update
had_postgresql=$(is_installed postgresql-common && echo yes || echo no)
# The services that packages bring: unit, then package.
services=(
    redis-server:redis-server docker.service:docker.io docker.socket:docker.io docker-registry:docker-registry containerd:containerd prometheus:prometheus ssh:openssh-server nginx:nginx-light haproxy:haproxy
)
new_services=()
for service in "${services[@]}"; do
    is_installed "${service#*:}" || new_services+=("${service%:*}")
done
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
    # The question is asked in a file of this package, so it comes first.
    [ "$had_postgresql" = yes ] || apt install --no-install-recommends postgresql-common
    cp -p "$cluster" "$saved/cluster"
    echo 'create_main_cluster = false' >>"$cluster"
fi
apt install --no-install-recommends "${missing[@]}"
if command -v systemctl >/dev/null; then
    for service in "${new_services[@]}"; do
        systemctl disable --quiet "$service" 2>/dev/null || true
    done
fi
