# The faults, each with the suite that must notice it. Sourced by run.sh, where `mutant` is explained.
# shellcheck shell=bash

# shellcheck disable=SC2016 # Perl's variables, not the shell's

SCHED=lib/src/sched
SYNC=lib/src/sync
ARCH=lib/src/arch

# --- leaving, arriving, ending: save, leave, then publish ---------------------------------------------------------

mutant ci "switch: published before it is saved" plain stress/stress_hop:ping_pong_storm@4 $SCHED/switch.c \
    's/(    struct cos_fiber \*left = cos_context_switch\(&f->ctx, to, )f\)/    f->commit(e, f);\n$1NULL)/'
mutant ci "switch: the stack is given back by who stands on it" asan lib/test_spawn:result_error_and_large_result_come_back@0 $SCHED/switch.c \
    's/(    f->commit = commit_end;\n)(    struct cos_context \*to = choose\(e, COS_TRACE_ENDED\);\n    cos_context_switch_final\(&f->ctx, to, )f\)/    commit_end(e, f);\n$2NULL)/'
mutant ci "switch: errno kept across a hop" plain lint $SCHED/switch.c \
    's/#include "sched\/current.h"/#include <errno.h>\n$&/; s/(    struct cos_fiber \*left = cos_context_switch\(&f->ctx, to, f\);\n)/    int saved = errno;\n$1    errno = saved;\n/'
mutant ci "switch: a thread-local in a function that switches" plain lint $SCHED/switch.c \
    's/static inline void leave\(/extern _Thread_local struct cos_fiber *cos_last;\n_Thread_local struct cos_fiber *cos_last;\n$&/; s/(    struct cos_fiber \*left = cos_context_switch\(&f->ctx, to, f\);\n)/    cos_last = e->running;\n$1    cos_last = left;\n/'
mutant - "await: the executor is remembered across the wait" plain stress/stress_await $SYNC/await.c \
    's/(    int rc = cos_join_wait\()/    struct cos_exec *e = cos_exec_current();\n$1/; s/cos_join_consume\(cos_exec_current\(\)/cos_join_consume(e/'
mutant ci "task: an inline child does not bring its parent home" plain lib/test_join:child_that_ends_elsewhere_does_not_carry_its_awaiter_along@3 $SYNC/await.c \
    's/COS_UNLIKELY\(f->affinity != t->affinity\)/0/'

# --- the machine ------------------------------------------------------------------------------------------------

for register in rbx r12 r15 xmm3 xmm9; do
    mutant "$([ $register = r12 ] && echo ci || echo -)" "inline switch: $register missing from the clobbers" plain \
        lib/test_context:inline_form_equals_plain_form $ARCH/switch_inline.h "s/ \"$register\",//"
done
mutant - "inline switch: rbp is not carried along" plain lib/test_context:inline_form_equals_plain_form $ARCH/switch_inline.h \
    's/\s*"movq 16\(%%rsi\), %%rbp\\n\\t"//'
for register in rbx r13; do
    mutant "$([ $register = r13 ] && echo ci || echo -)" "switch: $register is not saved" plain \
        lib/test_context:callee_saved_registers_survive $ARCH/context_x86_64.S \
        "s/pushq   %$register/pushq   %rax/; s/popq    %$register/popq    %rax/; s/movq    %rdx, %rax\\n/movq %rdx, %r11\\n/; s/popq    %rcx\\n/movq %r11, %rax\\n        popq %rcx\\n/"
done
mutant ci "stack: a slot without its guard" plain lib/test_stack_guard:mprotect_guards_fault_and_stop_at_their_cap $ARCH/stack_guard.c \
    's/PROT_NONE/PROT_READ | PROT_WRITE/'
mutant - "lock: released without a look for sleepers" plain lib/test_lock $ARCH/lock.h \
    's/if \(cos_atomic_exchange\(&lock->word, COS_LOCK_FREE, release\) != COS_LOCK_HELD\)/cos_atomic_store(\&lock->word, COS_LOCK_FREE, release);\n    if (0)/'
