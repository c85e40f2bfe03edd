#!/bin/sh
# A lint that cannot fail is worth nothing: each is shown small trees with one mistake apiece and must name
# it, and a clean tree on which it must be silent.
#
# usage: selftest.sh LINT      floors | headers | man | outside | sizes | symbols | units
set -eu
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
lint=$1
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
cases=0

# put PATH LINE… writes a file of the tree under test.
put()
{
    mkdir -p "$tree/$(dirname -- "$1")"
    path=$1
    shift
    printf '%s\n' "$@" >"$tree/$path"
}

# A fresh copy of the small clean tree.
fresh()
{
    cases=$((cases + 1))
    tree=$work/case$cases
    put lib/include/cosched/cosched.h '#ifndef C_H' '#define C_H' '#include <stdint.h>' 'extern int32_t cosched_x;' '#endif'
    put lib/src/base/a.h '#ifndef A_H' '#define A_H' 'extern int cos_a;' '#endif'
    put lib/src/queue/b.h '#ifndef B_H' '#define B_H' '#include "base/a.h"' '#endif'
    put lib/src/sched/mainloop.c '#include "queue/b.h"' '#include <uv.h>'
    put daemon/wire/json.c '#include "json.h"' '#include <cjson/cJSON.h>'
    put daemon/wire/json.h '#ifndef J_H' '#define J_H' 'extern int json_x;' '#endif'
    put daemon/sql.c '#include <sqlite3.h>' '#include "wire/json.h"'
    put ctl/main.c '#include "wire/json.h"'
    put ctl/top_screen.c '#include <curses.h>'
}

# expect STATUS PATTERN COMMAND…: the command ends so and says so; an empty pattern means silence.
expect()
{
    status=$1 pattern=$2
    shift 2
    got=0
    "$@" >"$work/out" 2>&1 || got=$?
    if [ "$got" -ne "$status" ]; then
        echo "selftest: $lint, case $cases: exit $got, expected $status; it said:"
        cat "$work/out"
        failed=1
    elif [ -n "$pattern" ] && ! grep -q -- "$pattern" "$work/out"; then
        echo "selftest: $lint, case $cases: did not say '$pattern' but:"
        cat "$work/out"
        failed=1
    elif [ -z "$pattern" ] && [ -s "$work/out" ]; then
        echo "selftest: $lint, case $cases: not silent on a clean tree:"
        cat "$work/out"
        failed=1
    fi
}

lint()
{
    sh "$here/$lint.sh" "$tree"
}

# lines N: N lines of text.
lines()
{
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "    x();" }'
}

test_floors()
{
    fresh; expect 0 "" lint
    fresh; put lib/src/base/c.c '#include "queue/b.h"'; expect 1 "base (0) includes queue (2)" lint
    fresh; put lib/src/base/c.c '#  include <uv.h>'; expect 1 "base/c.c:1: uv.h" lint
    fresh; put lib/src/sched/c.c '#include <cosched/io.h>'; expect 1 "brings uv.h" lint
    fresh; put lib/src/nowhere/c.c '#include "base/a.h"'; expect 1 "no floor is called nowhere" lint
    fresh; put lib/include/cosched/io.h '#include "base/a.h"'; expect 1 "public header shows an internal" lint
    fresh; put lib/src/base/c.c '#include "wire/json.h"'; expect 1 "not a file of libcosched" lint
    fresh; put daemon/conn.c '#include <sqlite3.h>'; expect 1 "belongs to daemon/sql" lint
    fresh; put daemon/conn.c '#include <cjson/cJSON.h>'; expect 1 "belongs to daemon/wire/json.c" lint
    fresh; put daemon/wire/frame.c '#include <uv.h>'; expect 1 "pure code" lint
    fresh; put daemon/job.c '#include <cosched/cosched.h>'; expect 1 "pure code" lint
    fresh; put daemon/conn.h ''; put daemon/wire/frame.c '#include "conn.h"'; expect 1 "wire is shared" lint
    fresh; put daemon/conn.h ''; put ctl/main.c '#include "conn.h"'; expect 1 "the client sees" lint
    fresh; put ctl/main.c '#include <uv.h>'; expect 1 "the client links wire only" lint
    fresh; put ctl/main.c '#include <curses.h>'; expect 1 "ncurses belongs to" lint
    fresh
    put lib/src/base/p.h '#include "base/q.h"'
    put lib/src/base/q.h '#include "base/p.h"'
    expect 1 "in a ring" lint
}

