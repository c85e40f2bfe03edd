#!/bin/sh
# Every header compiles alone, as C11 without extensions; a public one also as C++, and without our
# feature macros, for users have their own.
#
# usage: headers.sh [TREE]      CC, CXX choose the compilers; without a C++ compiler its half is left out
set -eu
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
tree=${1:-$top}
cd "$tree"
cc=${CC:-cc}
cxx=${CXX:-c++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

modules=
for module in libuv libcjson sqlite3 inih libxxhash nettle smartcols check; do
    ! pkg-config --exists "$module" || modules="$modules $module"
done
# shellcheck disable=SC2086 # module names are words
flags="$(pkg-config --cflags $modules)"
warn="-Wall -Wextra -Wpedantic -Werror"

# compile HEADER LANGUAGE COMPILER FLAGS…
compile()
{
    header=$1 language=$2 compiler=$3
    shift 3
    # The second include proves the guard; the last line is for headers that are nothing but macros.
    printf '#include "%s"\n#include "%s"\nextern int alone;\n' \
        "$PWD/$header" "$PWD/$header" >"$work/alone.$language"
    # shellcheck disable=SC2086
    if ! "$compiler" $warn -fsyntax-only "$@" $flags "$work/alone.$language" >"$work/out" 2>&1; then
        echo "headers: $header does not compile alone ($compiler $*):"
        sed 's/^/headers:   /' "$work/out" | head -n 12
        failed=1
    fi
}

machine=$(uname -m)
for header in $(find lib daemon ctl tests/support -name '*.h' 2>/dev/null | sort); do
    case $header in
    lib/include/*)
        # <uv.h> needs POSIX names; cosched/io.h says so to its users.
        posix=
        ! grep -q '<uv\.h>' "$header" || posix=-D_POSIX_C_SOURCE=200809L
        compile "$header" c "$cc" -std=c11 $posix -Ilib/include
        if command -v "$cxx" >/dev/null 2>&1; then
            compile "$header" cc "$cxx" -std=c++17 $posix -Ilib/include
        fi
        ;;
    lib/src/arch/*)
        # A header of another machine is that machine's business.
        case $header in
        *x86_64* | *aarch64* | *riscv64*)
            case $header in *"$machine"*) ;; *) continue ;; esac
            ;;
        esac
        compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE -Ilib/include -Ilib/src
        ;;
    lib/src/*) compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE -Ilib/include -Ilib/src ;;
    daemon/* | ctl/*)
        compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE -Ilib/include -Idaemon -Idaemon/wire -Ictl
        ;;
    tests/support/explore/*)
        # These stand in for headers of lib/src, in programs of the explorer only.
        compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE -DCOS_EXPLORE=1 \
            -Itests/support/explore -Itests/support -Ilib/include -Ilib/src
        ;;
    tests/support/sim/*)
        # And these in the simulator's.
        compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE \
            -Itests/support/sim -Itests/support -Ilib/include -Ilib/src
        ;;
    tests/support/*)
        compile "$header" c "$cc" -std=c11 -D_GNU_SOURCE \
            -Ilib/include -Ilib/src -Idaemon -Idaemon/wire -Ictl -Itests/support
        ;;
    esac
done
exit $failed
