#!/bin/sh
# Builds the floors below libuv (base, arch, queue) static for another machine or with another C library, and runs their
# self-tests, under qemu-user where it must. Exit status 77: tools are missing, and which.
#   machine.sh aarch64|riscv64|musl [BUILDDIR]
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
machine=$1
build=${2:-$root/build/selftest-$machine}
more=
run=
case $machine in
aarch64)
    CC=${AARCH64_CC:-aarch64-linux-gnu-gcc}
    run=${AARCH64_QEMU:-qemu-aarch64-static}
    packages="gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user-static"
    # gcc expects guards of 64 KiB there, and would let a frame jump over ours of one page.
    more="--param stack-clash-protection-guard-size=12 ${AARCH64_CFLAGS:-}"
    OBJDUMP=aarch64-linux-gnu-objdump
    ;;
riscv64)
    CC=${RISCV64_CC:-riscv64-linux-gnu-gcc}
    run=${RISCV64_QEMU:-qemu-riscv64-static}
    packages="gcc-riscv64-linux-gnu, libc6-dev-riscv64-cross, qemu-user-static"
    OBJDUMP=riscv64-linux-gnu-objdump
    ;;
musl)
    CC=${MUSL_CC:-musl-gcc}
    packages="musl-tools, linux-libc-dev"
    # The kernel's headers, behind all of musl's own.
    more="-idirafter /usr/include -idirafter /usr/include/$(uname -m)-linux-gnu"
    OBJDUMP=
    machine=$(uname -m)
    ;;
*)
    sed -n '2,4s/^# *//p' "$0" >&2
    exit 64
    ;;
esac

for tool in "$CC" ${run%% *}; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "$1: skipped: $tool is not installed ($packages)"
        exit 77
    fi
done

mkdir -p "$build"
arch=$root/lib/src/arch
base=$root/lib/src/base
for level in -O0 -O2; do
    for test in arch queue; do
        # shellcheck disable=SC2086 # several flags
        "$CC" -std=c11 -D_GNU_SOURCE $level -g -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Werror \
            -fno-omit-frame-pointer -fstack-clash-protection -funwind-tables -ftls-model=initial-exec -pthread -static \
            -I "$root/lib/src" $more "$root/tests/lib/${test}_selftest.c" "$root/tests/lib/switch_registers.S" \
            "$arch"/*.c "$arch"/*_"$machine".S "$root"/lib/src/queue/*.c "$base/alloc.c" "$base/assert.c" "$base/clock.c" \
            -o "$build/${test}_selftest$level"
        # shellcheck disable=SC2086
        $run "$build/${test}_selftest$level"
    done
    status=0
    # shellcheck disable=SC2086
    text=$(exec prlimit --core=0 $run "$build/arch_selftest$level" overflow 2>&1) || status=$?
    case $status:$text in
    139:*"cosched: stack overflow: 64 KiB stack"*"task: the victim"*) ;;
    *)
        echo "$1: overflow: status $status, said: $text" >&2
        exit 1
        ;;
    esac
done

# The linter knows the machines, too.
lint=$root/tests/lint/tls_in_switch.sh
if [ -n "$OBJDUMP" ] && command -v "$OBJDUMP" >/dev/null 2>&1; then
    export OBJDUMP
    "$lint" --self-test "$CC"
    for source in "$arch"/context.c "$arch"/context_"$machine".S; do
        "$CC" -std=c11 -D_GNU_SOURCE -O2 -fPIC -I "$root/lib/src" -c "$source" -o "$build/$(basename "$source").o"
    done
    "$lint" "$build/context.c.o" "$build/context_$machine.S.o"
fi
echo "FIGURES machine_$1: floors base, arch and queue, self-tests passed at -O0 and -O2: 4, stack overflows named: 2"