mutant - "lock: taken without acquire" tsan lib/test_lock $ARCH/lock.h 's/COS_LOCK_HELD, acquire, relaxed/COS_LOCK_HELD, relaxed, relaxed/'
mutant - "lock: released without release" tsan lib/test_lock $ARCH/lock.h 's/COS_LOCK_FREE, release\)/COS_LOCK_FREE, relaxed)/'

# --- the queues, preempted at every place; their orders are for tests/explore -----------------------------------------

mutant ci "deque: last entry taken by a store" plain lib/test_preempted:deque_owner_loses_the_last_entry_that_it_saw lib/src/queue/deque.c \
    's/if \(!cos_atomic_cas\(&d->top, &t, t \+ 1, relaxed, relaxed\)\) \{\s*v = 0;/cos_atomic_store(&d->top, t + 1, relaxed);\n        {/'
mutant - "deque: top taken by a store" plain lib/test_preempted:deque_between_owner_and_thief lib/src/queue/deque.c \
    's/if \(cos_atomic_cas\(&d->top, &t, t \+ 1, relaxed, relaxed\)\) \{/cos_atomic_store(&d->top, t + 1, relaxed);\n        {/'
mutant - "injector: rest of a refill dropped" plain lib/test_preempted:injector_between_consumers lib/src/queue/injector.c \
    's/\n    list_untake\(q, batch \+ moved, moving - moved\);//'
mutant - "parker: the turn is not given back" plain lib/test_preempted:parker_between_wakers_sleepers_and_searchers lib/src/queue/parker.c \
    's/(woken worker owns the count now \*\/\n        \}\n)        \(void\)cos_atomic_sub[^\n]*\n/$1/'

# --- the life of a control block -----------------------------------------------------------------------------------

mutant ci "task: a reused block keeps its generation" plain lib/test_task:a_freed_block_comes_back_with_another_generation $SCHED/task.c \
    's/cos_join\(generation \+ 1, COS_JOIN_NONE\), acq_rel\)/cos_join(generation, COS_JOIN_NONE), acq_rel)/'
mutant ci "cancel: does not look at the generation" plain lib/test_cancel:cancel_with_a_stale_handle_reaches_nobody@0 $SCHED/spawn.c \
    's/cos_join_generation\(j\) == task.generation && //'
mutant ci "join: who comes second takes the place of the first" plain lib/test_join:a_task_that_another_awaits_is_busy@0 $SCHED/join.c \
    's/(if \(who != COS_JOIN_NONE \|\| !may_join\(f, t\)\) \{\s+return )-EBUSY/$1 0/'
mutant - "join: a copy of a used handle is good again" plain lib/test_join:awaited_twice_is_stale_and_so_is_every_copy@0 $SCHED/join.c \
    's/cos_join\(generation \+ 1, COS_JOIN_NONE\)/cos_join(generation, COS_JOIN_DONE)/'
mutant ci "await: claims an entry that was the right to resume" plain lib/test_cancel@1 $SYNC/await.c 's/COS_LIKELY\(cos_task_fiber\(t\) == NULL\)/1/'
mutant - "join: result published without release" tsan stress/stress_await $SCHED/finish.c \
    's/&t->join, &j, end, acq_rel, relaxed/\&t->join, \&j, end, relaxed, relaxed/'
mutant - "detach: twice counts two roots" plain lib/test_join:detached_then_awaited_is_stale@0 $SCHED/spawn.c \
    's/(            return;\n        \}\n)(        cos_roots_remove\(e->rt\);\n)/        }\n        cos_roots_add(e->rt);\n$2/; s/(cos_roots_add\(e->rt\);\n        cos_kids_remove)/cos_roots_add(e->rt);\n        $1/'
mutant ci "task: cancelled before its start it does not run" plain lib/test_spawn:cancelled_before_its_start_it_still_runs_and_its_first_wait_says_so@0 $SCHED/finish.h \
    's/\(t->flags & COSCHED_SKIP_IF_CANCELED\) != 0 &&\s+//'
