#!/bin/bash
# Seeds one fault at a time into a copy of the library and runs the one test that must notice: an assertion, a
# sanitizer's report, a crash, or a hang. A fault that survives, does not apply to the source any more or does not
# compile fails the run. So does a test that fails without any fault.
#
#     run.sh SOURCE_ROOT WORK_DIR [share | all | edits] [ONLY]     ONLY: an expression that names match
#
# "edits" only looks whether each fault still applies: seconds. The faults are listed in faults.sh. Three builds, made here as far as they are needed: plain (gcc -O2), asan (gcc) and
# tsan (clang). A mutant costs the objects that its file goes into, one link and one run. Two stand side by side on two CPUs; what
# survives that is tried again alone.
set -u
root=$(CDPATH='' cd -- "$1" && pwd)
mkdir -p "$2"
work=$(CDPATH='' cd -- "$2" && pwd)
depth=${3:-all}
only=${4:-}
launcher=${CMAKE_C_COMPILER_LAUNCHER:-}
jobs=$(nproc)
uv=$(pkg-config --cflags --libs libuv)
check=$(pkg-config --cflags --libs check)

# A hang is what takes twenty times as long as without the fault, and this long at least.
LIMIT_S=20
# A race that one run does not meet: beside another fault, and then alone.
TRIES=5
TRIES_ALONE=20

declare -A CC=([plain]=gcc [asan]=gcc [tsan]=clang)
declare -A FLAGS=(
    [plain]='-O2 -DCOS_DEBUG=1'
    [asan]='-O1 -g1 -DCOS_DEBUG=1 -fsanitize=address,undefined -fno-sanitize-recover=all'
    [tsan]='-O1 -g1 -DCOS_DEBUG=1 -fsanitize=thread'
)
COMMON='-std=c11 -D_GNU_SOURCE -DCOSCHED_BUILD=1 -w -fPIC -fno-omit-frame-pointer -ftls-model=initial-exec -pthread'
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
export CK_VERBOSITY=normal COSCHED_SEED=20261122

calm=
! setarch "$(uname -m)" -R true 2>/dev/null || calm="setarch $(uname -m) -R"

