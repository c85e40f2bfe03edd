#!/bin/sh
# Every function of libc that libcosched calls either fails under torture, or stands in exempt.txt with a reason.
# usage: imports.sh LIBCOSCHED.A TORTURE
set -u
LC_ALL=C
export LC_ALL
here=$(dirname -- "$0")
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT

nm "$1" 2>/dev/null | awk '$1 == "U" { print $2 } NF == 3 && $2 != "U" { print $3 > "'"$work"'/own" }' | sort -u >"$work/used"
sort -u "$work/own" >"$work/own.sorted"
{
    "$2" --functions
    sed -n 's/^\([^#:]*\):.*/\1/p' "$here/exempt.txt" | tr ' ' '\n'
    echo syscall # by number: pidfd_open, futex_wait and membarrier are listed
} | grep . | sort -u >"$work/known"
comm -23 "$work/used" "$work/own.sorted" | grep -vE '^(uv_|__asan_|__ubsan_|__lsan_|__sanitizer_|__gcov_|_GLOBAL_OFFSET_TABLE_)' >"$work/asked"
[ -s "$work/asked" ] || { echo "imports: nothing found in $1"; exit 1; }
comm -23 "$work/asked" "$work/known" >"$work/unknown"
if [ -s "$work/unknown" ]; then
    echo "imports: neither failed by torture (shim.h) nor exempt with a reason (exempt.txt):"
    sed 's/^/  /' "$work/unknown"
    exit 1
fi
echo "imports: $(wc -l <"$work/asked") functions of libc, each failed or exempt"
