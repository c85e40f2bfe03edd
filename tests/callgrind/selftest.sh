#!/bin/sh
# compare.sh is shown counts that are not those kept, and must say so; and others, and must not.
set -eu
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' '# kept' 'call total 100.00' 'call cosched_call 60.00' 'call leaf 40.00' 'yield total 200.00' >"$work/kept"

# expect STATUS TEXT COUNT…: one line of what is counted each; "-": nothing is kept
expect()
{
    status=$1
    text=$2
    shift 2
    printf '%s\n' "$@" >"$work/counts"
    kept=$work/kept
    [ "$1" != - ] || kept=$work/none
    said=0
    COSCHED_BASELINE=$kept COSCHED_COUNTS=$work/counts sh "$here/compare.sh" cc-1 none >"$work/out" 2>&1 || said=$?
    if [ "$said" -ne "$status" ] || ! grep -q "$text" "$work/out"; then
        echo "callgrind: self-test: wanted $status and '$text' of '$*', got $said and"
        cat "$work/out"
        exit 1
    fi
}

expect 0 '+2.9 %' 'call total 102.90' 'call cosched_call 62.90' 'call leaf 40.00' 'yield total 200.00'
expect 1 'MORE THAN 3' 'call total 103.20' 'call cosched_call 63.20' 'call leaf 40.00' 'yield total 200.00'
expect 1 '63.20 .* in cosched_call' 'call total 103.20' 'call cosched_call 63.20' 'call leaf 40.00' 'yield total 200.00'
expect 1 '9.00 .* in fresh' 'call total 109.00' 'call cosched_call 60.00' 'call leaf 40.00' 'call fresh 9.00' 'yield total 200.00'
expect 0 'less than kept' 'call total 90.00' 'yield total 200.00'
expect 1 'yield is not counted any more' 'call total 100.00'
expect 1 'hop has no kept count' 'call total 100.00' 'yield total 200.00' 'hop total 1.00'
expect 77 'skipped: no counts are kept' -
echo "callgrind: self-test passed"