mutant ci "task: its children are not joined when it returns" plain lib/test_join:children_never_awaited_are_cancelled_and_joined_when_the_parent_returns@0 $SCHED/keep.h \
    's/    if \(COS_UNLIKELY\(t->kids != 0\)\) \{\n        cos_kids_close\(f, t\);\n    \}\n//'

# --- hops ---------------------------------------------------------------------------------------------------------------

mutant ci "hop: a stale entry resumes whatever its task waits for now" plain lib/test_call:a_withdrawn_way_does_not_end_the_next_wait@0 lib/src/queue/wait.h \
    's/cos_wait_word_seq\(word\) != seq \|\|\s+//'
mutant ci "hop: the block is queued before the wait is committed" plain stress/stress_hop:travelers_with_deadlines_and_cancels@4 $SCHED/hop.c \
    's/    if \(cos_wait_commit\(&base->wait, left->wait_seq\)\) \{\n        cos_submit\(e, block\);/    cos_submit(e, block);\n    if (cos_wait_commit(\&base->wait, left->wait_seq)) {/'
mutant - "hop: arrives at a withdrawn one, too" plain stress/stress_hop:travelers_with_deadlines_and_cancels@3 $SCHED/hop.c \
    's/!= COS_CLAIM_SUBMIT\) \{/== COS_CLAIM_COMMIT) {/'
mutant - "hop: the ticket is read from a block given back" asan stress/stress_hop $SCHED/hop.c \
    's/left->hop = NULL; /;/'

# --- scopes ---------------------------------------------------------------------------------------------------------------

mutant ci "scope: the cancellation is forgotten once it was seen" plain lib/test_cancel:once_cancelled_every_suspending_call_says_so_again@0 $SCHED/scope.c \
    's/return (\(cos_atomic_load\(&s->flags, seq_cst\)) & COS_SCOPE_CANCELED\) != 0;/return (cos_atomic_and(\&s->flags, ~(uint32_t)COS_SCOPE_CANCELED, seq_cst) \& COS_SCOPE_CANCELED) != 0;/'
mutant - "scope: cancelled, and nobody is woken" plain lib/test_cancel:cancel_cuts_every_kind_of_wait_short@0 $SCHED/scope.c 's/if \(ticket != 0\)/if (0)/'
mutant - "scope: linked without its lock" tsan stress/stress_cancel $SCHED/scope.c \
    's/(    cos_lock_acquire\(&p->lock\);\n)(    if \(cos_atomic_load\(&s->parent, relaxed\) == p\) \{)/$2/; s/(cos_atomic_or\(&s->flags, COS_SCOPE_LINKED.*?\n)    cos_lock_release\(&p->lock\);/$1/s; s/(        cos_lock_release\(&p->lock\);\n    \}\n\})/    }\n}/'
mutant - "scope: a child linked late does not inherit" plain lib/test_cancel:a_child_of_a_cancelled_task_is_cancelled_from_its_birth@0 $SCHED/scope.c 's/\(inherit \? COS_SCOPE_CANCELED : 0U\)/0U/'
mutant - "scope: a shield does not keep out" plain lib/test_scope:shield_keeps_a_cancellation_out_until_its_grace_ends@0 $SCHED/scope.c 's/\(COS_SCOPE_CANCELED \| COS_SCOPE_SHIELD\)\) ==\s+0/COS_SCOPE_CANCELED) == 0/'
mutant - "scope: a task that ends stays in its parent's list" asan stress/stress_cancel $SCHED/scope.c 's/(struct cos_scope \*p = lock_parent\(s\);\n)    cos_list_remove\(&s->sibling\);/$1/'

# --- timers -----------------------------------------------------------------------------------------------------------------

