# shellcheck shell=bash
# What the scripts have in common that seed faults (tests/explore, tests/sim, tests/mutants): as many faults at a time as there
# are CPUs, each in a tree of its own, and a count of how they ended. To be sourced by bash.
#
#     mutants_begin WORK           the folder that it may use
#     mutants_queue FUNCTION ARG…  runs FUNCTION in a shell of its own, with $slot the folder that is its alone meanwhile; what it
#                                  prints is shown in one piece, and the first word of its last line counts: killed, SURVIVED, …
#                                  One that says "again" is run once more, with $alone not empty, when nothing runs beside it.
#     mutants_wait                 waits for all; fails unless each was killed; sets mutants_killed and mutants_total
#     mutants_end NAME [BEFORE [AFTER]]   the same, and prints the figure

mutants_begin()
{
    mutants_work=$1
    mutants_killed=0
    mutants_total=0
    mutants_free=()
    mutants_again=()
    alone=
    declare -gA mutants_slot=() mutants_call=()
    local n
    for ((n = 0; n < ${COSCHED_JOBS:-$(nproc)}; n++)); do
        mutants_free+=("$mutants_work/slot.$n")
        mkdir -p "$mutants_work/slot.$n"
    done
}

# Waits for one that runs to end.
mutants_reap()
{
    local pid text slot
    wait -n -p pid "${!mutants_slot[@]}"
    slot=${mutants_slot[$pid]}
    unset "mutants_slot[$pid]"
    mutants_free+=("$slot")
    text=$(<"$slot/verdict")
    printf '%s\n' "$text"
    text=${text##*$'\n'}
    case ${text%% *} in
    killed | applies) mutants_killed=$((mutants_killed + 1)) ;;
    again) mutants_again+=("${mutants_call[$pid]}") ;;
    esac
    unset "mutants_call[$pid]"
}

mutants_queue()
{
    [[ ${#mutants_free[@]} -gt 0 ]] || mutants_reap
    local slot=${mutants_free[-1]}
    unset 'mutants_free[-1]'
    mutants_total=$((mutants_total + 1))
    "$@" >"$slot/verdict" 2>&1 </dev/null &
    mutants_slot[$!]=$slot
    mutants_call[$!]=$(printf '%q ' "$@")
}

mutants_wait()
{
    local call
    while [[ ${#mutants_slot[@]} -gt 0 ]]; do
        mutants_reap
    done
    # shellcheck disable=SC2034 # for what is called
    alone=yes
    for call in "${mutants_again[@]}"; do
        mutants_total=$((mutants_total - 1)) # it is counted already
        eval "mutants_queue $call"
        mutants_reap
    done
    [[ $mutants_killed -eq $mutants_total && $mutants_total -gt 0 ]]
}

mutants_end()
{
    local status=0
    mutants_wait || status=1
    echo "FIGURES $1: ${2:-}$mutants_killed/$mutants_total${3:-}"
    return "$status"
}

# mutants_edit PRISTINE FILE PERL: PERL edits FILE as one string in the tree of this slot, which is otherwise like PRISTINE.
# Fails where that changes nothing.
mutants_edit()
{
    local pristine=$1 file=$2 edit=$3
    [[ -d $slot/tree ]] || cp -r "$pristine" "$slot/tree"
    [[ ! -f $slot/edited ]] || cp "$pristine/$(<"$slot/edited")" "$slot/tree/$(<"$slot/edited")"
    echo "$file" >"$slot/edited"
    perl -0pi -e "$edit" "$slot/tree/$file" && ! cmp -s "$slot/tree/$file" "$pristine/$file"
}
