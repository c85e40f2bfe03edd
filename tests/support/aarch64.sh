#!/bin/sh
# Builds tests/lib/arch_selftest.c for aarch64 and runs it under qemu-user. Exit status 77: tools are missing.
#   aarch64.sh [BUILDDIR]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$root/build/aarch64-selftest}
CC=${AARCH64_CC:-aarch64-linux-gnu-gcc}
QEMU=${AARCH64_QEMU:-qemu-aarch64-static}

for tool in "$CC" "$QEMU"; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "aarch64: skipped: $tool is not installed (gcc-aarch64-linux-gnu, qemu-user-static)"
        exit 77
    fi
done

mkdir -p "$build"
arch=$root/lib/src/arch
base=$root/lib/src/base
for level in -O0 -O2; do
    program=$build/arch_selftest$level
    # shellcheck disable=SC2086 # several flags
    "$CC" -std=c11 -D_GNU_SOURCE $level -g -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Werror \
        -fno-omit-frame-pointer -fstack-clash-protection --param stack-clash-protection-guard-size=12 \
        -funwind-tables -ftls-model=initial-exec -pthread -static -I "$root/lib/src" ${AARCH64_CFLAGS:-} \
        "$root/tests/lib/arch_selftest.c" "$root/tests/lib/switch_registers.S" \
        "$arch"/*.c "$arch"/context_aarch64.S "$base/alloc.c" "$base/assert.c" "$base/clock.c" -o "$program"
    "$QEMU" -L /usr/aarch64-linux-gnu "$program"

    status=0
    text=$(exec prlimit --core=0 "$QEMU" -L /usr/aarch64-linux-gnu "$program" overflow 2>&1) || status=$?
    case $status:$text in
    139:*"cosched: stack overflow: 64 KiB stack"*"task: the victim"*) ;;
    *)
        echo "aarch64: overflow: status $status, said: $text" >&2
        exit 1
        ;;
    esac
done

# The linter knows the machine, too.
if command -v aarch64-linux-gnu-objdump >/dev/null 2>&1; then
    OBJDUMP=aarch64-linux-gnu-objdump "$root/tests/lint/tls_in_switch.sh" --self-test "$CC"
    for source in "$arch"/context.c "$arch"/context_aarch64.S; do
        "$CC" -std=c11 -D_GNU_SOURCE -O2 -fPIC -I "$root/lib/src" -c "$source" -o "$build/$(basename "$source").o"
    done
    OBJDUMP=aarch64-linux-gnu-objdump "$root/tests/lint/tls_in_switch.sh" "$build/context.c.o" "$build/context_aarch64.S.o"
fi
