#!/bin/sh
# Runs the tests: installs what is missing, builds, checks. See usage() for the three depths.
#
# The work is cut into stages. Each writes a log; what is printed is one line a stage, and the end of the
# log of one that failed. The last stage is a single ctest run over the main build, to which the others
# are added as tests of their own, so that its summary speaks for everything and closes the output.
set -u
LC_ALL=C
export LC_ALL

usage()
{
    cat <<'TEXT'
usage: sh tests/run.sh [--ci | --full] [--no-setup] [-- CTEST-OPTION…]

  (nothing)   debug and release builds, unit tests in both, everything else in release
  --ci        what a push must pass: also format, lints, gcc and clang with -Werror, sanitizers;
              of each suite (ctest -L conformance, sim, explore, mutants, torture, stress) a share
  --full      all there is: also the nightly part of each suite, valgrind, coverage, timing; aarch64 with
              all of the library under qemu-user, riscv64 and musl with the floors below libuv (switch,
              stacks, queues), of which there are no packages; and every figure in one table
  --no-setup  do not look for missing packages

Options behind "--" go to the last ctest, for example: sh tests/run.sh -- -R deque
COSCHED_BUILD names another build folder than build/ below the checkout.
TEXT
}

depth=default
setup=yes
while [ $# -gt 0 ]; do
    case $1 in
    --ci) depth=ci ;;
    --full) depth=full ;;
    --no-setup) setup=no ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    *) echo "run.sh: unknown option $1" >&2; usage >&2; exit 64 ;;
    esac
    shift
done

cd "$(dirname -- "$0")/.." || exit 70
build=${COSCHED_BUILD:-build}
cpus=$(nproc 2>/dev/null || echo 2)
mkdir -p "$build/stages" || exit 70
build=$(CDPATH='' cd -- "$build" && pwd)
stages=$build/stages
rm -f "$stages"/*
: >"$stages/began" # figures.sh: which logs are of this run
failed=

# What the processes that have ended so far took: on a machine that others use, too, it says more than the clock.
cpu_seconds()
{
    awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*[)] /, ""); print int(($14 + $15) / hz) }' "/proc/$$/stat"
}

# stage NAME COMMAND…: runs it with its output in a log and remembers how it ended.
stage()
{
    name=$1
    shift
    printf '  %-10s ' "$name"
    began=$(date +%s)
    used=$(cpu_seconds)
    "$@" >"$stages/$name.log" 2>&1 </dev/null
    status=$?
    echo "$status" >"$stages/$name.status"
    took=$(($(date +%s) - began))
    used=$(($(cpu_seconds) - used))
    # A passing ctest says in one line how much it did.
    count=$(sed -n 's/^.*tests passed.* out of \([0-9]*\)$/\1 tests/p' "$stages/$name.log" | tail -n 1)
    if [ "$status" -eq 0 ]; then
        printf 'ok     %5d s %5d s of CPU  %s\n' "$took" "$used" "$count"
        return 0
    fi
    printf 'FAILED %5d s %5d s of CPU  %s\n' "$took" "$used" "$stages/$name.log"
    excerpt "$name"
    failed="$failed $name"
    return 1
}

# The part of a log that tells why, not the thousand lines that went well: its end, and before that,
# where checks failed far above it, what they said.
excerpt()
{
    grep -E ':[FE]:[a-z_]+:|ERROR: [A-Z]|WARNING: Thread|runtime error|AssertionError|: error' "$stages/$1.log" |
        head -n 20 | sed 's/^/    ! /'
    grep -vE '^ *[0-9]+/[0-9]+ Test .* Passed |^ +Start +[0-9]+: |^\[[0-9]+/[0-9]+\] (Building|Linking|Generating)' \
        "$stages/$1.log" | tail -n "${COSCHED_EXCERPT:-60}" | sed 's/^/    | /'
}

# Files of the checkout that git knows or would take, by pattern. An archive without git has them all.
sources()
{
    git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" 2>/dev/null | sort -u | grep . && return
    find . -path ./build -prune -o -type f -print | sed 's,^\./,,' | grep -E "$(
        printf '%s\n' "$@" | sed 's/[.]/\\./g; s/\*/.*/g; s/^/^/; s/$/$/' | paste -sd '|' -
    )"
}

configure_and_build()
{
    cmake --preset "$1" -B "$build/$1" -DBUILD_TESTING=ON >"$stages/configure" 2>&1 || {
        cat "$stages/configure"
        return 1
    }
    cmake --build "$build/$1"
}

# test_in PRESET CTEST-OPTION…: the preset brings the environment that sanitizers need.
test_in()
{
    preset=$1
    shift
    # ThreadSanitizer of clang 14 does not start where the kernel randomises more than 28 bits.
    calm=
    if [ "$preset" = tsan ] && setarch "$(uname -m)" -R true 2>/dev/null; then
        calm="setarch $(uname -m) -R"
    fi
    # shellcheck disable=SC2086
    $calm ctest --preset "$preset" --test-dir "$build/$preset" -j "$cpus" --output-on-failure "$@"
}

