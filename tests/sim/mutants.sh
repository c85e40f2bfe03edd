#!/bin/bash
# Seeds one fault at a time into a copy of the production sources and runs the simulator's scenarios on it: each must be
# found, and found again by the seed that is printed. A fault that survives, no longer applies or does not compile fails the
# run.
#
#     mutants.sh SOURCE_ROOT WORK_DIR ARCHIVE [CC] [ONLY]     ARCHIVE: libcosched_sim.a; ONLY: part of a mutant's name
set -u
root=$1
work=$2
archive=$3
cc=${4:-cc}
only=${5:-}
seeds=${COSCHED_SIM_SEEDS:-400}

sim=$root/tests/support/sim
cflags=(-std=c11 -O1 -g -D_GNU_SOURCE -DCOS_DEBUG=1 -w -U_FORTIFY_SOURCE -include "$sim/sim_rename.h"
    -I"$sim" -I"$root/tests/support")
rm -rf "$work"
mkdir -p "$work/pristine/lib"
cp -r "$root/lib/src" "$work/pristine/lib/src"
# shellcheck source=tests/support/mutants.sh
. "$root/tests/support/mutants.sh"
mutants_begin "$work"
echo 'extern const char sim_skip[]; const char sim_skip[] = "";' >"$work/skip.c"
"$cc" "${cflags[@]}" -c "$work/skip.c" -o "$work/skip.o" || exit 1

# SCENARIOS: tests/sim/sim_SCENARIOS.c, compiled once
program()
{
    (
        flock 9
        [[ -f $work/sim_$1.o ]] || "$cc" "${cflags[@]}" -I"$root/lib/src" -I"$root/lib/include" \
            -c "$root/tests/sim/sim_$1.c" -o "$work/sim_$1.o"
    ) 9>"$work/sim_$1.lock"
}

# mutant NAME FILE[:SCENARIO] SOURCE PERL [COMPILE…]: tests/sim/sim_FILE.c, the one scenario that is expected to find it, or all. PERL edits lib/src/SOURCE
# as one string; what COMPILE names (SOURCE by default) is compiled against the edited tree and takes the place of its like in the
# archive.
mutant()
{
    [[ $1 != *"$only"* ]] || mutants_queue judge "$@"
}

