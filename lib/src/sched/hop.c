/* Two ways to travel. The way home puts the task itself into the other executor's queue. The outbound half of a call can be
 * withdrawn: what is queued is a block of its own that names the waiting task, and must claim its wait on arrival; a deadline
 * or a cancellation may be faster, and then the block is a harmless leftover in the queue.
 *
 * A block that has done its work travels with the fiber and is given back at home: were it given to the executor where it
 * arrived, blocks would flow one way only, through the depot and its lock. */
#include "sched/hop.h"

#include <errno.h>

#include "base/clock.h"
#include "base/ticks.h"
#include "sched/events.h"
#include "sched/park.h"
#include "sched/reason.h"
#include "sched/runtime.h"

bool cos_is_here(const struct cos_exec *e, const struct cos_fiber *f, cosched_affinity to)
{
    return to == COSCHED_INHERIT || f->affinity == to ||
           (cos_runs_on_main(e->rt, f->affinity) && cos_runs_on_main(e->rt, (uint8_t)to));
}

static void count_hop(struct cos_exec *e, uint8_t to)
{
    if (to == COSCHED_WORKER) {
        COS_COUNT(e, hops_to_worker);
    } else {
        COS_COUNT(e, hops_to_main);
    }
}

/* f runs again, on the executor that it travelled to. */
static void measure_hop(const struct cos_fiber *f)
{
    if (COS_TRACED) {
        cos_histogram_count_owner(&cos_exec_current()->hops,
                                  cos_ticks_between(f->hop_at, cos_ticks_now()));
    }
}

static void commit_hop(struct cos_exec *e, struct cos_fiber *left)
{
    left->affinity = left->hop_to;
    cos_fiber_rules(left);
    cos_submit(e, left->base);
}

void cos_hop(cosched_affinity to)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_self(&e);
    count_hop(e, (uint8_t)to);
    if (cos_is_here(e, f, to)) {
        f->affinity = (uint8_t)to; /* without workers: a change of name */
        cos_fiber_rules(f);
        return;
    }
    f->hop_to = (uint8_t)to;
    f->hop_at = cos_ticks_now();
    /* As the word says: the fiber may not have waited yet, and its task's block have had waits before. relaxed: nobody changes it
     * while the task runs. */
    uint32_t seq = cos_wait_word_seq(cos_atomic_load(&f->base->wait.word, relaxed));
    cos_reason_set(&f->reason, seq, COSCHED_FOR_THREAD, f->current->index, (uint64_t)to,
                   cos_clock_coarse());
    f->trace = COSCHED_FOR_THREAD;
    cos_event_hop(f->base, (uint8_t)to, f->hop_at);
    cos_leave(e, commit_hop);
    measure_hop(f);
    cos_reason_clear(&f->reason);
}

static void commit_hop_until(struct cos_exec *e, struct cos_fiber *left)
{
    struct cos_task *base = left->base;
    struct cos_task *block = left->hop;
    left->hop = NULL; /* before the commit: afterwards the fiber may run elsewhere */
    block->traveler = left;
    block->sp = left->ctx.sp;
    if (cos_wait_commit(&base->wait, left->wait_seq)) {
        cos_submit(e, block);
    } else {
        cos_task_free(&e->tasks, block);
        cos_submit(e, base);
    }
}

int cos_hop_until(cosched_affinity to, int64_t deadline)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_self(&e);
    if (cos_is_here(e, f, to)) {
        count_hop(e, (uint8_t)to);
        f->affinity = (uint8_t)to;
        cos_fiber_rules(f);
        return 0;
    }
    struct cos_task *block = f->hop_spare != NULL ? f->hop_spare : cos_task_alloc(&e->tasks);
    f->hop_spare = NULL;
    if (block == NULL) {
        return -ENOMEM;
    }
    count_hop(e, (uint8_t)to);
    block->kind = COS_TASK_HOP;
    block->affinity = (uint8_t)to;
    block->flags = f->base->flags & COS_TASK_PRIORITY;
    cos_atomic_store(&block->ticket, cos_park_begin(), relaxed);
    f->hop = block;
    f->hop_at = cos_ticks_now();
    cos_event_hop(f->base, (uint8_t)to, f->hop_at);
    enum cos_cause cause =
        cos_park_by(commit_hop_until, (uint64_t)to, deadline, COS_PARK_FOR(COSCHED_FOR_THREAD));
    if (f->hop != NULL) { /* it never left */
        f->hop = NULL;
        e = cos_exec_current();
        cos_task_free(&e->tasks, block);
    }
    if (cause != COS_ARRIVED) {
        return cos_cause_error(cause);
    }
    measure_hop(f);
    return 0;
}

struct cos_fiber *cos_hop_arrive(struct cos_exec *e, struct cos_task *block)
{
    uint64_t ticket = cos_atomic_load(&block->ticket, relaxed); /* ours since it was queued */
    uint8_t to = block->affinity;
    struct cos_task *traveler = cos_task_at((uint32_t)(ticket >> 32));
    cos_fiber_warm(block->traveler, block->sp);
    if (cos_wait_claim(&traveler->wait, (uint32_t)ticket, COS_ARRIVED) != COS_CLAIM_SUBMIT) {
        cos_task_free(&e->tasks, block);
        return NULL;
    }
    struct cos_fiber *f = cos_task_fiber(traveler);
    f->affinity = to;
    cos_fiber_rules(f);
    f->hop_spare = block;
    return f;
}

void cos_hop_home(struct cos_fiber *f)
{
    struct cos_task *block = f->hop_spare;
    if (block != NULL) {
        f->hop_spare = NULL;
        /* Nobody ever had a handle to it: its generation may stay, and no locked operation waits for its line. */
        cos_task_recycle(&cos_exec_current()->tasks, block);
    }
}
