#!/bin/sh
# config/setup.sh on made-up lists: what is installed is left alone, what is missing is named, a user
# without rights is told what to run, and nothing touches the network.
set -eu
LC_ALL=C
export LC_ALL
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
command -v dpkg-query >/dev/null 2>&1 || { echo "setup: not a Debian machine; skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

printf '# a comment\n[build]  # why\ndpkg # always here\nno-such-package-1\n\n[test]\nno-such-package-2\nbash\n' \
    >"$work/list"
printf '[build]\ndpkg\nbash\n' >"$work/present"

# expect STATUS TEXT LIST COMMAND…
expect()
{
    status=$1 text=$2 list=$3
    shift 3
    got=0
    COSCHED_DEPENDENCIES=$work/$list "$@" >"$work/out" 2>&1 </dev/null || got=$?
    if [ "$got" -ne "$status" ] || ! grep -q -- "$text" "$work/out"; then
        echo "setup: '$*' with $list: exit $got, expected $status and '$text'; it said:"
        cat "$work/out"
        failed=1
    fi
}

setup=$top/config/setup.sh
expect 0 '^$' present sh -c 'sh "$1" && echo' sh "$setup"
expect 1 'missing: no-such-package-1$' list sh "$setup" --check
expect 1 'missing: no-such-package-1 no-such-package-2$' list sh "$setup" --check build test
expect 0 '^bash$' list sh "$setup" --list test
expect 64 "no section 'nonsense'" list sh "$setup" nonsense
expect 64 'unknown option --nonsense' list sh "$setup" --nonsense

# As nobody, with a sudo that refuses.
mkdir "$work/bin"
printf '#!/bin/sh\nexit 1\n' >"$work/bin/sudo"
chmod 755 "$work" "$work/bin" "$work/bin/sudo"
chmod 644 "$work/list"
run_as_nobody=
[ "$(id -u)" -ne 0 ] || run_as_nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
cp "$setup" "$work/setup.sh"
chmod 644 "$work/setup.sh"
# shellcheck disable=SC2086
expect 77 'apt-get install --no-install-recommends no-such-package-1$' list \
    env PATH="$work/bin:$PATH" HOME=/ $run_as_nobody sh "$work/setup.sh"
exit $failed