pristine=$work/pristine
rm -rf "${work:?}"/*
mkdir -p "$pristine/lib" "$pristine/tests"
cp -r "$root/lib/src" "$root/lib/include" "$pristine/lib/"
cp -r "$root/tests/lib" "$root/tests/stress" "$root/tests/support" "$root/tests/lint" "$pristine/tests/"
# shellcheck source=tests/support/mutants.sh
. "$root/tests/support/mutants.sh"
mutants_begin "$work"

# compile_command FLAVOUR TREE SOURCE OUTPUT [FLAG…]: prints a command. Beside the output: what it was made of.
compile_command()
{
    local flavour=$1 tree=$2 source=$3 output=$4
    shift 4
    echo "$source|$*" >"${output%.o}.made"
    echo "$launcher ${CC[$flavour]} $COMMON ${FLAGS[$flavour]} -I$tree/lib/include -I$tree/lib/src" \
        "-I$tree/tests/support $uv $check $* -MMD -c $tree/$source -o $output"
}

# What a test is made of beside its own file: OBJECT|SOURCE|FLAGS a line.
parts_of()
{
    case $1 in
    lib/test_context)
        echo "switch_registers.o|tests/lib/switch_registers.S|"
        local -A probe=([o0]='-O0' [o2]='-O2' [o3]='-O3 -fomit-frame-pointer' [avx2]='-O3 -mavx2 -mfma'
            [avx512]='-O3 -mavx512f -mavx512vl -mavx512dq -mavx512bw')
        for name in o0 o2 o3 avx2 avx512; do
            echo "probe_$name.o|tests/lib/inline_probe.c|-DPROBE_NAME=inline_probe_$name -ffp-contract=off ${probe[$name]}"
        done
        ;;
    esac
    echo "$(basename "$1").o|tests/$1.c|"
}

# The library of a flavour, once.
build_library()
{
    local flavour=$1 dir=$work/$1
    [ ! -d "$dir" ] || return 0
    mkdir -p "$dir/lib" "$dir/test"
    (cd "$pristine" && find lib/src -name '*.c' -o -name '*.S') | sort | while read -r source; do
        compile_command "$flavour" "$pristine" "$source" "$dir/lib/$(echo "$source" | tr / _).o"
    done | xargs -P "$jobs" -d '\n' -n 1 sh -c || return 1
    ar rcs "$dir/lib.a" "$dir"/lib/*.o
}

# The objects of a test, once a flavour.
build_parts()
{
    local flavour=$1 test=$2 dir
    dir=$work/$flavour/test/$(basename "$test")
    [ ! -d "$dir" ] || return 0
    mkdir -p "$dir"
    parts_of "$test" | while IFS='|' read -r object source flags; do
        compile_command "$flavour" "$pristine" "$source" "$dir/$object" "$flags"
    done | xargs -P "$jobs" -d '\n' -n 1 sh -c
}

# link FLAVOUR OUTPUT OBJECT…: what is named here stands before the pristine library and replaces its members.
link()
{
    local flavour=$1 output=$2
    shift 2
    # shellcheck disable=SC2086 # flags are words
    ${CC[$flavour]} ${FLAGS[$flavour]} -pthread "$@" "$work/$flavour/lib.a" $uv $check -o "$output"
}

# run FLAVOUR BINARY TEST LIMIT LOG: its exit status; 124 and more: it hung. TEST: …[:SCENARIO][@ROUND]
run()
{
    local flavour=$1 binary=$2 limit=$4 log=$5 scenario='' round=''
    case $3 in *@*) round=${3#*@} ;; esac
    case $3 in *:*) scenario=${3#*:} scenario=${scenario%@*} ;; esac
    local -a with=()
    [ -z "$scenario" ] || with+=("COSCHED_TEST=$scenario")
    [ -z "$round" ] || with+=("COSCHED_ROUND=$round")
    [ "$flavour" != tsan ] || [ -z "$calm" ] || binary="$calm $binary"
    # shellcheck disable=SC2086 # the command is words
    timeout -k 5 "$limit" env "${with[@]}" $binary >"$log" 2>&1 </dev/null
}

# control FLAVOUR TEST: the test passes on the source as it is; prints its limit, or else why it does not pass. Tried once for
# all; two faults may ask at a time.
control()
{
    local test=${2%%[:@]*} said=$work/$1/control.${2//[\/:@]/_}
    (
        flock 9
        build_parts "$1" "$test" || exit 1
    ) 9>"$work/$1/parts.${test//\//_}" || return 1
    (
        flock 9
        [ -s "$said" ] || control_once "$1" "$2" "$said.log" >"$said"
    ) 9>"$said.lock"
    cat "$said"
    [[ $(<"$said") =~ ^[0-9]+$ ]]
}

control_once()
{
    local dir=$work/$1/test/${2##*/} log=$3 binary=${3%.log}.bin began took
    dir=${dir%%[:@]*}
    link "$1" "$binary" "$dir"/*.o || return
    began=${EPOCHREALTIME/./}
    if ! run "$1" "$binary" "$2" 300 "$log"; then
        echo "fails without it"
        tail -n 20 "$log"
        return
    fi
    if ! grep -q 'Checks: [1-9]' "$log"; then
        echo "no such scenario"
        return
    fi
    took=$(((${EPOCHREALTIME/./} - began) * LIMIT_S / 1000000))
    echo "$((took > LIMIT_S ? took : LIMIT_S))"
}

# What a lint says about a library with the fault in it. Exit 1: it noticed.
lint_killed()
{
    rm -f "$slot/lib.a"
    ar rcs "$slot/lib.a" "$@"
    sh "$pristine/tests/lint/tls_in_switch.sh" "$slot/lib.a" >"$slot/log" 2>&1
}

# affected FLAVOUR TEST FILE: the commands that make anew, in the mutant's tree, what FILE goes into.
affected()
{
    local flavour=$1 dep source flags
    grep -lE "pristine/${3//./\\.}( |\$)" "$work/$flavour"/lib/*.d "$work/$flavour/test/${2##*/}"/*.d 2>/dev/null |
        while read -r dep; do
            IFS='|' read -r source flags <"${dep%.d}.made"
            dep=${dep##*/}
            compile_command "$flavour" "$slot/tree" "$source" "$slot/obj/${dep%.d}.o" "$flags"
        done
}

