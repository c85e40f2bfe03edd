#!/bin/sh
# Counts the instructions of the hot paths under callgrind and compares them with the kept ones, which belong to one compiler,
# one libc and one machine; any other is skipped (exit 77), saying so. More than 3 % above fails and names what grew.
#
# usage: compare.sh [--update] COMPILER PROGRAM…     COMPILER: as in gcc-12.2.0; --update keeps what is counted now
set -eu
LC_ALL=C
export LC_ALL
update=
if [ "${1:-}" = --update ]; then
    update=yes
    shift
fi
[ $# -ge 2 ] || {
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 64
}
compiler=$1
shift
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
machine=$compiler-$(getconf GNU_LIBC_VERSION 2>/dev/null | tr ' ' -)-$(uname -m)
baseline=${COSCHED_BASELINE:-$here/baseline/$machine.txt}

skip()
{
    echo "callgrind: skipped: $1"
    exit 77
}

command -v valgrind >/dev/null || [ -n "${COSCHED_COUNTS:-}" ] || skip "no valgrind"
[ -n "$update" ] || [ -e "$baseline" ] || skip "no counts are kept for $machine"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# libc takes the same functions whatever the processor can do.
plain=-AVX512F,-AVX512VL,-AVX2,-AVX,-AVX_Fast_Unaligned_Load,-BMI2,-RTM,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3

# PROGRAM: lines "NAME FUNCTION INSTRUCTIONS" an operation; FUNCTION "total" is all of it.
count_in()
{
    rm -f "$work"/out*
    GLIBC_TUNABLES=glibc.cpu.hwcaps=$plain valgrind --tool=callgrind --callgrind-out-file="$work/out" \
        --dump-before=callgrind_mark --dump-line=no --compress-strings=no --compress-pos=no --cache-sim=no \
        "$1" >"$work/marks" 2>"$work/log" || {
        cat "$work/log" >&2
        echo "callgrind: $1 failed" >&2
        exit 1
    }
    n=0
    while read -r name operations; do
        n=$((n + 1))
        # A clone, or a deeper recursion, is the function that it is one of.
        [ "$name" = - ] || awk -v name="$name" -v operations="$operations" '
            /^fn=/ { fn = substr($0, 4); sub(/('"'"'|\.(constprop|isra|part|cold)).*$/, "", fn); next }
            /^calls=/ { getline; next } # what the called one took is counted there
            /^[0-9+*-]/ { sum[fn] += $2; total += $2 }
            END {
                print name, operations, "total", total
                for (fn in sum) { at = fn; gsub(/ /, "_", at); print name, operations, at, sum[fn] }
            }' "$work/out.$n"
    done <"$work/marks" >"$work/sums"
    # Of the rounds the one with the fewest counts, for n and for 2n operations; their difference is n of them.
    awk '
        { key = $1 " " $2 }
        $3 == "total" {
            take = !(key in best) || $4 < best[key]
            if (take) {
                best[key] = $4
                for (k in cost) if (index(k, key " ") == 1) delete cost[k]
            }
            if (!($1 in few) || $2 < few[$1]) few[$1] = $2
        }
        take { cost[key " " $3] = $4 }
        END {
            for (k in cost) {
                split(k, part, " ")
                if (part[2] != few[part[1]]) {
                    less = cost[part[1] " " few[part[1]] " " part[3]]
                    one = (cost[k] - less) / few[part[1]]
                    if (part[3] == "total" || one >= 0.05) printf "%s %s %.2f\n", part[1], part[3], one
                }
            }
        }' "$work/sums" | sort -k1,1 -k3,3nr
}

if [ -n "${COSCHED_COUNTS:-}" ]; then # selftest.sh
    cp "$COSCHED_COUNTS" "$work/now"
else
    for program; do
        count_in "$program"
    done >"$work/now"
fi
[ -s "$work/now" ] || {
    echo "callgrind: nothing was counted" >&2
    exit 1
}

if [ -n "$update" ]; then
    mkdir -p "$(dirname -- "$baseline")"
    {
        echo "# Instructions an operation ($machine): tests/callgrind/compare.sh --update"
        cat "$work/now"
    } >"$baseline"
    awk '$2 == "total" { printf "%-14s %10.2f\n", $1, $3 }' "$work/now"
    exit 0
fi

awk -v limit="${COSCHED_LIMIT:-3}" '
    /^#/ { next }
    NR == FNR { was[$1 " " $2] = $3; next }
    { now[$1 " " $2] = $3 }
    END {
        for (k in was) {
            split(k, part, " ")
            if (part[2] == "total" && !(k in now)) { print "callgrind: " part[1] " is not counted any more"; bad = 1 }
        }
        for (k in now) {
            split(k, part, " ")
            if (part[2] != "total") continue
            name = part[1]
            if (!(k in was)) { print "callgrind: " name " has no kept count: --update"; bad = 1; continue }
            percent = was[k] > 0 ? 100 * (now[k] / was[k] - 1) : 0
            line = sprintf("%-13s %10.2f   kept %10.2f   %+6.1f %%", name, now[k], was[k], percent)
            if (percent <= limit) { print line (percent < -limit ? "   less than kept: --update" : ""); continue }
            print line "   MORE THAN " limit " %; by function:"
            bad = 1
            for (f in now) {
                split(f, part, " ")
                if (part[1] == name && part[2] != "total" && now[f] - was[f] >= 0.5)
                    printf "%-13s %10.2f   kept %10.2f   in %s\n", name, now[f], was[f], part[2]
            }
        }
        exit bad
    }' "$baseline" "$work/now" >"$work/verdict" && bad=0 || bad=1
sort -s -k1,1 "$work/verdict"
exit "$bad"
