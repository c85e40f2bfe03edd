#!/bin/sh
# The systemd units: well-formed (systemd-analyze verify) and as closed as promised (exposure at most 1.5).
# Works on the templates, with an executable that exists in place of the installed daemon.
#
# usage: units.sh [UNIT-FOLDER]      77: systemd-analyze is not here
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
units=${1:-$top/systemd}

if ! command -v systemd-analyze >/dev/null 2>&1; then
    echo "units: systemd-analyze is missing (Debian: systemd); skipped"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# systemd-analyze asks for a runtime folder even where it only reads files.
HOME=$work XDG_RUNTIME_DIR=$work
export HOME XDG_RUNTIME_DIR
failed=0

# A unit with a mistake is still loaded: only what is printed tells.
verify()
{
    scope=$1
    shift
    # The man pages named in Documentation= are looked for on this machine, where they need not be.
    if ! systemd-analyze "$scope" --man=no verify "$@" >"$work/out" 2>&1 || [ -s "$work/out" ]; then
        sed "s,$work/,,g; s/^/units: /" "$work/out"
        failed=1
    fi
}

mkdir "$work/system" "$work/user"
for scope in system user; do
    from=$units
    [ "$scope" = user ] && from=$units/user
    for template in "$from"/*.service.in "$from"/*.socket.in; do
        sed 's,@[A-Z_]*@,/bin/true,' "$template" >"$work/$scope/$(basename "$template" .in)"
    done
    verify "--$scope" "$work/$scope"/*.service "$work/$scope"/*.socket
done

if ! systemd-analyze security --offline=true --no-pager --threshold=15 \
    "$work/system/coschedd.service" >"$work/out" 2>&1; then
    grep -v '✓' "$work/out" | sed 's/^/units: /'
    echo "units: coschedd.service is more exposed than 1.5"
    failed=1
fi

# What the analysis cannot know: settings that a change must not lose, each with its reason.
must()
{
    grep -qx -- "$2" "$units/$1" || { echo "units: $1 must say $2: $3"; failed=1; }
}
must_not()
{
    ! grep -q -- "^$2" "$units/$1" || { echo "units: $1 must not say $2: $3"; failed=1; }
}
must coschedd.service.in KillMode=mixed "the default would TERM the jobs at once"
must coschedd.service.in RuntimeDirectoryPreserve=yes "else a stop removes the socket unit's socket"
must coschedd.service.in Type=notify "ready means that the socket answers"
must_not coschedd.service.in PrivateUsers= "peer credentials would read 65534"
exit $failed
