#!/bin/sh
# Reads the machine code of every function that switches stacks and fails if one names a thread-local or errno.
#
#   tls_in_switch.sh ARCHIVE|BUILDDIR|OBJECT...     a build directory is searched for libcosched.a
#   tls_in_switch.sh --self-test [CC]               seeded bad functions must be found, good ones must pass
#
# Compilers take the address of a thread-local once and use it again after the switch, when the code may run on
# another thread. Functions that switch are marked COS_SWITCHES, which puts them into a section of their own, so
# that none is missed. Also an error: a function outside that section that calls the switch or contains its
# inline form (each site leaves its address in .cos_switch_sites), and a clone of a marked function elsewhere.
set -eu

# What a function that is not marked must not refer to.
SWITCHES='cos_arch_switch|cos_arch_call|cos_context_switch|cos_context_switch_final|cos_context_call'
# Thread pointers, and the functions that hand out addresses of thread-locals.
FORBIDDEN='%fs:|tpidr_el0|__errno_location|__tls_get_addr|R_X86_64_(TLS|GOTTPOFF|TPOFF|DTPOFF)|R_AARCH64_TLS|__stack_chk_'

OBJDUMP=${OBJDUMP:-objdump}

disassemble() {
    "$OBJDUMP" -dr --no-show-raw-insn "$@"
}

# Prints one line a fault; silent when clean.
faults_in() {
    disassemble "$1" | awk -v forbidden="$FORBIDDEN" -v switches="$SWITCHES" '
        /^Disassembly of section / { section = $4; sub(/:$/, "", section); marked = section ~ /^\.text\.cos_switch/ }
        /^[0-9a-f]+ <.*>:$/ {
            name = $2; gsub(/[<>:]/, "", name)
            base = name; sub(/\..*/, "", base)
            if (marked) { count++; inside[base] = 1 } else { outside[name] = base }
            next
        }
        marked && $0 ~ forbidden { sub(/^[ \t]+/, ""); print name ": thread-local in a function that switches: " $0 }
        !marked && $0 ~ /R_[A-Z0-9_]+/ {
            target = $NF; sub(/[-+]0x[0-9a-f]+$/, "", target)
            if (target ~ "^(" switches ")$") { print name ": refers to " target " but is not marked COS_SWITCHES" }
        }
        END {
            for (name in outside) if (name != outside[name] && outside[name] in inside)
                print name ": part of a function that switches, outside .text.cos_switch"
            print "count " count + 0
        }'
    "$OBJDUMP" -r -j .cos_switch_sites "$1" 2>/dev/null | awk '
        /R_/ && $NF !~ /^\.text\.cos_switch/ { print $NF ": inline switch in a function not marked COS_SWITCHES" }'
}

check() {
    out=$(for file in "$@"; do faults_in "$file"; done)
    count=$(printf '%s\n' "$out" | awk '$1 == "count" { n += $2 } END { print n + 0 }')
    found=$(printf '%s\n' "$out" | grep -v '^count ' || true)
    if [ "$count" -eq 0 ]; then
        echo "tls_in_switch: no function marked COS_SWITCHES in $*" >&2
        return 1
    fi
    if [ -n "$found" ]; then
        printf '%s\n' "$found" | sed 's/^/tls_in_switch: /' >&2
        return 1
    fi
    echo "tls_in_switch: $count functions that switch, none names a thread-local"
}

compile() { # NAME, source on standard input
    "$CC" -std=c11 -D_GNU_SOURCE -O2 -fPIC -fstack-protector-strong -I "$root/lib/src" -x c - -c -o "$tmp/$1.o"
}

expect() { # NAME good|bad
    if check "$tmp/$1.o" >"$tmp/$1.txt" 2>&1; then verdict=good; else verdict=bad; fi
    if [ "$verdict" != "$2" ]; then
        echo "tls_in_switch: self-test: $1 was judged $verdict:" >&2
        cat "$tmp/$1.txt" >&2
        exit 1
    fi
}

self_test() {
    root=$(cd "$(dirname "$0")/../.." && pwd)
    tmp=$(mktemp -d)
    trap 'rm -rf "$tmp"' EXIT
    head='#include <errno.h>
#include <stdint.h>
#include "arch/context.h"
#include "arch/switch_inline.h"
#define ARGS struct cos_context *a, struct cos_context *b
extern _Thread_local int local; void use(char *); void f(ARGS);'
    {
        echo "$head"
        echo 'COS_SWITCHES void f(ARGS) { char m[64]; use(m); cos_context_switch(a, b, m); use(m); }'
    } | compile plain
    expect plain good
    {
        echo "$head"
        echo 'COS_SWITCHES void f(ARGS) { char m[64]; use(m); cos_context_switch_inline(a, b, m); use(m); }'
    } | compile inline
    expect inline good
    {
        echo "$head"
        echo 'COS_SWITCHES void f(ARGS) { errno = 0; cos_context_switch(a, b, 0); errno = 1; }'
    } | compile errno
    expect errno bad
    {
        echo "$head"
        echo 'COS_SWITCHES void f(ARGS) { local++; cos_context_switch(a, b, 0); local++; }'
    } | compile thread_local
    expect thread_local bad
    {
        echo "$head"
        echo 'static inline int *where(void) { return &local; }'
        echo '__attribute__((noinline, section(".text.cos_switch"))) void f(ARGS)'
        echo '{ char m[64]; use(m); cos_context_switch(a, b, m); use(m); (void)where; }'
    } | compile stack_protector
    expect stack_protector bad
    {
        echo "$head"
        echo 'COS_SWITCHES void f(ARGS) { cos_context_switch(a, b, 0); } void g(ARGS); void g(ARGS) { cos_context_switch(b, a, 0); }'
    } | compile unmarked_caller
    expect unmarked_caller bad
    if "$CC" -dM -E -x c /dev/null | grep -q __x86_64__; then
        {
            echo "$head"
            echo 'COS_SWITCHES void f(ARGS) { cos_context_switch(a, b, 0); } void g(ARGS); void g(ARGS) { cos_context_switch_inline(b, a, 0); }'
        } | compile unmarked_inline
        expect unmarked_inline bad
    fi
    echo 'int nothing(void); int nothing(void) { return 0; }' | compile nothing_marked
    expect nothing_marked bad
    echo "tls_in_switch: self-test passed"
}

case "${1:-}" in
'')
    echo "usage: $0 ARCHIVE|BUILDDIR|OBJECT... | --self-test [CC]" >&2
    exit 2
    ;;
--self-test)
    CC=${2:-${CC:-cc}}
    self_test
    ;;
*)
    files=
    for argument; do
        if [ -d "$argument" ]; then
            argument=$(find "$argument" -name 'libcosched*.a' | head -n 1)
        fi
        files="$files $argument"
    done
    # shellcheck disable=SC2086 # paths of builds, split on purpose
    check $files
    ;;
esac
