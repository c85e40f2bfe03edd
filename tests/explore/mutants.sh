#!/bin/bash
# Seeds one fault at a time into a copy of the lock-free sources and runs the explorer on it: each must be found.
# A fault that survives, no longer applies to the source or does not compile fails the run.
#
#     mutants.sh SOURCE_ROOT WORK_DIR [CC] [ONLY]     ONLY: an expression that names match
set -u
root=$1
work=$2
cc=${3:-cc}
only=${4:-}

cflags=(-std=c11 -O1 -D_GNU_SOURCE -DCOS_EXPLORE -DCOS_DEBUG=1 -w -U_FORTIFY_SOURCE -ffunction-sections)
read -ra uv < <(pkg-config --cflags libuv)
rm -rf "$work"
mkdir -p "$work/pristine/lib" "$work/pristine/tests"
cp -r "$root/lib/src" "$root/lib/include" "$work/pristine/lib/"
cp -r "$root/tests/explore" "$root/tests/support" "$work/pristine/tests/"
# shellcheck source=tests/support/mutants.sh
. "$root/tests/support/mutants.sh"
mutants_begin "$work"

# compile TREE VARIANT SOURCE OUTPUT: beside the output, in a .d file, what went into it.
compile()
{
    local tree=$1 flags=()
    [[ $2 != lock ]] || flags=(-DEX_LOCK_WORD)
    "$cc" "${cflags[@]}" "${flags[@]}" -I"$tree/tests/support/explore" -I"$tree/tests/support" -I"$tree/lib/src" \
        -I"$tree/lib/include" "${uv[@]}" -MMD -MF "${4%.new}.d" -c "$tree/$3" -o "$4"
}

# What a program is made of, VARIANT SOURCE a line. Programs of tasks link real sources, and the model below them.
tasks=(armed branch depot event finish hop join park scope scopes spawn task timers wheel)
parts_of()
{
    local noun=${1#explore_} variant=plain name
    local sources=(tests/support/explore.c tests/support/explore_memory.c "tests/explore/$1.c")
    case $noun in
    hop | join | inline | invoke | token)
        [[ $noun == hop || $noun == join ]] || variant=lock
        sources+=(tests/explore/model.c lib/src/sync/call.c)
        for name in "${tasks[@]}"; do
            sources+=("lib/src/sched/$name.c")
        done
        [[ $noun != token ]] || sources+=(lib/src/sync/later.c lib/src/sync/later_time.c)
        [[ $noun != invoke ]] || sources+=(lib/src/queue/deque.c)
        [[ $noun != inline ]] || sources+=(lib/src/sync/await.c lib/src/queue/deque.c)
        ;;
    *) [[ ! -f $root/lib/src/queue/$noun.c ]] || sources+=("lib/src/queue/$noun.c") ;;
    esac
    printf "$variant %s\\n" "${sources[@]}"
}

