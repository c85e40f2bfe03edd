#!/bin/sh
# Every line "FIGURES name: …" that stages and tests of a run have left in their logs, as one table.
#
# usage: figures.sh BUILD-FOLDER    (what is older than its stages/began is of an earlier run)
set -u
LC_ALL=C
export LC_ALL
build=${1:?the build folder}
began=$build/stages/began

# FILE WHERE: its lines, with what made them in front
lines_of()
{
    sed -n "s/^.*FIGURES \([A-Za-z0-9_.-]*\): */$2 \1 /p" "$1"
}

table=$(
    for log in "$build"/*/Testing/Temporary/LastTest.log; do
        [ -n "$(find "$log" -newer "$began" 2>/dev/null)" ] || continue
        where=$(basename "${log%/Testing/Temporary/LastTest.log}")
        [ "$where" != all ] || where=main
        lines_of "$log" "$where"
    done
    for log in "$build"/stages/*.log; do
        [ -e "$log" ] || continue
        # A ctest that shows what a test says (a failure) would show it a second time.
        lines_of "$log" "$(basename "$log" .log)"
    done
)
[ -n "$table" ] || exit 0
echo
echo "figures:"
printf '%s\n' "$table" | sort -u -k2,2 -k1,1 -k3 |
    awk '{ where = $1; name = $2; sub(/^[^ ]+ [^ ]+ /, ""); printf "  %-16s %-10s %s\n", name, where, $0 }'
echo