judge()
{
    local name=$1 scenarios=${2%%:*} scenario=${2#*:} file=$3 edit=$4
    shift 4
    if ! mutants_edit "$work/pristine" "lib/src/$file" "$edit"; then
        echo "DOES NOT APPLY  $name"
        return
    fi
    local sources=("$@") objects=() source object
    [[ ${#sources[@]} -gt 0 ]] || sources=("$file")
    for source in "${sources[@]}"; do
        object=$slot/${source//\//_}.o
        objects+=("$object")
        "$cc" "${cflags[@]}" -I"$slot/tree/lib/src" -I"$root/lib/include" -c "$slot/tree/lib/src/$source" -o "$object" ||
            rm -f "$object"
    done
    if ! program "$scenarios" ||
        ! "$cc" "$work/sim_$scenarios.o" "$work/skip.o" "${objects[@]}" "$archive" -no-pie -luv -lpthread -o "$slot/mutant"; then
        echo "DOES NOT BUILD  $name"
        return
    fi
    [[ $scenario != "$scenarios" ]] && local -x COSCHED_TEST=$scenario
    COSCHED_SIM_FIRST=1 COSCHED_SIM_NOSHRINK=1 COSCHED_SIM_CPU=5 COSCHED_SIM_LIMIT=2000000 COSCHED_SIM_SEEDS=$seeds \
        timeout 600 "$slot/mutant" >"$slot/log" 2>&1
    local rc=$?
    # What corrupted memory makes a program die of is not the seed's to say: any death is as good.
    local death='\((Segmentation fault|Aborted|Bus error|Illegal instruction)\)'
    if [[ $rc -eq 1 ]] && grep -q 'FAILED with seed' "$slot/log" &&
        { ! grep -q 'NOT REPLAYED' "$slot/log" ||
            { grep -Eq "FAILED with seed.*$death" "$slot/log" && grep -Eq "NOT REPLAYED.*$death" "$slot/log"; }; }; then
        echo "killed    $name: $(sed -n 's/.*FIGURES sim_[a-z_]*: .* failed, \([0-9]*\) runs.*/\1/p' "$slot/log") runs; $(grep -m1 'FAILED with seed' "$slot/log" | sed 's/: FAILED with/,/' | cut -c1-150)"
    else
        echo "SURVIVED  $name (exit $rc): $(tail -1 "$slot/log" | cut -c1-150)"
    fi
}

# --- waking ---
mutant "submit: no worker is told" tree:trees_on_both_sides_are_counted_exactly sched/exec.c 's/\n        cos_parker_notify\(&rt->parker\);/\n        (void)0;/'
mutant "submit: MAIN is not rung" tree:trees_on_both_sides_are_counted_exactly sched/exec.c 's/        cos_mainloop_ring\(to->rt\);/        (void)0;/'
mutant "submit: a thread of its own is not woken" stop:a_task_with_its_own_thread_is_woken sched/exec.c 's/cos_own_thread_wake\(to\);/(void)to;/'
mutant "own thread: flag reset after the look" stop:a_task_with_its_own_thread_is_woken sched/blocking.c \
    's/    \(void\)cos_atomic_exchange\(&e->bell, 0, seq_cst\);\n    if \(cos_inbox_empty\(&e->inbox\)\) \{/    if (cos_inbox_empty(&e->inbox)) {\n        (void)cos_atomic_exchange(&e->bell, 0, seq_cst);/'
mutant "worker: no rescan before it sleeps" tree:trees_on_both_sides_are_counted_exactly sched/worker.c \
    's/(cos_parker_prepare\(p, id\);\n        index = )scan\(e\);/${1}0;/; s/bool seen = index != 0 \|\| steal_in_sight\(e\);/bool seen = false;/'
mutant "worker: sleeps for its own timers only" time:a_busy_worker_delays_no_neighbours_timers sched/worker.c 's/while \(first < watched\)/while (false)/'
mutant "timer: armed without a word to the watcher" time:who_arms_a_timer_and_computes_on_is_no_delay sched/armed.c 's/\n        cos_worker_watch\(at, deadline\);//'
mutant "worker: two consumers of one deque" tree:trees_on_both_sides_are_counted_exactly sched/worker.c \
    's/cos_deque_steal_batch\(&victim->deque, &e->deque, STEAL_BATCH\)/cos_deque_take_bottom_owner(\&victim->deque)/'
mutant "worker: woken for nothing it goes on as if it had not searched" tree:a_burst_reaches_every_worker sched/worker.c 's/while \(rc == 0 && index == 0\)/while (0)/'
mutant "MAIN: no look at the inbox once it is announced" tree:trees_on_both_sides_are_counted_exactly sched/mainloop.c \
    's/more = !cos_inbox_empty\(&rt->main->inbox\);/more = false;/'
mutant "join: the waiter's name is stored, not exchanged" tree:trees_on_both_sides_are_counted_exactly sched/join.c \
    's/if \(!cos_atomic_cas\(&t->join, &j, cos_join\(generation, base->index\), acq_rel, relaxed\)\) \{/cos_atomic_store(&t->join, cos_join(generation, base->index), release);\n        if (false) {/'
mutant "event: set by a store" tree:an_event_is_never_missed sched/event.c \
    's/uint64_t waiter = cos_atomic_exchange\(word_of\(ev\), SET, acq_rel\);/uint64_t waiter = cos_atomic_load(word_of(ev), acquire);\n    cos_atomic_store(word_of(ev), SET, release);/'

# --- publication and claims ---
mutant "switch: published before it is saved" tree:trees_on_both_sides_are_counted_exactly sched/switch.c \
    's/(COS_SWITCHES void cos_leave)/static void nothing(struct cos_exec *e, struct cos_fiber *left) { (void)e; (void)left; }\n\n$1/; s/    f->commit = commit;\n/    commit(e, f);\n    f->commit = nothing;\n/'
mutant "hop: resumed without winning its wait" cancel:a_call_is_withdrawn_or_made_and_comes_home sched/hop.c \
    's/if \(cos_wait_claim\((.*?)\) != COS_CLAIM_SUBMIT\) \{/if (cos_wait_claim($1) == 99) {/'
mutant "wait: commit by a store" cancel:a_call_is_withdrawn_or_made_and_comes_home queue/wait.h \
    's/if \(cos_atomic_cas\(&w->word, &word, cos_wait_word\(seq, COS_WAIT_PARKED, 0\), release, acquire\)\) \{/if (cos_atomic_load(&w->word, acquire) == word) {\n        cos_atomic_store(&w->word, cos_wait_word(seq, COS_WAIT_PARKED, 0), release);/' sched/park.c sched/hop.c
mutant "wait: every winner submits" tree:trees_on_both_sides_are_counted_exactly queue/wait.h \
    's/return phase == COS_WAIT_PARKING \? COS_CLAIM_COMMIT : COS_CLAIM_SUBMIT;/return COS_CLAIM_SUBMIT;/' sched/park.c sched/join.c sched/exec.c
mutant "await: claims what has started" tree:trees_on_both_sides_are_counted_exactly sync/await.c 's/if \(COS_LIKELY\(cos_task_fiber\(t\) == NULL\)\) \{/if (true) {/'
mutant "deque: last entry taken without a contest" tree:a_last_entry_is_claimed_or_stolen_by_one queue/deque.c \
    's/if \(!cos_atomic_cas\(&d->top, &t, t \+ 1, relaxed, relaxed\)\) \{\s*v = 0;/(void)cos_atomic_exchange(\&d->top, t + 1, relaxed);\n        {/'

# --- cancellation and the end ---
mutant "cancel: whatever generation the block is in" cancel:a_late_cancel_never_meets_the_next_task sched/spawn.c \
    's/cos_join_generation\(j\) == task.generation && //'
mutant "recycle: cancelers are not waited for" cancel:a_late_cancel_never_meets_the_next_task sched/task.c 's/\n    wait_for_cancelers\(t\);//'
mutant "line: served although its wait was over" sync:select_loses_and_doubles_nothing sync/line.h \
    's/    if \(!cos_wake\(cell->ticket, COS_WOKEN\)\) \{\n        return false;\n    \}/    cos_wake(cell->ticket, COS_WOKEN);/' sync/channel.c
mutant "channel: a withdrawn cell stays in line" cancel:storms_end_and_leave_nothing sync/line.h \
    's/(waits out whoever serves us \*\/\n)    cos_list_remove\(&cell->link\);/$1    if (cell->state == COS_CELL_SERVED)\n        cos_list_remove(&cell->link);/' sync/channel.c
mutant "token: fires although it was cancelled" cancel:a_token_fires_or_is_cancelled_by_one sync/later.c \
    's/if \(cosched_cancelled\(\) \|\| !move\(l, ARMED, RUNNING\)\) \{/if (!move(l, ARMED, RUNNING) && cosched_cancelled() \&\& false) {/'
mutant "blocking: taken back while it runs" stop:blocking_calls_run_once_or_are_taken_back sched/crew.c \
    's/(static bool withdraw\(.*?)(    if \(waiting\) \{)/$1    bool seen = waiting;\n    waiting = true;\n    if (seen) {/s'
mutant "post: counted after the look at the refusal" stop:posts_are_accepted_and_run_or_refused sched/spawn.c \
    's/    cos_roots_add\(\n        rt\);[^\n]*\n(.*?)(if \(cos_atomic_load\(&rt->refuse_posts, seq_cst\) != 0\) \{)\n        cos_roots_remove\(rt\);\n(        return -ESHUTDOWN;\n    \}\n)/$1$2\n$3    cos_roots_add(rt);\n/s'
mutant "stop: the last task does not ring" stop:stop_waits_until_its_deadline_then_cancels sched/runtime_run.c \
    's/        cos_mainloop_ring\(rt\); \/\* its loop may[^\n]*\n//'

# --- time ---
mutant "wheel: deadlines rounded down" time:after_fires_in_order_of_time_whatever_the_order_of_insertion sched/wheel.c 's/ \+ \(ns % COS_WHEEL_TICK_NS != 0\)//'
mutant "interval: from now on, not from t0" time:an_interval_does_not_drift_in_an_hour sync/later.c \
    's/planned = cos_later_next\(planned, l->interval/planned = cos_later_next(cos_clock_now(), l->interval/'
mutant "interval: skip makes up for what it missed" time:overruns_are_skipped_made_up_for_or_shift_the_rest sync/later_time.c \
    's/case COSCHED_SKIP:\n\s*return cos_clock_add[^;]*;/case COSCHED_SKIP: return next;/'
mutant "mutex: handed to nobody" sync:a_mutex_holds_one sync/mutex.c 's/uint32_t word = next == NULL \? self : next->tag;/uint32_t word = next == NULL ? self : 0;/'
mutant "barrier: opens one too early" sync:a_barrier_meets_and_a_wait_group_ends sync/barrier.c 's/\+\+b->arrived == b->parties/++b->arrived >= b->parties - 1/'
mutant "select: the other cells stay in line" sync:select_loses_and_doubles_nothing sync/select.c 's/cos_list_remove\(&all->cells\[i\]\.link\)/(void)0/'

# --- help and priorities ---
mutant "help: a function is known a sample too early" help:what_nobody_knows_waits_for_a_worker sched/help.c 's/seen_in\(word\) < COS_HELP_SEEN/seen_in(word) < COS_HELP_SEEN - 1/'
mutant "help: what nobody knows costs nothing" help:what_nobody_knows_waits_for_a_worker sched/help.c 's/cost >= 0 && cost <=/cost <=/'
mutant "help: NO_HELP says nothing" help:what_says_no_waits_for_a_worker sched/help.c 's/COSCHED_NO_HELP \| //'
mutant "help: twice the bound" help:what_is_long_waits_for_a_worker sched/help.c 's/cost <= COS_HELP_NS\)/cost <= 2 * COS_HELP_NS)/'
mutant "help: no poll before the backlog is done" help:main_helps_and_keeps_its_ticks sched/mainloop.c 's/cos_help_workers\(rt\);/cos_help_workers(rt);\n        while (cos_help_workers(rt)) {\n        }/'
mutant "help: MAIN never looks" help:what_is_known_and_brief_runs_on_main_while_workers_are_held sched/mainloop.c 's/ran \? cos_help_wanted\(rt\) : cos_help_workers\(rt\)/false/'
mutant "help: no worker calls a sleeping MAIN" help:a_sleeping_main_is_called_by_workers_that_fall_behind sched/worker.c 's/\n        cos_help_call\(e\);//'
mutant "lines: low never ages" help:no_priority_waits_longer_than_the_bound sched/lines.c 's/e->low_passed >= COS_LOW_TURNS/false/'
mutant "lines: high has each turn" help:no_priority_waits_longer_than_the_bound sched/lines.c 's/e->high_run < COS_HIGH_RUN/true/'

mutants_end sim_mutants 'killed ' ", $seeds seeds a scenario at most"
ended=$?
rm -rf "$work"/slot.* "$work/pristine"
exit "$ended"