build_and_test()
{
    configure_and_build "$1" && test_in "$@"
}

check_format()
{
    sources '*.c' '*.h' | xargs -r clang-format --dry-run -Werror >"$stages/format.all" 2>&1 && return
    echo "not formatted; mend with: clang-format -i FILE"
    sed -n 's/^\([^ :]*\):[0-9]*:[0-9]*: error.*/\1/p' "$stages/format.all" | sort | uniq -c
    return 1
}

check_shell()
{
    sources '*.sh' '.ci/run' | xargs -r shellcheck
}

# Product code only: tests are read by people and by the compilers' warnings. Clang's analyzer takes twelve times as long as
# all other checks; a push does not wait for it. (Its shallow mode does not follow calls, and finds what is not there.)
check_tidy()
{
    set --
    [ "$depth" = full ] || set -- '--checks=-clang-analyzer-*'
    sources 'lib/*.c' 'daemon/*.c' 'ctl/*.c' |
        xargs -r -P "$cpus" -n 2 clang-tidy --quiet "$@" -p "$build/clang" 2>"$stages/tidy.noise"
}

check_valgrind()
{
    configure_and_build dev && sh tests/support/valgrind.sh "$build/dev"
}

# For people to read: on a machine that others use, too, it must not decide anything. (Presets leave out what is nightly.)
show_timing()
{
    ctest --test-dir "$build/gcc" -L timing --no-tests=error || echo "timing: not all of it ended well"
}

# Ten million awaits, and LeakSanitizer at the end of each process.
check_leaks()
{
    COSCHED_FULL=1 COSCHED_TEST=ten_million_awaits_leave_nothing CK_TIMEOUT_MULTIPLIER=5 \
        "$build/asan/tests/lib/promise_handles"
}

# The last ctest sees the main build and, as tests, every stage before it.
write_final()
{
    mkdir -p "$build/all"
    {
        for status in "$stages"/*.status; do
            [ -e "$status" ] || continue
            name=$(basename "$status" .status)
            {
                echo "cat <<'END_OF_LOG'"
                echo "log: $stages/$name.log"
                [ "$(cat "$status")" = 0 ] || COSCHED_EXCERPT=20 excerpt "$name"
                echo END_OF_LOG
                echo "exit $(cat "$status")"
            } >"$stages/$name.sh"
            echo "add_test(stage_$name sh \"$stages/$name.sh\")"
            echo "set_tests_properties(stage_$name PROPERTIES LABELS stage)"
        done
        [ ! -e "$stages/no-main" ] && echo "subdirs(\"$build/$1\")"
    } >"$build/all/CTestTestfile.cmake"
}

echo "cosched: tests ($depth), logs in $stages"

sections="build test"
[ "$depth" = default ] || sections="$sections ci"
[ "$depth" = full ] && sections="$sections full"
if [ "$setup" = yes ]; then
    # shellcheck disable=SC2086 # section names are words
    stage setup sh config/setup.sh $sections || exit 1
fi

if [ "$depth" = default ]; then
    main=release
    stage dev build_and_test dev -L 'unit|example'
    stage release configure_and_build release || : >"$stages/no-main"
else
    main=gcc
    stage format check_format
    stage shell check_shell
    stage gcc configure_and_build gcc || : >"$stages/no-main"
    stage quickstart env COSCHED_BUILD="$build" sh config/quickstart.sh --no-setup
    stage clang build_and_test clang -L 'unit|example'
    stage tidy check_tidy
    stage asan build_and_test asan
    stage tsan build_and_test tsan
fi
if [ "$depth" = full ]; then
    stage asan-clang build_and_test asan-clang -L 'unit|stress|example'
    stage valgrind check_valgrind
    stage coverage sh tests/support/coverage.sh "$build/coverage"
    stage leaks check_leaks
    stage aarch64 build_and_test aarch64
    # Also tests of the main build, which leaves out what it finds no compiler for; here it must be there.
    stage riscv64 sh tests/support/machine.sh riscv64 "$build/machine-riscv64"
    stage musl sh tests/support/machine.sh musl "$build/machine-musl"
    stage timing show_timing
fi

write_final "$main"
left_out="nightly|timing"
[ "$depth" = full ] && left_out=timing
echo
# The figures of its own tests are there when it has ended, and yet its summary is to close the output: awk holds that back.
{
    ctest --test-dir "$build/all" -j "$cpus" --output-on-failure --no-tests=error -LE "$left_out" "$@"
    echo $? >"$stages/final"
} | awk -v figures="sh tests/support/figures.sh '$build'" '
    /^[0-9]+% tests passed/ { held = 1 }
    held { kept[n++] = $0; next }
    { print; fflush() }
    END { fflush(); system(figures); for (i = 0; i < n; i++) print kept[i] }'
status=$(cat "$stages/final")
# A stage that failed is a failed test above; this is for a ctest that was told to leave stages out.
[ -z "$failed" ] || [ "$status" -ne 0 ] || status=1
exit "$status"
