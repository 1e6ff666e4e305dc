#!/usr/bin/env bash
# bases.sh DIRECTORY: makes the archives that the air-gapped images stand on, from Debian 13 packages, with mmdebstrap and the mirror
# that it finds on this machine: DIRECTORY/{builder,runtime,demo,postgres}.tar, each with its sum beside it. One that was made from
# the same lists of packages is kept; REFRESH=1 makes all of them again, with the packages of today.
#
# Needs mmdebstrap and a way to a Debian mirror; no engine.
set -euo pipefail
out=$(mkdir -p "${1:?usage: bases.sh DIRECTORY}" && realpath "$1")
cd "$(dirname "$0")"

# Which lists of packages/ a base has.
lists_of() {
    case $1 in
    demo) echo runtime demo ;;
    *) echo "$1" ;;
    esac
}

# make_base NAME: what it says is shown when it fails.
make_base() {
    local name=$1 lists recipe hooks=()
    read -ra lists <<<"$(lists_of "$name")"
    recipe=$( (cd packages && cat "${lists[@]}") | cat - bases.sh postgres-entrypoint.sh | sha256sum)
    if [ -z "${REFRESH:-}" ] && [ -e "$out/$name.tar" ] && [ "$(cat "$out/$name.recipe" 2>/dev/null)" = "$recipe" ]; then
        return 0
    fi
    # shellcheck disable=SC2016 # mmdebstrap's shell knows what $1 is
    [ "$name" != postgres ] || hooks=(
        --essential-hook='mkdir -p "$1/etc/postgresql-common" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
        --customize-hook='copy-in postgres-entrypoint.sh /usr/local/bin'
    )
    echo "base $name"
    mmdebstrap --quiet --variant=apt --dpkgopt=dpkg.conf --include="$(cd packages && cat "${lists[@]}" | paste -sd,)" \
        "${hooks[@]}" trixie "$out/$name.part.tar" 2>"$out/$name.log" || {
        cat "$out/$name.log" >&2
        return 1
    }
    rm -f "$out/$name.recipe"
    sha256sum <"$out/$name.part.tar" | cut -d ' ' -f 1 >"$out/$name.sum"
    mv "$out/$name.part.tar" "$out/$name.tar"
    echo "$recipe" >"$out/$name.recipe"
}

# Two at a time: downloading and unpacking take turns.
jobs=()
failed=0
for name in builder runtime demo postgres; do
    make_base "$name" &
    jobs+=($!)
    if [ ${#jobs[@]} -eq 2 ]; then
        wait "${jobs[0]}" || failed=1
        jobs=("${jobs[1]}")
    fi
done
wait "${jobs[0]}" || failed=1
exit $failed
