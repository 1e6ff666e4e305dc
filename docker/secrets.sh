#!/bin/sh
# secrets.sh [DIRECTORY]: makes what compose.yaml takes as secrets, in ./secrets unless said otherwise: the token that whoever
# talks to the manager needs, and the database's password. What is there already is kept.
#
# Containers see these files as they are, and run as users of their own: so the files may be read by all, and the directory,
# which is in no container, may be entered by its owner alone.
set -eu

directory=${1:-$(dirname "$0")/../secrets}
umask 077
mkdir -p "$directory"
for name in token database-password; do
    [ ! -s "$directory/$name" ] || continue
    head -c 24 /dev/urandom | base64 | tr '+/' '-_' >"$directory/$name.new"
    chmod 644 "$directory/$name.new"
    mv "$directory/$name.new" "$directory/$name"
done
