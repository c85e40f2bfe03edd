#!/bin/sh
# The reference of the library: header and pages say the same.
#
#  - cosched.h has the sections that its table of contents lists, in that order
#  - each function of the public headers is in the SYNOPSIS of exactly one page, word for word, and no other is
#  - each function and each COSCHED_ name is spoken of outside the synopses
#  - each page is one that scdoc and man take without a warning
#  - each code block of an EXAMPLE compiles
#  - SEE ALSO and the text name pages that exist
#
# usage: man.sh [TREE]      CC chooses the compiler; without scdoc or man their part is left out
set -eu
LC_ALL=C.UTF-8
export LC_ALL
tree=${1:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
cd "$tree"
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# complain TEXT: standard input names the offenders, if any. In a pipeline, so what it leaves is a file.
complain()
{
    if grep . >"$work/offenders"; then
        echo "man: $1:"
        sed 's/^/man:   /' "$work/offenders"
        : >"$work/failed"
    fi
}

# part PAGE SECTION: the lines below that heading, up to the next.
part()
{
    awk -v want="# $2" '/^```/ { code = !code } !code && /^# / { in_it = $0 == want; next } in_it' "$1"
}

# --- the header's own order ---
header=lib/include/cosched/cosched.h
sed -n '/^ \* Contents/,/^ \*\//s/^ \*   \([a-z][a-z ]*[a-z]\)   *[^ ].*/\1/p' "$header" >"$work/contents"
sed -n 's,^/\* --- \([a-z ]*\): .*,\1,p' "$header" >"$work/sections"
[ -s "$work/contents" ] || echo "$header" | complain "no table of contents"
diff "$work/contents" "$work/sections" | complain "$header: contents (<) and sections (>) differ"

# --- prototypes: one a line, without comments and attributes ---
prototypes()
{
    tr '\n' ' ' | sed 's,/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/,,g; s/;/;\n/g' |
        sed 's/ COSCHED_PRINTF_NORETURN//g; s/[[:space:]]\+/ /g; s/^ //; s/( /(/g; s/ \([;)]\)/\1/g' | sort
}
cat lib/include/cosched/*.h | prototypes | sed -n 's/^.*COSCHED_API \(.*cosched_.*(.*;\)$/\1/p' | sort >"$work/declared"
for page in lib/*.3.scd; do
    part "$page" SYNOPSIS | sed -n '/^```/,/^```/p' | grep '^[a-z ]' | prototypes | grep '(.*;' || :
done | grep -v '^find_package' | sort >"$work/shown"
[ -s "$work/declared" ] || echo "$header" | complain "no functions found"
diff "$work/declared" "$work/shown" | grep '^[<>]' | complain "declared (<) but not shown in a SYNOPSIS, or shown (>) but not declared"

# --- what is spoken of ---
for page in lib/*.3.scd; do
    awk '/^```/ { code = !code; next } !code' "$page"
done >"$work/prose"
{
    grep -ohE '\bcosched_[a-z_0-9]+\(' "$work/declared" | tr -d '('
    tr '\n' ' ' <"$header" | sed 's,/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/,,g' | grep -oE '\bCOSCHED_[A-Z_]+\b'
} | sort -u | grep -vxE 'COSCHED_(H|API|BUILD|PRINTF_NORETURN)' | while read -r name; do
    grep -qE "\\b$name\\b" "$work/prose" || echo "$name"
done | complain "no page speaks of"

# --- references ---
for page in lib/*.3.scd; do
    basename "$page" .3.scd
done >"$work/pages"
grep -ohE 'cosched[-_a-z0-9]*\*\(3\)' lib/*.3.scd | sed 's/\*(3)//' | sort -u | while read -r name; do
    grep -qxF -- "$name" "$work/pages" || grep -qE "\\b$name\\(" "$work/declared" || echo "$name(3)"
done | complain "no such page"

# --- each page ---
# renders PAGE NAME: without a warning.
renders()
{
    if command -v scdoc >/dev/null 2>&1; then
        scdoc <"$1" 2>&1 >"$work/$2" | complain "$1: scdoc"
        if command -v man >/dev/null 2>&1; then
            man -l --warnings -Tutf8 "$work/$2" 2>&1 >/dev/null | complain "$1: man"
        fi
    fi
}

for page in lib/*.7.scd; do
    [ ! -e "$page" ] || renders "$page" "$(basename "$page" .scd)"
done
for page in lib/*.3.scd; do
    name=$(basename "$page" .scd)
    for heading in NAME SYNOPSIS DESCRIPTION 'RETURN VALUE' ERRORS 'SEE ALSO'; do
        case "$name $heading" in
        'cosched.3 RETURN VALUE' | 'cosched.3 ERRORS' | 'cosched-io.3 RETURN VALUE' | 'cosched-io.3 ERRORS') continue ;;
        esac
        grep -qx "# $heading" "$page" || echo "$heading"
    done | complain "$page lacks"
    renders "$page" "$name"
    part "$page" EXAMPLE | awk -v base="$work/$name" '
        /^```/ { code = !code; n += code; next }
        code { print >(base "." n ".c") }'
    for source in "$work/$name".*.c; do
        [ -e "$source" ] || continue
        { grep -q '^#include' "$source" || echo '#include <cosched/io.h>'; cat "$source"; } >"$work/example.c"
        # A part of a program does not use all that it defines. Headers of libuv want POSIX names.
        "$cc" -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -Wno-unused-function -Ilib/include -fsyntax-only \
            "$work/example.c" 2>&1 | complain "$page: an example does not compile"
    done
done
[ ! -e "$work/failed" ]
