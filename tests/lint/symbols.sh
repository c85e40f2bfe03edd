#!/bin/sh
# What the built files show to a linker. The shared library: cosched_* and nothing else. The archive:
# names that begin with cosched_ or cos_, so that a static program keeps its own namespace. The client:
# none of the libraries that only the daemon needs.
#
# usage: symbols.sh shared LIBCOSCHED.SO | static LIBCOSCHED.A | client COSCHEDCTL
set -eu
LC_ALL=C
export LC_ALL
[ $# -eq 2 ] || { sed -n 's/^# usage: /usage: /p' "$0" >&2; exit 64; }
mode=$1
file=$2

# complain TEXT: standard input names the offenders, if any.
complain()
{
    offenders=$(cat)
    [ -z "$offenders" ] || { echo "symbols: $file: $1:"; printf '%s\n' "$offenders" | sed 's/^/symbols:   /'; exit 1; }
}

case $mode in
shared)
    # Type A is the name of the version itself.
    nm --dynamic --defined-only "$file" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
        grep -v '^cosched_' | complain "shows more than cosched_*"
    nm --dynamic --defined-only "$file" | grep -q ' T cosched_' || {
        echo "symbols: $file: exports no cosched_* function; is COSCHED_API missing?"
        exit 1
    }
    ;;
static)
    # Weak and unique symbols of the compilers' own instrumentation, and of USDT probes, are not ours to name.
    nm --extern-only --defined-only "$file" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u |
        grep -vE '^(cosched_|cos_|__(asan|tsan|ubsan|odr_asan|x86)|_?_?asan\.|DW\.ref\.|_\.stapsdt\.base$)' |
        complain "names without prefix cosched_ or cos_"
    ;;
client)
    readelf --dynamic --wide "$file" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' |
        grep -E '^lib(uv|cosched|sqlite3|inih|nettle|xxhash)\.' | complain "links what only the daemon needs"
    nm "$file" 2>/dev/null | awk '{ print $NF }' | grep -E '^(cosched_|cos_|uv_|sqlite3_)' |
        complain "contains what only the daemon needs"
    ;;
*)
    echo "symbols: unknown mode $mode" >&2
    exit 64
    ;;
esac
