/* See armed.h. */
#include "sched/armed.h"

#include "sched/park.h"
#include "sched/runtime.h"

/* MAIN's tasks wait on MAIN's wheel, whoever made them, so that they start in the order of their times. */
static struct cos_exec *wheel_for(struct cosched_runtime *rt, struct cos_exec *e, uint8_t affinity)
{
    if (cos_runs_on_main(rt, affinity)) {
        return rt->main;
    }
    return e->kind == COS_EXEC_WORKER ? e : rt->execs[1];
}

/* Its wait has begun. False: it is cancelled already. */
static bool arm(struct cos_exec *at, struct cos_task *t, uint64_t ticket, int64_t deadline)
{
    if (deadline == COSCHED_NEVER) { /* in no wheel, where a canceler of the root would find it */
        return !cos_scope_watch(&t->scope, ticket);
    }
    bool lives = cos_timers_arm_unlinked(&at->timers, t, deadline);
    /* seq_cst exchange, then seq_cst load: as in cos_scope_watch. */
    (void)cos_atomic_exchange(&t->scope.ticket, ticket, seq_cst);
    return (cos_atomic_load(&t->scope.flags, seq_cst) & COS_SCOPE_CANCELED) == 0 && lives;
}

void cos_task_start_at(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t,
                       int64_t deadline)
{
    COS_ASSERT(t->affinity != COSCHED_BLOCKING &&
               (t->flags & (COS_TASK_ARG_COPY | COS_TASK_TIMEOUT)) == 0);
    struct cos_exec *at = wheel_for(rt, e, t->affinity);
    t->flags |= COS_TASK_ARMED;
    uint64_t token = cos_atomic_load(&t->joining, relaxed) & COS_JOINING_TOKEN;
    /* published by the wait word; of a token by whatever publishes that */
    cos_atomic_store(&t->joining, token | (at->id + 1), relaxed);
    t->timer = (struct cos_timer){.armed = false};
    /* PARKING while its sources are armed: whoever claims it leaves the submission to us, so it cannot end under our hands. */
    uint32_t seq = cos_wait_begin(&t->wait);
    if (!arm(at, t, (uint64_t)t->index << 32 | seq, deadline)) {
        cos_wait_claim(&t->wait, seq,
                       COS_CANCELED); /* lost: another source was faster, it is the same */
    }
    if (!cos_wait_commit(&t->wait, seq)) {
        cos_submit(e, t);
    } else if (at == rt->main && e != at) {
        cos_mainloop_ring(rt); /* its poll may have a later deadline */
    } else {
        cos_worker_watch(at, deadline);
    }
}

/* Of one that may be not linked, below the root. */
static bool is_canceled(struct cos_task *t)
{
    const struct cos_scope *root = cos_atomic_load(&t->scope.parent, relaxed);
    /* relaxed, both: it counts from when we see it; a wait links the scope and misses nothing. */
    if (COS_UNLIKELY((cos_atomic_load(&root->flags, relaxed) & COS_SCOPE_CANCELED) != 0)) {
        cos_scope_link(&t->scope); /* inherits it */
    }
    return (cos_atomic_load(&t->scope.flags, relaxed) & COS_SCOPE_CANCELED) != 0;
}

bool cos_task_unarm(struct cos_task *t)
{
    /* relaxed: the queue that brought t here was filled by who claimed its wait (acq_rel). */
    uint64_t armed = cos_atomic_load(&t->joining, relaxed);
    bool token = (armed & COS_JOINING_TOKEN) != 0;
    if (token) {
        /* acq_rel: pairs with the CAS of whoever stops it (later.c). */
        armed = cos_atomic_exchange(&t->joining, 0, acq_rel);
    } else {
        cos_atomic_store(&t->joining, 0, relaxed);
    }
    uint32_t exec = (uint32_t)armed;
    if (exec != 0 && cos_wait_end(&t->wait) != COS_TIMED_OUT) {
        cos_timers_disarm(&cos_runtime()->execs[exec - 1]->timers, t);
    }
    return !token || ((armed & COS_JOINING_STOPPED) == 0 && !is_canceled(t));
}