verdict()
{
    printf '%-9s %s\n' "$1" "$2"
}

# Why it died, in a few words.
reason()
{
    local rc=$1 limit=$2
    if [ "$rc" -ge 124 ] && [ "$rc" -ne 134 ] && [ "$rc" -ne 139 ]; then
        echo "hang ($limit s)"
        return
    fi
    grep -hoE 'SUMMARY: [A-Za-z]+: [a-z-]+( [a-z-]+)*|runtime error: .*|Received signal [0-9]+.*|assertion .*|tls_in_switch: .*|:[FE]:[^:]*:[^:]*:[0-9]+: .*|Test timeout.*|cosched: .*' \
        "$slot/log" | head -n 1 | cut -c 1-110
}

# mutant CI NAME FLAVOUR TEST FILE PERL: PERL edits FILE, below the source root, as one string. TEST: lib/test_X or
# stress/stress_X, :SCENARIO and @ROUND if one is enough, or the word lint. CI: "ci" for the share that every push runs, else "-".
mutant()
{
    local ci=$1
    shift
    [[ $1 =~ $only ]] || return
    [ "$depth" != share ] || [ "$ci" = ci ] || return
    if [ "$depth" != edits ]; then
        build_library "$2" || exit 1
    fi
    mutants_queue "$([ "$depth" = edits ] && echo applies || echo judge)" "$@"
}

applies()
{
    if mutants_edit "$pristine" "$4" "$5"; then
        verdict applies "$1"
    else
        verdict "NO EDIT" "$1: $4 has changed; mend the mutant"
    fi
}

judge()
{
    local name=$1 flavour=$2 test=$3 file=$4 edit=$5 limit='' rc=0
    rm -rf "$slot/obj"
    mkdir -p "$slot/obj"
    if ! mutants_edit "$pristine" "$file" "$edit"; then
        verdict "NO EDIT" "$name: $file has changed; mend the mutant"
        return
    fi
    if [ "$test" != lint ] && ! limit=$(control "$flavour" "$test"); then
        verdict "NO TEST" "$name: $flavour $test: $limit"
        return
    fi
    if ! affected "$flavour" "${test%%[:@]*}" "$file" | xargs -P "$jobs" -d '\n' -n 1 sh -c \
        >"$slot/log" 2>&1 || [ -z "$(ls "$slot/obj")" ]; then
        verdict "NO BUILD" "$name: $(grep -m 1 error "$slot/log")"
        return
    fi
    if [ "$test" = lint ]; then
        lint_killed "$slot/obj"/*.o || rc=$?
    else
        local own=("$slot/obj"/*.o) part dir=${test%%[:@]*}
        dir=$work/$flavour/test/${dir##*/}
        for part in "$dir"/*.o; do
            [ -e "$slot/obj/${part##*/}" ] || own+=("$part")
        done
        if ! link "$flavour" "$slot/test" "${own[@]}" >"$slot/log" 2>&1; then
            verdict "NO BUILD" "$name: $(grep -m 1 -E 'error|undefined' "$slot/log")"
            return
        fi
        local try tries=${alone:+$TRIES_ALONE}
        for ((try = 0; try < ${tries:-$TRIES} && rc == 0; try++)); do
            run "$flavour" "$slot/test" "$test" "$limit" "$slot/log" || rc=$?
        done
    fi
    if [ "$rc" -ne 0 ]; then
        verdict killed "$name: $flavour ${test%%@*}: $(reason "$rc" "$limit")"
    elif [ -z "$alone" ] && [ "$test" != lint ]; then
        verdict again "$name ($flavour $test)"
    else
        verdict SURVIVED "$name ($flavour $test)"
    fi
}

# shellcheck source=tests/mutants/faults.sh
. "$(dirname -- "$0")/faults.sh"

if [ "$depth" = edits ]; then
    mutants_wait
    status=$?
    echo "mutants: $mutants_killed of $mutants_total apply"
    exit "$status"
fi
mutants_end mutants