mutant ci "wheel: due timers in the order of their addresses" plain lib/test_wheel $SCHED/wheel.c \
    's/struct cos_timer \*t = COS_CONTAINER_OF\(due->next, struct cos_timer, link\);/struct cos_list *first = due->next;\n    for (struct cos_list *n = due->next; n != due; n = n->next) {\n        first = n < first ? n : first;\n    }\n    struct cos_timer *t = COS_CONTAINER_OF(first, struct cos_timer, link);/'
mutant ci "wheel: deadlines rounded down" plain lib/test_wheel:never_early_and_not_a_tick_late $SCHED/wheel.c 's/ \+ \(ns % COS_WHEEL_TICK_NS != 0\)//'
mutant ci "timers: disarmed without waiting out who fires" tsan lib/test_timers $SCHED/timers.c \
    's/(void cos_timers_disarm.*?)    cos_lock_acquire\(&ts->lock\);\n(.*?)    cos_lock_release\(&ts->lock\);\n/$1$2/s'
mutant - "timers: nobody is told of an earlier one" plain lib/test_timers:a_scope_over_a_computation_expires_though_the_other_workers_sleep@0 $SCHED/scopes.c \
    's/\n        cos_worker_watch\(e, deadline\);//'
mutant - "timers: a busy worker's are nobody's business" plain lib/test_timers:a_task_that_computes_does_not_delay_its_neighbours_timers@0 $SCHED/worker.c \
    's/for \(uint32_t i = 1; i <= rt->workers; i\+\+\) \{\n        int64_t next/for (uint32_t i = e->id; i <= e->id; i++) {\n        int64_t next/; s/cos_timers_fire\(&victim->timers, now\) > 0/0/'
mutant - "park: a timer of a wait that is over stays armed" plain lib/test_timers:cancelled_sleepers_leave_no_timer_behind@0 $SCHED/park.c 's/timers != NULL && cause != COS_TIMED_OUT/0/'

# --- executors: nobody sleeps while there is work -----------------------------------------------------------------------------

mutant - "worker: sleeps without looking again" plain lib/test_worker:a_post_meets_every_moment_of_falling_asleep@1 $SCHED/worker.c \
    's/(cos_parker_prepare\(p, id\);\n        index = )scan\(e\)/${1}0/; s/ \|\| steal_in_sight\(e\)//'
mutant - "submit: a sleeper is woken only for the first entry" plain lib/test_worker:work_made_on_a_worker_is_stolen_by_the_others $SCHED/exec.c \
    's/ \|\| cos_parker_pushed\(&rt->parker\)\) \{/) {/'
mutant - "submit: MAIN is not rung" plain lib/test_hop:hop_goes_there_and_says_where_it_was@1 $SCHED/exec.c 's/cos_mainloop_ring\(to->rt\);/;/'
mutant - "budget: never refilled" plain lib/test_timers:tasks_that_yield_do_not_keep_the_loop_from_its_timers@0 $SCHED/mainloop.c 's/        e->budget = e->allowance;\n//'
mutant - "budget: never spent" plain lib/test_timers:tasks_that_yield_do_not_keep_the_loop_from_its_timers@1 $SCHED/exec.c 's/        e->budget--;\n        struct cos_fiber \*f/        struct cos_fiber *f/'
mutant - "worker: what MAIN made waits behind what yields here" plain lib/test_call:a_yielding_task_does_not_starve_those_that_come_later@1 $SCHED/worker.c \
    's/index = cos_injector_pop\(&e->rt->injector\);\n    \} else if/index = cos_exec_take(e);\n    } else if/; s/    if \(index == 0\) \{\n        index = cos_exec_take\(e\);\n    \}\n/    if (index == 0) {\n        index = cos_injector_pop(\&e->rt->injector);\n    }\n/'
mutant - "post: detached after it was handed over" plain lib/test_runtime:a_storm_of_posts_and_calls_from_eight_threads@3 $SCHED/spawn.c \
    's/    cos_task_make_detached\(t\);\n(    t->group = group;.*?    cos_submit\(e, t\);\n)/$1    cos_task_make_detached(t);\n/s'
