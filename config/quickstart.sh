#!/bin/sh
# From a fresh checkout to a running system in one command: installs what is missing, builds, starts a
# private daemon below the build folder, shows it at work, stops it.
#
# Nothing is left outside the build folder, and no process: whatever ends this script ends the daemon.
set -eu

usage()
{
    cat <<'TEXT'
usage: sh config/quickstart.sh [--no-setup] [--keep]

  --no-setup  do not look for missing packages
  --keep      keep the daemon's folder (state, log) below build/quickstart
TEXT
}

setup=yes
keep=no
for arg in "$@"; do
    case $arg in
    --no-setup) setup=no ;;
    --keep) keep=yes ;;
    -h | --help) usage; exit 0 ;;
    *) echo "quickstart: unknown option $arg" >&2; usage >&2; exit 64 ;;
    esac
done

top=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=${COSCHED_BUILD:-$top/build}/quickstart
files_wanted=1000

bold='' dim='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    esc=$(printf '\033')
    bold="${esc}[1m" dim="${esc}[2m" red="${esc}[31m" plain="${esc}[0m"
fi

heading()
{
    printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

note()
{
    printf '%s%s%s\n' "$dim" "$*" "$plain"
}

# The command as a person would type it.
prompt()
{
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
}

fail()
{
    printf '%squickstart: %s%s\n' "$red" "$*" "$plain" >&2
    if [ -n "$run" ] && [ -s "$run/coschedd.log" ]; then
        echo "the end of the daemon's log:" >&2
        tail -n 15 "$run/coschedd.log" | sed 's/^/    /' >&2
    fi
    exit 1
}

run=
pid=
client=

# The daemon is ended by its number, first politely. 0: it left by itself.
stop_daemon()
{
    [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || :
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ]; then
            kill -KILL "$pid" 2>/dev/null || :
            break
        fi
        sleep 0.1
    done
    gone=$pid
    pid=
    wait "$gone"
}

cleanup()
{
    status=$?
    trap - EXIT
    trap '' INT TERM HUP
    [ -z "$client" ] || kill -TERM "$client" 2>/dev/null || :
    stop_daemon || :
    if [ -n "$run" ]; then
        cd "$top"
        if [ "$keep" = yes ]; then
            echo "kept: $run"
        else
            rm -rf "$run"
        fi
    fi
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

now_ms()
{
    echo $(($(date +%s%N) / 1000000))
}

# Seconds with two digits since the moment given.
since()
{
    ms=$(($(now_ms) - $1))
    printf '%d.%02d' $((ms / 1000)) $((ms % 1000 / 10))
}

# quietly LOG COMMAND…
quietly()
{
    log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null && return
    tail -n 25 "$log" >&2
    fail "'$*' failed; all of it is in $log"
}

build_all()
{
    mkdir -p "$build"
    build=$(CDPATH='' cd -- "$build" && pwd)
    note "building into ${build#"$top/"} …"
    began=$(now_ms)
    # Two quickstarts in one checkout take turns.
    exec 9>"$build/lock"
    flock 9
    quietly "$build/configure.log" cmake -S "$top" -B "$build" -G Ninja \
        -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF
    quietly "$build/build.log" cmake --build "$build"
    exec 9>&-
    note "built in $(since "$began") s"
    PATH=$build/daemon:$build/ctl:$PATH
    export PATH
}

# The longest address of a Unix socket is 107 bytes; a deep checkout has longer paths. Then the way to
# the socket leads over this shell's own folder.
choose_socket()
{
    run=$(mktemp -d "$build/run.XXXXXX")
    COSCHED_SOCKET=$run/sock
    if [ "$(printf %s "$COSCHED_SOCKET" | wc -c)" -gt 107 ]; then
        COSCHED_SOCKET=/proc/$$/cwd/sock
    fi
    export COSCHED_SOCKET
    cd "$run"
}

start_daemon()
{
    set -- --config "$top/config/coschedd.conf" --socket "$COSCHED_SOCKET" --state-dir "$run/state"
    prompt coschedd --socket … --state-dir …
    if [ "$(id -u)" -eq 0 ]; then
        note "(as root it must be allowed to: --set daemon.allow_root=yes)"
        set -- "$@" --set daemon.allow_root=yes
    fi
    coschedd "$@" >"$run/coschedd.log" 2>&1 </dev/null &
    pid=$!
    tries=0
    until coschedctl ping >/dev/null 2>&1; do
        kill -0 "$pid" 2>/dev/null || { pid=; fail "the daemon did not start"; }
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "the daemon does not answer after a minute"
        sleep 0.1
    done
    note "answers as process $pid"
}

# Nothing here takes minutes: a command that does is a bug to report, not to wait for. It runs beside the
# shell, which would otherwise hear of a signal only after the command's end.
patiently()
{
    { timeout 180 "$@" <&3 3<&- & } 3<&0
    client=$!
    code=0
    wait "$client" || code=$?
    client=
    return "$code"
}

# expect STATUS COMMAND…: its output is the show; the exit code is checked and said.
expect()
{
    wanted=$1
    shift
    got=0
    patiently "$@" || got=$?
    [ "$got" -eq "$wanted" ] || fail "'$*' exited with $got, expected $wanted"
    [ "$wanted" -eq 0 ] || note "exit code $got"
}

tour_commands()
{
    heading "A command, followed as it runs"
    prompt "coschedctl run -- sh -c 'for n in 1 2 3; do echo \"step \$n\"; sleep 0.2; done'"
    expect 0 coschedctl run -- sh -c 'for n in 1 2 3; do echo "step $n"; sleep 0.2; done'

    heading "One that fails: coschedctl exits as it did"
    prompt "coschedctl run -- sh -c 'echo \"no such thing\" >&2; exit 3'"
    expect 3 coschedctl run -- sh -c 'echo "no such thing" >&2; exit 3'
}

# Readable files of this machine, small enough to take seconds in all, with names that need no quoting.
find_files()
{
    find /usr/include /usr/share /usr/lib -type f -size -256k -readable 2>/dev/null |
        LC_ALL=C grep -E '^[A-Za-z0-9/._+-]+$' | head -n "$files_wanted"
}

tour_hashes()
{
    find_files >files
    count=$(($(wc -l <files)))
    [ "$count" -gt 0 ] || { note "(no files below /usr to hash; left out)"; return 0; }
    heading "$count files, one job each"
    sed 's,.*,{"kind":"hash"\,"args":{"path":"&"\,"algo":"sha256"}},' files >jobs.ndjson
    prompt "head -n 1 jobs.ndjson"
    head -n 1 jobs.ndjson
    prompt "coschedctl submit --spec - <jobs.ndjson >ids"
    began=$(now_ms)
    patiently coschedctl submit --spec - <jobs.ndjson >ids || fail "submitting $count jobs failed"
    [ "$(($(wc -l <ids)))" -eq "$count" ] || fail "$count jobs were submitted, $(($(wc -l <ids))) ids came back"
    note "$count jobs on disk in $(since "$began") s"
    prompt "coschedctl wait \$(cat ids)"
    # shellcheck disable=SC2046 # ids are numbers
    patiently coschedctl wait $(cat ids) >waited || fail "not every job succeeded; the end: $(tail -n 3 waited)"
    note "all succeeded $(since "$began") s after the first was sent"

    prompt "coschedctl --json status \$(cat ids)    # the digests, compared with sha256sum"
    # shellcheck disable=SC2046
    patiently coschedctl --json status $(cat ids) >status.json || fail "asking for the results failed"
    grep -oE '"digest": *"[0-9a-f]{64}"' status.json | grep -oE '[0-9a-f]{64}' >digests || :
    xargs sha256sum <files | cut -c 1-64 >expected
    cmp -s digests expected || fail "the digests differ from those of sha256sum"
    note "$count of $count agree"
}

tour_cancel()
{
    heading "A job that would sleep for an hour, canceled"
    prompt "coschedctl submit --kind sleep --arg for=1h"
    id=$(patiently coschedctl submit --kind sleep --arg for=1h) || fail "submitting a sleep failed"
    echo "$id"
    prompt "coschedctl cancel $id"
    expect 0 coschedctl cancel "$id"
    prompt "coschedctl wait $id"
    expect 130 coschedctl wait "$id"
}

tour_stats()
{
    heading "What the daemon says of itself"
    prompt coschedctl stats
    expect 0 coschedctl stats
}

tour_stop()
{
    heading "The end"
    prompt "kill -TERM $pid"
    began=$(now_ms)
    stopped=0
    stop_daemon || stopped=$?
    [ "$stopped" -eq 0 ] || fail "the daemon ended with $stopped"
    note "stopped cleanly in $(since "$began") s"
}

[ "$setup" = no ] || sh "$top/config/setup.sh" build
began_all=$(now_ms)
build_all
heading "A private daemon below the build folder"
choose_socket
start_daemon
tour_commands
tour_hashes
tour_cancel
tour_stats
tour_stop

heading "How to go on (all of this took $(since "$began_all") s)"
root_note=
[ "$(id -u)" -ne 0 ] || root_note=' --set daemon.allow_root=yes'
cat <<TEXT
A daemon of your own, on your own socket:
  PATH=$build/daemon:$build/ctl:\$PATH
  coschedd --user$root_note &
  coschedctl run -- make
Install it:      cmake --install $build && systemctl --user enable --now coschedd.socket
The tests:       sh tests/run.sh
Then read:       README.md, coschedctl --help, tests/examples
TEXT