# The object of a part, made once from the source as it is: whoever comes first makes it.
object_of()
{
    local object=$work/pristine/$1/${2//\//_}.o
    if [[ ! -f $object ]]; then
        mkdir -p "${object%/*}"
        (
            flock 9
            [[ -f $object ]] || { compile "$work/pristine" "$1" "$2" "$object.new" && mv "$object.new" "$object"; }
        ) 9>"$object.lock" || return 1
    fi
    echo "$object"
}

# mutant NAME PROGRAM FILE PERL [ONLY]: PERL edits FILE as one string. PROGRAM: explore_X, linked with queue/X.c if
# there is one. ONLY: the one exploration of the program that is expected to find it (default: any).
mutant()
{
    [[ ! $1 =~ $only ]] || mutants_queue judge "$@"
}

judge()
{
    local name=$1 program=$2 file=$3 edit=$4 variant source object objects=()
    if ! mutants_edit "$work/pristine" "$file" "$edit"; then
        echo "DOES NOT APPLY  $name"
        return
    fi
    while read -r variant source; do
        if object=$(object_of "$variant" "$source") && grep -qF "$work/pristine/$file" "$object.d"; then
            object=$slot/${object##*/}
            compile "$slot/tree" "$variant" "$source" "$object" || object=''
        fi
        objects+=("$object")
    done < <(parts_of "$program")
    if [[ " ${objects[*]} " != *" $slot/"* ]] || ! "$cc" "${objects[@]}" -Wl,--gc-sections -o "$slot/mutant"; then
        echo "DOES NOT BUILD  $name"
        return
    fi
    COSCHED_EXPLORE_FIRST=1 COSCHED_EXPLORE_ONLY=${5:-} timeout 300 "$slot/mutant" >"$slot/log" 2>&1
    local rc=$?
    if [[ $rc -eq 139 ]]; then # it followed a pointer that only the right order makes valid
        echo "killed    $name: crashed"
    elif [[ $rc -eq 1 ]] && grep -q FAILED "$slot/log"; then
        echo "killed    $name: $(sed -n 's/: FAILED in execution \([0-9]*\):.*\/\([^/]*\)$/, execution \1: \2/p; t; s/: FAILED in execution \([0-9]*\):/, execution \1:/p' "$slot/log" | head -1)"
    else
        echo "SURVIVED  $name (exit $rc)"
    fi
}

B=lib/src/sched/branch.c
mutant "invoke: an end is told without release" explore_invoke $B 's/&forks->open, 1, acq_rel/\&forks->open, 1, relaxed/'
mutant "invoke: joined without acquire" explore_invoke $B 's/&forks->open, acquire\)/\&forks->open, relaxed)/'
mutant "invoke: the frame goes while the last is at its end" explore_invoke $B \
    's/if \(cos_atomic_sub\(&forks->open, COS_FORKS_OPEN, acq_rel\) == COS_FORKS_OPEN\)/if (cos_atomic_sub(\&forks->open, COS_FORKS_OPEN, acq_rel) <= COS_FORKS_OPEN + 1)/'
mutant "invoke: an offer withdrawn is not waited for" explore_invoke $B 's/            cos_forks_lost\(forks\);/            (void)0;/'
D=lib/src/queue/deque
mutant "deque: no heavy fence in steal" explore_deque $D.c 's/\n    cos_fence_heavy\(\);//'
mutant "deque: no light fence in take" explore_deque $D.h 's/\n    cos_fence_light\(\);//'
mutant "deque: bottom stored after top is read" explore_deque $D.h \
    's/(    cos_atomic_store\(&d->bottom, b, release\);\n)(.*?cos_fence_light\(\);\n)    return (cos_deque_claimed_alone_owner\(d, b\));/    bool alone = $3;\n$1$2    return alone;/s'
mutant "deque: last entry taken by a store" explore_deque $D.c \
    's/if \(!cos_atomic_cas\(&d->top, &t, t \+ 1, relaxed, relaxed\)\) \{\s*v = 0;/cos_atomic_store(&d->top, t + 1, relaxed);\n        {/'
mutant "deque: thieves looked for after top" explore_deque $D.h \
    's/(cos_atomic_load\(&d->thieves, acquire\) == 0) &&(\s*)(cos_atomic_load\(&d->top, relaxed\) == b)/$3 &&$2$1/'
mutant "deque: top not looked at again" explore_deque $D.h 's/ &&\s*cos_atomic_load\(&d->top, relaxed\) == b\)/)/'
mutant "deque: a thief does not count" explore_deque $D.c 's/\n    \(void\)cos_atomic_(add|sub)\(&d->thieves[^\n]*//g'
mutant "deque: a thief leaves before it has taken" explore_deque $D.c \
    's/(    enum cos_steal got = [^\n]*\n)([^\n]*\n)(    \(void\)cos_atomic_sub[^\n]*\n)/$2$3$1/'
mutant "deque: a thief leaves without release" explore_deque $D.c 's/&d->thieves, 1, release/&d->thieves, 1, relaxed/' "deque last"
mutant "deque: thieves looked for without acquire" explore_deque $D.h 's/&d->thieves, acquire/&d->thieves, relaxed/' "deque last"
mutant "deque: top taken by a store" explore_deque $D.c \
    's/if \(cos_atomic_cas\(&d->top, &t, t \+ 1, relaxed, relaxed\)\) \{/cos_atomic_store(&d->top, t + 1, relaxed);\n        {/' "deque top"
mutant "deque: steal by a store" explore_deque $D.c \
    's/if \(!cos_atomic_cas\(&d->top, &t, t \+ 1, release, relaxed\)\) \{/cos_atomic_store(&d->top, t + 1, release);\n    if (0) {/'
mutant "deque: entry loaded after the steal" explore_deque $D.c \
    's/bottom published it[^\n]*\n    uint32_t v = [^\n]*\n(.*?return COS_STEAL_LOST;\n    \}\n)/ *\/\n    int64_t mine = t;\n$1    uint32_t v = cos_atomic_load(&ring->cell[mine & ring->mask], relaxed);\n/s' "deque growth"
mutant "deque: bottom acquired no more" explore_deque $D.c \
    's/int64_t b = cos_atomic_load\(&d->bottom, acquire\)/int64_t b = cos_atomic_load(&d->bottom, relaxed)/' "deque replace, two"
mutant "deque: bottom not read again after the fence" explore_deque $D.c \
    's/(    cos_fence_heavy\(\);\n)(.*?)(    int64_t b = cos_atomic_load\(&d->bottom, acquire\);\n)/$3$1/s'
mutant "deque: push publishes nothing" explore_deque $D.h 's/&d->bottom, b \+ 1, release/&d->bottom, b + 1, relaxed/' "deque replace, two"
mutant "deque: take republishes nothing" explore_deque $D.h 's/&d->bottom, b, release/&d->bottom, b, relaxed/' "deque replace, take"
mutant "deque: new ring published without its cells" explore_deque $D.c 's/&d->ring, bigger, release/\&d->ring, bigger, relaxed/' "growth, one"
mutant "deque: growth forgets the oldest" explore_deque $D.c 's/int64_t p = t; p < b/int64_t p = t + 1; p < b/' "growth, two"
mutant "deque: one entry too many in the ring" explore_deque $D.c 's/d->limit = t \+ capacity;/d->limit = t + capacity + 1;/' "reuse"
mutant "deque: batch stolen by one CAS" explore_deque $D.c \
    's/    if \(cos_deque_steal\(d, &first\) != COS_STEAL_TAKEN\) \{.*?    return first;/    int64_t t = cos_atomic_load(&d->top, relaxed);\n    cos_fence_heavy();\n    int64_t b = cos_atomic_load(&d->bottom, acquire);\n    if (b - t < max) return 0;\n    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, acquire);\n    uint32_t got[8];\n    for (uint32_t n = 0; n < max; n++) got[n] = cos_atomic_load(&ring->cell[(t + n) & ring->mask], relaxed);\n    if (!cos_atomic_cas(&d->top, &t, t + max, release, relaxed)) return 0;\n    first = got[0];\n    for (uint32_t n = 1; n < max; n++) cos_deque_push_owner(own, got[n]);\n    return first;/s' "batch"
mutant "deque: no light fence in a plain claim" explore_deque $D.h 's/\n    cos_fence_light_free\(\);//' "plain claim"
mutant "deque: a plain claim of an empty deque leaves bottom behind" explore_deque $D.c \
    's/(    cos_atomic_store\(&d->bottom, b \+ 1, release\);\n    return v;)/    if (t > b) return v;\n$1/' "plain claim"
mutant "deque: claim does not compare" explore_deque $D.h 's/relaxed\) == v;/relaxed) != 0;/' "claim"

I=lib/src/queue/injector.c
mutant "injector: cell filled without release" explore_injector $I 's/cell_word\(p \+ i \+ 1, v\[i\]\),\s+release/cell_word(p + i + 1, v[i]), relaxed/'
mutant "injector: cell read without acquire" explore_injector $I 's/(uint64_t word = cos_atomic_load\(.*?), acquire\)/$1, relaxed)/'
mutant "injector: producers reserve by a store" explore_injector $I \
    's/if \(cos_atomic_cas\(&q->tail, &p, p \+ k, relaxed, relaxed\)\) \{/cos_atomic_store(&q->tail, p + k, relaxed);\n        {/'
mutant "injector: consumers reserve by a store" explore_injector $I \
    's/if \(cos_atomic_cas\(&q->head, &p, p \+ k, relaxed, relaxed\)\) \{/cos_atomic_store(&q->head, p + k, relaxed);\n        {/'
mutant "injector: list looked at after the ring" explore_injector $I \
    's/uint64_t listed = cos_atomic_load\(&q->listed, acquire\); \/\* acquire: as in pop_batch \*\///; s/return listed != 0 && list_pop/return cos_atomic_load(&q->listed, acquire) != 0 && list_pop/' "refill gap"
mutant "injector: list looked at after the ring, batch" explore_injector $I \
    's/(    uint64_t listed = cos_atomic_load\(&q->listed, acquire\);\n)(    size_t k = ring_pop\(q, out, max\);\n)/$2$1/' "refill gap, batch"
mutant "injector: listed lowered before the refill" explore_injector $I \
    's/(    size_t moved = 0;\n)/    cos_atomic_store(&q->listed, cos_atomic_load(&q->listed, relaxed) - taken - moving, release);\n$1/; s/relaxed\) - taken - moved, release/relaxed) + (moving - moved), release/' "refill gap"
mutant "injector: ring not looked at under the lock" explore_injector $I 's/size_t in_ring = ring_pop\(q, out, max\)/size_t in_ring = 0/' "order"
mutant "injector: freed cell keeps its lap" explore_injector $I 's/cell_word\(p \+ i \+ q->mask \+ 1, 0\)/cell_word(p + i + 1 + q->mask + 1, 0)/'
mutant "injector: rest of a refill dropped" explore_injector $I 's/\n    list_untake\(q, batch \+ moved, moving - moved\);//'

X=lib/src/queue/inbox.h
mutant "inbox: push without release" explore_inbox $X 's/node, release, relaxed/node, relaxed, relaxed/'
mutant "inbox: drain without acquire" explore_inbox $X 's/NULL, acquire\)/NULL, relaxed)/'
mutant "inbox: drain by load and store" explore_inbox $X \
    's/= cos_atomic_exchange\(&inbox->newest, NULL, acquire\);/= cos_atomic_load(&inbox->newest, acquire);\n    cos_atomic_store(&inbox->newest, NULL, relaxed);/'
mutant "inbox: drained in the wrong order" explore_inbox $X 's/    struct cos_inbox_node \*oldest = NULL;\n/    if (1) return node;\n$&/'

P=lib/src/queue/parker
mutant "doorbell: no fence in announce" explore_inbox $P.h 's/(announce\(struct.*?)    cos_atomic_fence_full\(\);/$1/s'
mutant "doorbell: no fence before the look" explore_inbox $P.h 's/(ring_needed\(struct.*?)    cos_atomic_fence_full\(\);/$1/s'
mutant "doorbell: every producer rings" explore_inbox $P.h 's/ &&\s+cos_atomic_exchange\(&bell->parked, 0, relaxed\) != 0//'
mutant "parker: no heavy fence in prepare" explore_parker $P.c 's/\n        cos_fence_heavy\(\);//' "made by a worker"
mutant "parker: a full fence beside workers that are awake" explore_parker $P.c 's/if \(\(before \| bit\) == all\)/if (true)/' "made by a worker"
mutant "parker: no full fence in prepare" explore_parker $P.c 's/(== all\) \{\n)        cos_atomic_fence_full\(\);/$1/'
mutant "parker: a light fence in notify" explore_parker $P.c 's/(cos_parker_notify\(struct.*?)    cos_atomic_fence_full\(\);/$1    cos_fence_light();/s'
mutant "parker: no second look at parked" explore_parker $P.c \
    's/(return true; \/\* the woken worker.*?searching, 1, relaxed\);)/$1\n        return false;/s' "turn given back"
mutant "parker: who finds work in bed wakes nobody" explore_parker tests/explore/explore_parker.c \
    's/if \(cos_parker_search_end\(&parker, !home\)\) \{/if (cos_parker_search_end(\&parker, false)) {/' "two submitters"
mutant "parker: the last searcher wakes nobody" explore_parker $P.c 's/return found && before == 1;/return false;/' "two submitters"
mutant "parker: bit looked at before the word" explore_parker $P.c \
    's/(        uint32_t word = cos_atomic_load\(&bed->wakes_sent, acquire\);\n)(.*?return 0;\n        \}\n)/$2$1/s'
mutant "parker: time-out loses the wake-up" explore_parker $P.c 's/if \(withdraw\(p, id\)\) \{\n                return/(void)withdraw(p, id);\n            {\n                return/' "deadline"
mutant "parker: waker does not raise the word" explore_parker $P.c 's/wakes_sent, 1, release\)/wakes_sent, 0, release)/'
mutant "parker: waker does not count its worker" explore_parker $P.c 's/&none, 1, relaxed, relaxed\)/\&none, 0, relaxed, relaxed)/; s/COS_ASSERT\(before >= 1\);//'
mutant "parker: no rescan before sleep" explore_parker tests/explore/explore_parker.c 's/home \|\| scan\(id\)/home/'

W=lib/src/queue/wait.h
mutant "wait: commit by a store" explore_wait $W \
    's/if \(cos_atomic_cas\(&w->word, &word, cos_wait_word\(seq, COS_WAIT_PARKED, 0\), release, acquire\)\) \{/if (cos_atomic_load(&w->word, acquire) == word) {\n        cos_atomic_store(&w->word, cos_wait_word(seq, COS_WAIT_PARKED, 0), release);/'
mutant "wait: commit without release" explore_wait $W 's/PARKED, 0\), release, acquire/PARKED, 0), relaxed, acquire/'
mutant "wait: claim without acquire" explore_wait $W 's/cause\), acq_rel,\s+relaxed/cause), release, relaxed/'
mutant "wait: claim without release" explore_wait $W 's/cause\), acq_rel,\s+relaxed/cause), acquire, relaxed/'
mutant "wait: claim by a store" explore_wait $W \
    's/if \(cos_atomic_cas\(&w->word, &word, (cos_wait_word\(seq, COS_WAIT_CLAIMED, cause\)), acq_rel,\s+relaxed\)\) \{/cos_atomic_store(&w->word, $1, release);\n        {/'
mutant "wait: claim does not compare the number" explore_wait $W 's/cos_wait_word_seq\(word\) != seq \|\|\s+//'
mutant "wait: begin keeps the number" explore_wait $W 's/cos_wait_word_seq\(word\) \+ 1;/cos_wait_word_seq(word) + (cos_wait_word_seq(word) == 0);/'
mutant "wait: every winner submits" explore_wait $W 's/return phase == COS_WAIT_PARKING \? COS_CLAIM_COMMIT : COS_CLAIM_SUBMIT;/return COS_CLAIM_SUBMIT;/'
mutant "wait: abort by a store" explore_wait $W \
    's/return cos_atomic_cas\(&w->word, &word,\s+(cos_wait_word\(seq, COS_WAIT_CLAIMED, COS_WAIT_CAUSE_ABORT\)), [a-z]+,\s+acquire\);/cos_atomic_store(&w->word, $1, relaxed);\n    return true;/'

S=lib/src/sched
mutant "hop: claim does not compare the number" explore_hop $W 's/cos_wait_word_seq\(word\) != seq \|\|\s+//' "next wait"
mutant "hop: the block is queued before the commit" explore_hop $S/hop.c \
    's/if \(cos_wait_commit\(&base->wait, left->wait_seq\)\) \{\n        cos_submit\(e, block\);/cos_submit(e, block);\n    if (cos_wait_commit(\&base->wait, left->wait_seq)) {/' "hop, cancel"
mutant "hop: arrives at what was withdrawn" explore_hop $S/hop.c 's/!= COS_CLAIM_SUBMIT\) \{/== COS_CLAIM_COMMIT) {/'
mutant "hop: the block is forgotten when the hop ends at once" explore_hop $S/hop.c 's/(never left \*\/\n        f->hop = NULL;\n.*?)        cos_task_free\(&e->tasks, block\);/$1/s'
mutant "hop: the block is forgotten by the commit that came late" explore_hop $S/hop.c 's/        cos_task_free\(&e->tasks, block\);\n        cos_submit\(e, base\);/        cos_submit(e, base);/'
mutant "hop: the block that arrived is forgotten" explore_hop $S/hop.c 's/        cos_task_recycle\(&cos_exec_current\(\)->tasks, block\);\n//'
mutant "hop: the block of a withdrawn hop is forgotten" explore_hop $S/hop.c 's/(COS_CLAIM_SUBMIT\) \{\n)        cos_task_free\(&e->tasks, block\);\n/$1/'
mutant "hop: commit that came late submits nobody" explore_hop $S/hop.c 's/        cos_submit\(e, base\);\n//'
mutant "scope: watch looks before it announces" explore_join $S/scope.c \
    's/    \(void\)cos_atomic_exchange\(&s->ticket, ticket, seq_cst\);\n    return (\(.*?\) != 0);/    bool seen = $1;\n    (void)cos_atomic_exchange(\&s->ticket, ticket, seq_cst);\n    return seen;/s' "wait, cancel"
mutant "scope: watch without seq_cst" explore_join $S/scope.c 's/cos_atomic_load\(&s->flags, seq_cst\)/cos_atomic_load(\&s->flags, acquire)/' "wait, cancel"
mutant "scope: mark without seq_cst" explore_join $S/scope.c 's/COS_SCOPE_CANCELED \| why, seq_cst/COS_SCOPE_CANCELED | why, acq_rel/' "wait, cancel"
mutant "park: a timer of another cause stays armed" explore_hop $S/park.c 's/timers != NULL && cause != COS_TIMED_OUT/0/' "timer"
mutant "event: set by a load and a store" explore_join $S/event.c \
    's/cos_atomic_exchange\(word_of\(ev\), SET, acq_rel\)/cos_atomic_load(word_of(ev), acquire);\n    cos_atomic_store(word_of(ev), SET, release)/'
mutant "join: the end is published without release" explore_join $S/finish.c 's/&t->join, &j, end, acq_rel/\&t->join, \&j, end, acquire/'
mutant "join: the waiter is taken without acquire" explore_join $S/finish.c 's/&t->join, &j, end, acq_rel/\&t->join, \&j, end, release/'
mutant "join: the end by a store" explore_join $S/finish.c 's/if \(cos_atomic_cas\(&t->join, &j, end, acq_rel, relaxed\)\) \{/cos_atomic_store(\&t->join, end, release);\n        {/'
mutant "join: DONE read without acquire" explore_join $S/join.c 's/uint64_t j = cos_atomic_load\(&t->join, acquire\)/uint64_t j = cos_atomic_load(\&t->join, relaxed)/'
mutant "join: announced without release" explore_join $S/join.c 's/cos_join\(generation, base->index\), acq_rel, relaxed/cos_join(generation, base->index), acquire, relaxed/'
mutant "join: a late end wakes whatever is waited for" explore_join $S/join.c 's/joining != key\(ended\) && joining != COS_JOINING_ANY/0/' "late"
mutant "join: two consumers" explore_join $S/join.c 's/if \(!cos_atomic_cas\(&t->join, &j, (cos_join\(generation \+ 1, COS_JOIN_ZOMBIE\)), acq_rel, relaxed\)\) \{\s+return -ESTALE;\s+\}/(void)cos_atomic_exchange(\&t->join, $1, acq_rel);/' "another joins"
mutant "detach: a stranger's, by a store" explore_join $S/spawn.c 's/if \(!cos_atomic_cas\(&t->join, &j, (cos_join\(generation, COS_JOIN_DETACHED_LISTED\)), acq_rel,\s+acquire\)\) \{/cos_atomic_store(\&t->join, $1, release);\n    if (0) {/' "detaches"
mutant "cancel: the generation is looked at before the lock" explore_token $S/spawn.c \
    's/(    cos_lock_acquire\(&t->scope.lock\);\n)(.*?)(    uint64_t j = [^\n]*\n)(    if \(cos_join_generation\(j\) == task)/$2$3$1$4/s' "reused"
mutant "token: the generation is looked at before the lock" explore_token lib/src/sync/later.c \
    's/(    cos_lock_acquire\(&t->scope.lock\);\n)(.*?)(    uint64_t j = [^\n]*\n)/$2$3$1/s' "reused"
mutant "task: freed without waiting out a canceler" explore_token $S/task.c 's/    wait_for_cancelers\(t\);\n//' "reused"
mutant "token: cancelled by a store" explore_token lib/src/sync/later.c 's/if \(cos_atomic_cas\(&l->state, &seen, STOPPED, acq_rel, acquire\)\) \{/cos_atomic_store(\&l->state, STOPPED, release);\n        {/'
mutant "token: runs without a claim" explore_token lib/src/sync/later.c 's/ \|\| !move\(l, ARMED, RUNNING\)/ || (move(l, ARMED, RUNNING), 0)/'
mutant "token: every cancel says it was it" explore_token lib/src/sync/later.c 's/(RUNNING && l->interval == 0\)\) \{\s+return )false/$1true/'
mutant "token: a run without a record is cancelled by a store" explore_token lib/src/sync/later.c \
    's/!cos_atomic_cas\(&t->joining, &seen, (seen \| COS_JOINING_STOPPED), acq_rel, relaxed\)/(cos_atomic_store(\&t->joining, $1, release), 0)/'
mutant "token: a run without a record begins without a claim" explore_token $S/armed.c \
    's/armed = cos_atomic_exchange\(&t->joining, 0, acq_rel\);/cos_atomic_store(\&t->joining, 0, release);/' "two cancels"
mutant "token: armed after a look at the root" explore_token $S/timers.c \
    's/(    cos_lock_acquire\(&ts->lock\);\n    cos_wheel_arm[^}]*?)(    \/\* relaxed: under the lock. If[^\n]*\n    bool lives [^\n]*\n)/$2$1/' "stopped"
mutant "token: a root that stopped before is not asked" explore_token $S/timers.c 's/(bool lives = ).*?;/${1}root != NULL;/s' "stopped"
mutant "token: started while its sources are armed" explore_token $S/armed.c 's/if \(!cos_wait_commit\(&t->wait, seq\)\)/cos_submit(e, t);\n    if (!cos_wait_commit(\&t->wait, seq))/'
A=lib/src/sync/await.c
mutant "inline: no look for strangers at the end" explore_inline $A 's/(uint32_t flags = )cos_atomic_load\(&t->scope.flags, relaxed\)/${1}0/'
mutant "inline: no look for strangers at a plain end" explore_inline $A 's/(run_plain\(.*?uint32_t flags = )cos_atomic_load\(&t->scope.flags, relaxed\)/${1}0/s'
mutant "inline: a stranger without its heavy fence" explore_inline $S/join.c 's/    cos_fence_heavy\(\);[^\n]*\n//'
mutant "inline: a stranger joins what runs inline" explore_inline $S/join.c 's/(return cos_atomic_load\(&t->joining, acquire\)) != COS_JOINING_INLINE/$1 != COS_JOINING_ANY/'
mutant "inline: no announcement" explore_inline $A 's/    cos_atomic_store\(&t->joining, COS_JOINING_INLINE, release\);\n//'
mutant "cancel: does not announce itself" explore_inline $S/spawn.c 's/!stranger \|\| cos_join_stranger\(t\)/true/' "reused"

mutants_end explore_mutants
ended=$?
rm -rf "$work"/slot.* "$work/pristine"
exit "$ended"
