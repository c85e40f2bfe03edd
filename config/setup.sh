#!/bin/sh
# Installs what is missing from config/dependencies.txt, and only that.
#
# When nothing is missing this costs a few milliseconds and touches neither the network nor apt. As
# root, or with a sudo that asks no question or a terminal to ask it on, it installs; else it prints
# the one command to run and ends with 77.
set -eu
LC_ALL=C
export LC_ALL

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
list=${COSCHED_DEPENDENCIES:-$here/dependencies.txt}

usage()
{
    cat <<TEXT
usage: sh config/setup.sh [--check | --list] [SECTION…]

Installs the Debian packages of the named sections of config/dependencies.txt
that are not installed yet. Without a section: build.

  --check   install nothing; name what is missing, exit 1 if there is any
  --list    print the packages of the sections, one a line
  --help    this text

Sections: $(sections | tr '\n' ' ')
TEXT
}

say()
{
    printf 'setup: %s\n' "$*" >&2
}

sections()
{
    sed -n 's/^\[\([a-z-]*\)\].*/\1/p' "$list"
}

# Packages of the sections given, in the order of the list.
packages()
{
    awk -v wanted=" $* " '
        { sub(/#.*/, "") }
        /^\[/ { name = $1; gsub(/[][]/, "", name); take = index(wanted, " " name " "); next }
        take && NF { print $1 }' "$list"
}

# One query for all: a package that dpkg has never heard of is simply absent from the answer.
missing()
{
    packages "$@" | awk '
        NR == FNR {
            if ($1 == "installed") {
                have[$2 ":" $3] = 1
                if ($3 == native || $3 == "all") have[$2] = 1
            }
            next
        }
        !($1 in have) { print $1 }' native="$(dpkg --print-architecture)" "$installed" -
}

# Everything that alters the system passes here, so that --check and a refused sudo share one text.
as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

can_be_root()
{
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    # A password may be typed only where somebody sits.
    sudo -n true 2>/dev/null || { [ -t 0 ] && [ -t 2 ]; }
}

# The lock of the package lists has no time-out option in apt (the one of dpkg has): parallel checkouts
# and unattended upgrades are waited for by trying again.
retry()
{
    try=1
    until "$@" >"$log" 2>&1; do
        [ "$try" -lt 5 ] || return 1
        # An unknown name stays unknown.
        ! grep -q '^E: Unable to locate package' "$log" || return 1
        say "apt is busy or the network failed; try $try of 5, again in $((try * 3)) s"
        sleep $((try * 3))
        try=$((try + 1))
    done
}

# The foreign machines among "package:machine" that dpkg has not been told of.
foreign()
{
    printf '%s\n' "$@" | sed -n 's/^[^:]*://p' | sort -u | while read -r machine; do
        dpkg --print-foreign-architectures | grep -qx -- "$machine" || printf '%s\n' "$machine"
    done
}

install_packages()
{
    say "installing: $*"
    for machine in $(foreign "$@"); do
        as_root dpkg --add-architecture "$machine"
    done
    if ! retry as_root apt-get -q -o DPkg::Lock::Timeout=300 update; then
        tail -n 5 "$log" >&2
        say "apt-get update failed; trying with the package lists at hand"
    fi
    if ! retry as_root apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "$@"; then
        tail -n 15 "$log" >&2
        say "apt-get install failed; above is the end of what it said"
        exit 1
    fi
}

mode=install
wanted=
for arg in "$@"; do
    case $arg in
    --check) mode=check ;;
    --list) mode=list ;;
    -h | --help) usage; exit 0 ;;
    -*) say "unknown option $arg"; usage >&2; exit 64 ;;
    *)
        sections | grep -qx -- "$arg" || { say "no section '$arg' in $list"; exit 64; }
        wanted="$wanted $arg"
        ;;
    esac
done
[ -n "$wanted" ] || wanted=build

if [ "$mode" = list ]; then
    # shellcheck disable=SC2086 # section names are words
    packages $wanted
    exit 0
fi

# shellcheck disable=SC2086
if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    say "this is not a Debian machine: what Debian 12 calls the following must be here already:"
    packages $wanted | tr '\n' ' ' | fold -s -w 90 >&2
    echo >&2
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
log=$work/log
installed=$work/installed

dpkg-query -W -f='${db:Status-Status} ${Package} ${Architecture}\n' >"$installed"

# shellcheck disable=SC2086
absent=$(missing $wanted | tr '\n' ' ')
absent=${absent% }
[ -n "$absent" ] || exit 0

if [ "$mode" = check ]; then
    say "missing: $absent"
    exit 1
fi
if ! can_be_root; then
    say "some packages are missing and this user may not install them. Run as root:"
    # shellcheck disable=SC2086
    for machine in $(foreign $absent); do
        printf '\n    dpkg --add-architecture %s' "$machine" >&2
    done
    printf '\n    apt-get update && apt-get install --no-install-recommends %s\n\n' "$absent" >&2
    say "and then start this command again."
    exit 77
fi
# shellcheck disable=SC2086
install_packages $absent