test_headers()
{
    fresh; expect 0 "" lint
    fresh; put lib/src/base/c.h 'extern size_t cos_c;'; expect 1 "lib/src/base/c.h does not compile" lint
    fresh; put lib/src/base/c.h 'struct c { int x; };'; expect 1 "redefinition" lint
    fresh; put daemon/c.h '#pragma once' '#include "absent.h"'; expect 1 "daemon/c.h" lint
    if command -v "${CXX:-c++}" >/dev/null 2>&1; then
        fresh; put lib/include/cosched/c.h '#pragma once' 'extern int new;'; expect 1 "cosched/c.h" lint
    fi
}

test_sizes()
{
    fresh; expect 0 "" lint
    fresh; lines 601 >"$tree/daemon/big.c"; expect 1 "big.c: 601 lines" lint
    put tests/lint/sizes.allow 'daemon/big.c a table that reads best in one piece'; expect 0 "" lint
    put tests/lint/sizes.allow 'daemon/big.c'; expect 1 "no reason given" lint
    fresh; lines 401 >"$tree/daemon/big.c"; expect 0 "note: daemon/big.c: 401" lint
    fresh; { echo "int cos_f(void)"; echo "{"; lines 70; echo "}"; } >"$tree/daemon/f.c"; expect 0 "" lint
    fresh; { echo "int *cos_f(void)"; echo "{"; lines 71; echo "}"; } >"$tree/daemon/f.c"
    expect 1 "daemon/f.c:2: cos_f: 71 lines" lint
    fresh; { echo "START_TEST(scenario)"; echo "{"; lines 71; echo "}"; echo "END_TEST"; } >"$tree/daemon/f.c"
    expect 1 "START_TEST: 71 lines" lint
    fresh; { echo "int cos_f(void)"; echo "{"; lines 10; } >"$tree/daemon/f.c"; expect 1 "never closed" lint
}

test_symbols()
{
    fresh
    printf 'int cosched_a(void);\nint cosched_a(void) { return 0; }\n' >"$tree/a.c"
    printf 'int cos_b(void);\nint cos_b(void) { return 0; }\n' >"$tree/b.c"
    printf 'int stray(void);\nint stray(void) { return 0; }\n' >"$tree/c.c"
    printf 'int main(void) { return 0; }\n' >"$tree/e.c"
    printf 'extern int uv_run(void);\nint main(void) { return uv_run(); }\n' >"$tree/d.c"
    (cd "$tree" && for name in a b c d e; do "$cc" -fPIC -c "$name.c" -o "$name.o"; done)
    (cd "$tree" && "$cc" -shared a.o -o good.so && "$cc" -shared a.o b.o -o bad.so && "$cc" -shared -o empty.so -Wl,-s)
    (cd "$tree" && ar rcs good.a a.o b.o && ar rcs bad.a a.o c.o)
    expect 0 "" sh "$here/symbols.sh" shared "$tree/good.so"
    expect 1 "cos_b" sh "$here/symbols.sh" shared "$tree/bad.so"
    expect 1 "exports no cosched_" sh "$here/symbols.sh" shared "$tree/empty.so"
    expect 0 "" sh "$here/symbols.sh" static "$tree/good.a"
    expect 1 "stray" sh "$here/symbols.sh" static "$tree/bad.a"
    expect 0 "" sh "$here/symbols.sh" client "$tree/e.o"
    expect 1 "uv_run" sh "$here/symbols.sh" client "$tree/d.o"
}

test_outside()
{
    fresh
    put lib/include/cosched/more.h 'int cosched_named(void);' 'int cosched_name(void);'
    put tests/lib/test_outside.c 'ANSWERS(0, cosched_named());' '/* cosched_name is tested elsewhere */'
    expect 0 '' sh "$here/outside.sh" "$tree"
    put tests/lib/test_outside.c 'ANSWERS(0, cosched_named());'
    expect 1 'cosched_name is not in' sh "$here/outside.sh" "$tree"
}

