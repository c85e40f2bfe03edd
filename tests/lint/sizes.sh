#!/bin/sh
# Files and functions stay readable: a file past 600 lines fails, past 400 it is named; a function past 70
# lines fails. A file that needs more says why in sizes.allow, one "PATH REASON" a line.
#
# Functions are found by their braces in column 1, which .clang-format guarantees.
#
# usage: sizes.sh [TREE]
set -eu
LC_ALL=C
export LC_ALL
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
tree=${1:-$top}
cd "$tree"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
allow=tests/lint/sizes.allow
[ -f "$allow" ] || allow=/dev/null
for folder in lib daemon ctl tests; do
    [ ! -d "$folder" ] || find "$folder" -name '*.[chS]'
done | sort >"$work/files"
[ -s "$work/files" ] || exit 0

xargs awk '
function close_file() {
    if (path == "") return
    if (lines > 600 && !(path in reason)) {
        printf "sizes: %s: %d lines, the limit is 600\n", path, lines
        bad = 1
    } else if (lines > 400 && !(path in reason)) {
        printf "sizes: note: %s: %d lines, more than 400\n", path, lines
    }
    if (start) { printf "sizes: %s:%d: a brace in column 1 is never closed\n", path, start; bad = 1 }
}
FILENAME == allow {
    if ($0 !~ /^#/ && NF > 1) reason[$1]
    else if ($0 !~ /^#/ && NF == 1) { printf "sizes: %s: %s: no reason given\n", allow, $1; bad = 1 }
    next
}
FNR == 1 { close_file(); path = FILENAME; start = 0; head = "" }
{ lines = FNR }
path ~ /\.S$/ { next }
/^\{/ { start = FNR; name = head; next }
/^\}/ && start {
    if (FNR - start - 1 > 70) {
        printf "sizes: %s:%d: %s: %d lines, the limit is 70\n", path, start, name, FNR - start - 1
        bad = 1
    }
    start = 0
    next
}
# The last line that opens a declarator names the function.
/^[A-Za-z_].*\(/ { head = $0; sub(/\(.*/, "", head); sub(/.*[ *]/, "", head) }
END { close_file(); exit bad }' allow="$allow" "$allow" <"$work/files" || exit 1
