#!/bin/sh
# README.md names every test of this folder, and no test that is not there, of the simulator's neither.
#
# usage: table.sh FOLDER
set -eu
LC_ALL=C
export LC_ALL
cd "$1"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^\(PROMISE\|START_TEST\|STORM_TEST\)(\([a-z0-9_]*\).*/\2/p' promise_*.c pathology.c | sort >"$work/tests"
# Names are words joined by underscores, and one that is alone; those of programs and functions are in backquotes.
sed 's/`[^`]*`//g' README.md | grep -oE '[a-z0-9]+(_[a-z0-9]+)+|\<burst\>' | sort -u >"$work/named"
grep -vxE 'a_million_(calls|awaited_children)_deep' "$work/named" >"$work/ours"
[ -s "$work/tests" ] || exit 1
diff -u "$work/tests" "$work/ours" || {
    echo "table.sh: - is in no row of README.md, + is no test"
    exit 1
}

# `sim_FILE: scenario`
grep -oE '`sim_[a-z]+: [a-z0-9_]+`' README.md | tr -d '`:' >"$work/simulated"
[ -s "$work/simulated" ] || exit 1
while read -r file name; do
    grep -qE "(EACH|ONCE|ROUNDS)\(${name}[,)]" "../../sim/$file.c" || {
        echo "table.sh: $file: $name is no test"
        exit 1
    }
done <"$work/simulated"
