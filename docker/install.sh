#!/bin/sh
# install.sh LIST...: installs the Debian packages of these lists, one a line, in an image that is being built. Does nothing, and
# needs no network, when nothing is missing: the bases of `make images` have them.
set -eu

missing=''
# shellcheck disable=SC2013 # words are what is wanted
for package in $(cat "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
apt-get -q update
# shellcheck disable=SC2086 # a list of names
DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $missing
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/*.log /var/log/apt
