#!/bin/sh
# The installed tree, seen from outside: complete, in the right places, usable by find_package and by
# pkg-config, shared and static, from a prefix and below DESTDIR. Everything stays below the build folder.
#
# usage: check.sh BUILD-FOLDER PREFIX LIBDIR
set -eu
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=$1 prefix=$2 libdir=$3
cc=${CC:-cc}
cmake=${CMAKE:-cmake}
mkdir -p "$build/install-test"
work=$(mktemp -d "$build/install-test/XXXXXX")
trap 'rm -rf "$work"' EXIT

# quietly COMMAND…: what it says is shown only if it fails.
quietly()
{
    "$@" >"$work/log" 2>&1 || { echo "install: failed: $*"; tail -n 30 "$work/log"; exit 1; }
}

have()
{
    [ -e "$1" ] || { echo "install: $1 is missing"; exit 1; }
}

# The answer of the small program, whichever way it was linked.
answers()
{
    said=$("$@") || { echo "install: $* failed: $said"; exit 1; }
    [ "$said" = 144 ] || { echo "install: $* said $said, not 144"; exit 1; }
}

echo "install: below a prefix"
root=$work/prefix
quietly "$cmake" --install "$build" --prefix "$root"
for path in include/cosched/cosched.h "$libdir/libcosched.so" "$libdir/libcosched.a" \
    "$libdir/pkgconfig/cosched.pc" "$libdir/cmake/cosched/coschedConfig.cmake"; do
    have "$root/$path"
done
# Where gdb looks for it by the real name of the library, which lies where the prefix of the installation says.
have "$root/share/gdb/auto-load$root/$libdir/$(basename "$(readlink -f "$root/$libdir/libcosched.so")")-gdb.py"
have "$root/share/cosched/cosched-gdb.py"
# No internal header may travel along.
if find "$root/include" -name '*.h' | grep -v '/include/cosched/[a-z]*\.h$'; then
    echo "install: internal headers were installed"
    exit 1
fi

echo "install: find_package"
quietly "$cmake" -G Ninja -S "$here/consumer" -B "$work/consumer" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$root"
quietly "$cmake" --build "$work/consumer"
answers "$work/consumer/consumer_shared"
answers "$work/consumer/consumer_static"

echo "install: pkg-config"
PKG_CONFIG_PATH=$root/$libdir/pkgconfig
export PKG_CONFIG_PATH
# shellcheck disable=SC2046 # flags are words
quietly "$cc" -std=c11 "$here/consumer/main.c" $(pkg-config --cflags --libs cosched) -o "$work/shared"
answers env LD_LIBRARY_PATH="$root/$libdir" "$work/shared"
# shellcheck disable=SC2046
quietly "$cc" -std=c11 "$here/consumer/main.c" \
    $(pkg-config --static --cflags --libs cosched | sed 's/-lcosched/-l:libcosched.a/') -o "$work/static"
answers "$work/static"

echo "install: the program of cosched(3)"
awk '/^# EXAMPLE/ { example = 1 } /^```/ { code = example && !code; next } code' "$here/../../lib/cosched.3.scd" >"$work/example.c"
# shellcheck disable=SC2046
quietly "$cc" -std=c11 "$work/example.c" $(pkg-config --cflags --libs cosched) -o "$work/example"
answers env LD_LIBRARY_PATH="$root/$libdir" "$work/example"

echo "install: below DESTDIR"
quietly env DESTDIR="$work/dest" "$cmake" --install "$build"
root=$work/dest$prefix
have "$root/$libdir/libcosched.so"
have "$root/share/gdb/auto-load$prefix/$libdir/$(basename "$(readlink -f "$root/$libdir/libcosched.so")")-gdb.py"
if [ -e "$build/daemon/coschedd" ]; then
    for path in sbin/coschedd bin/coschedctl libexec/cosched/cosched-exec \
        lib/systemd/system/coschedd.service lib/systemd/system/coschedd.socket \
        lib/systemd/user/coschedd.service lib/systemd/user/coschedd.socket \
        lib/sysusers.d/cosched.conf lib/tmpfiles.d/cosched.conf; do
        have "$root/$path"
    done
    # The unit names the place where the daemon will lie once DESTDIR is gone.
    grep -qx "ExecStart=$prefix/sbin/coschedd" "$root/lib/systemd/system/coschedd.service" ||
        { echo "install: the unit starts something else than $prefix/sbin/coschedd"; exit 1; }
    quietly "$root/sbin/coschedd" --version
    quietly "$root/bin/coschedctl" version --help
fi
if command -v scdoc >/dev/null 2>&1; then
    man=$root/share/man
    for page in man3/cosched.3 man3/cosched-blocking.3 man3/cosched-channel.3 man3/cosched-group.3 man3/cosched-io.3 \
        man3/cosched-runtime.3 man3/cosched-scope.3 man3/cosched-stats.3 man3/cosched-sync.3 man3/cosched-task.3 \
        man3/cosched-token.3 man7/cosched-gdb.7; do
        have "$man/$page"
    done
    if [ -e "$build/daemon/coschedd" ]; then
        for page in man1/coschedctl.1 man5/coschedd.conf.5 man8/coschedd.8; do
            have "$man/$page"
        done
    fi
    # "man cosched_spawn": a page for each function that the library shows, which leads to one that is there.
    nm --dynamic --defined-only "$root/$libdir/libcosched.so" | sed -n 's/^.* T \(cosched_[a-z_0-9]*\)\(@.*\)*$/\1/p' >"$work/functions"
    [ -s "$work/functions" ] || { echo "install: the library shows no functions"; exit 1; }
    while read -r name; do
        have "$man/man3/$name.3"
        have "$man/$(sed -n 's/^\.so //p' "$man/man3/$name.3")"
    done <"$work/functions"
    ! command -v man >/dev/null 2>&1 || man -M "$man" cosched_await_any 2>/dev/null | grep -q 'cosched-task(3)' ||
        { echo "install: man cosched_await_any does not show cosched-task(3)"; exit 1; }
fi
# An absolute path of the machine that built it has no place in what is shipped, the prefix excepted.
if grep -rIl -- "$build" "$root" >"$work/leaks"; then
    echo "install: these name the build folder:"
    cat "$work/leaks"
    exit 1
fi
echo "install: ok"