# page NAME PROTOTYPE PROSE CODE: a page of the tree.
page()
{
    put "lib/$1.3.scd" "$1(3)" '' '# NAME' '' "$1 - a page" '' '# SYNOPSIS' '' '```' "$2" '```' '' '# DESCRIPTION' '' "$3" '' \
        '# RETURN VALUE' '' '0' '' '# ERRORS' '' 'None' '' '# EXAMPLE' '' '```' "$4" '```' '' '# SEE ALSO' '' '*cosched*(3)'
}

test_man()
{
    said='*cosched_x* takes *COSCHED_ONE*.'
    code='static int one(void) { return COSCHED_ONE; }'
    reference()
    {
        fresh
        put lib/include/cosched/cosched.h '/*' ' * Contents, in order:' ' *' ' *   words    all of them' ' */' '#ifndef C_H' '#define C_H' \
            '#define COSCHED_API' '#define COSCHED_ONE 1' '/* --- words: all ---- */' \
            'COSCHED_API int cosched_x(int a, /* which; */' '              int b); /* 0 */' '#endif'
        put lib/include/cosched/io.h '#include <cosched/cosched.h>'
        page cosched 'int cosched_x(int a, int b);' "$said" "$code"
    }
    sed_in()
    {
        sed -i "$2" "$tree/$1"
    }
    reference; expect 0 '' lint
    reference; sed_in lib/include/cosched/cosched.h 's/--- words:/--- deeds:/'; expect 1 'contents (<) and sections (>) differ' lint
    reference; page cosched 'int cosched_x(int a);' "$said" "$code"; expect 1 '> int cosched_x(int a);' lint
    reference; page cosched 'void cosched_y(void);' "$said" "$code"; expect 1 '< int cosched_x(int a, int b);' lint
    reference; page cosched-x 'int cosched_x(int a, int b);' "$said" "$code"; expect 1 '> int cosched_x(int a, int b);' lint
    reference; page cosched 'int cosched_x(int a, int b);' 'Takes *COSCHED_ONE*.' "$code"; expect 1 '  cosched_x' lint
    reference; page cosched 'int cosched_x(int a, int b);' '*cosched_x* takes it.' "$code"; expect 1 '  COSCHED_ONE' lint
    reference; page cosched 'int cosched_x(int a, int b);' "$said See *cosched_z*(3)." "$code"; expect 1 'cosched_z(3)' lint
    reference; page cosched 'int cosched_x(int a, int b);' "$said" 'static int one(void) { return COSCHED_TWO; }'; expect 1 'does not compile' lint
    reference; sed_in lib/cosched.3.scd '/^# ERRORS/d'; page cosched-y '' "$said" "$code"
    sed_in lib/cosched-y.3.scd '/^# ERRORS/d'; expect 1 'cosched-y.3.scd lacks' lint
    ! command -v scdoc >/dev/null 2>&1 || { reference; page cosched 'int cosched_x(int a, int b);' "$said *bold" "$code"; expect 1 'scdoc' lint; }
}

test_units()
{
    command -v systemd-analyze >/dev/null 2>&1 || exit 77
    units()
    {
        sh "$here/units.sh" "$tree"
    }
    # edit FILE SED-SCRIPT, on a fresh copy of the real units.
    edit()
    {
        cases=$((cases + 1))
        tree=$work/case$cases
        cp -r "$here/../../systemd" "$tree"
        sed -i "$2" "$tree/$1"
    }
    edit coschedd.service.in ''; expect 0 "" units
    edit coschedd.service.in 's/^NoNewPrivileges=/NoNewPrivilege=/'; expect 1 "NoNewPrivilege" units
    edit coschedd.socket.in 's/^ListenStream=.*//'; expect 1 "Listen" units
    edit user/coschedd.service.in 's/^Restart=.*/Restart=perhaps/'; expect 1 "perhaps" units
    edit coschedd.service.in '/^SystemCallFilter=/d; /^CapabilityBoundingSet=/d'; expect 1 "more exposed" units
    edit coschedd.service.in 's/^KillMode=.*//'; expect 1 "KillMode=mixed" units
    edit coschedd.service.in 's/^NoNewPrivileges=.*/&\nPrivateUsers=yes/'; expect 1 "must not say PrivateUsers" units
}

case $lint in
floors) test_floors ;;
headers) test_headers ;;
man) test_man ;;
outside) test_outside ;;
sizes) test_sizes ;;
symbols) test_symbols ;;
units) test_units ;;
*) echo "selftest: no lint $lint" >&2; exit 64 ;;
esac
exit $failed