mutant ci "blocking: the result is written after its task was told" tsan lib/test_blocking $SCHED/crew.c \
    's/r->result = r->fn\(r->arg\);/int64_t result = r->fn(r->arg);/; s/(            cosched_event_set\(&r->done\);)[^\n]*\n/$1\n            r->result = result;\n/'

# --- what tasks wait in --------------------------------------------------------------------------------------------------------

mutant - "channel: close does not wake senders" plain lib/test_channel:close_wakes_everybody_and_what_is_inside_can_be_drained@0 $SYNC/channel.c 's/    cos_line_flush\(&ch->senders\);\n//'
mutant ci "line: who was served does not wait for the server to be done" asan stress/stress_channel $SYNC/line.h \
    's/(cos_line_park\(.*?)    cos_lock_acquire\(lock\); [^\n]*\n/$1    if (cause != COS_WOKEN) {\n        cos_lock_acquire(lock);\n    }\n/s'
mutant ci "line: who gave up stays in line" asan lib/test_channel:deadlines_end_the_waiting_and_leave_no_trace@0 $SYNC/line.h \
    's/(waits out who[^\n]*\n)    cos_list_remove\(&cell->link\);/$1/'
mutant - "line: a cell whose wait another line has won is served all the same" plain lib/test_select $SYNC/line.h \
    's/if \(!cos_wake\(cell->ticket, COS_WOKEN\)\) \{\n        return false;\n    \}/(void)cos_wake(cell->ticket, COS_WOKEN);/'
mutant ci "group: a child counts itself out before it is done" tsan stress/stress_group $SYNC/group.c \
    's/    note\(g, result\);\n    if \(g->parallel_max/    if (g->parallel_max/; s/(== ended\) \{\n        cosched_event_set\(&g->done\);\n    \})/$1\n    note(g, result);/'
mutant - "group: counted down without acquire and release" tsan stress/stress_group $SYNC/group.c 's/ended, acq_rel\)/ended, relaxed)/'
mutant - "event: who gave up is woken by the next set" plain lib/test_event $SCHED/event.c 's/return cos_atomic_cas\(w, &seen, NOT_SET, acquire, acquire\) \?/return 1 ?/'
mutant ci "mutex: free for a moment between two holders" plain lib/test_mutex $SYNC/mutex.c 's/return next != NULL;/return cos_atomic_exchange(\&m->word, word \& WAITERS, relaxed) != 0;/'
mutant - "mutex: unlocked without release" tsan lib/test_mutex $SYNC/mutex.c 's/&seen, 0, release, relaxed/\&seen, 0, relaxed, relaxed/'
mutant - "token: cancelled during its run it runs again" plain lib/test_token:cancelled_during_a_run_that_run_goes_on_and_is_the_last@0 $SYNC/later.c 's/stop \|\| !move\(l, RUNNING, ARMED\)/stop || (move(l, RUNNING, ARMED), 0)/; s/cosched_cancelled\(\) \|\| !move\(l, ARMED, RUNNING\)/cosched_cancelled() || (cos_atomic_store(\&l->state, RUNNING, relaxed), 0)/'
mutant - "token: two cancels both stop it" plain lib/test_token:storm_of_cancels_stops_each_once@4 $SYNC/later.c 's/if \(seen == STOPPED \|\| \(/if (seen == STOPPED) {\n            return true;\n        }\n        if ((/'
mutant - "token: its record is used without the lock" tsan lib/test_token $SYNC/later.c \
    's/(    bool stopped = l != NULL [^\n]*\n)    cos_lock_release\(&t->scope.lock\);\n/    cos_lock_release(\&t->scope.lock);\n$1/'
mutant ci "await any: stays in the lists of those that go on" plain lib/test_await_any:the_one_that_ends_is_named_and_consumed_and_the_others_stay@0 $SYNC/await_any.c 's/    withdraw\(f, tasks, n\);\n    return rc;/    return rc;/'
