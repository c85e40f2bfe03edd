/* The waiting half of the join word (see the drawing in task.h). The waiter leaves its index there and its ticket in its own
 * control block, which is type-stable: whoever ends the task never touches the waiter's stack, and a waiter that has
 * given up, or consumed the task and let its block be reused, is not confused with one that still waits. */
#include "sched/join.h"

#include <errno.h>

#include "arch/fence.h"
#include "base/ticks.h"
#include "sched/events.h"
#include "sched/finish.h"
#include "sched/park.h"

static uint64_t key(cosched_task h)
{
    return (uint64_t)h.index << 32 | h.generation;
}

/* A parent that runs its child inline wants no locked operation for that. So it says INLINE, passes a light fence, and looks
 * for STRANGERS; a stranger says STRANGERS, passes a heavy fence, and looks for INLINE. One of them sees the other: the
 * parent then ends the child by compare-and-swap, as if it had run elsewhere; the stranger finds that somebody awaits it already. */
bool cos_join_stranger(struct cos_task *t)
{
    (void)cos_atomic_or(&t->scope.flags, COS_SCOPE_STRANGERS, relaxed);
    cos_fence_heavy(); /* the partner is the light fence in cos_task_run_inline */
    /* acquire: pairs with the release in cos_task_run_inline; t->fiber is set. */
    return cos_atomic_load(&t->joining, acquire) != COS_JOINING_INLINE;
}

/* Before f changes t's join word from NONE. */
static bool may_join(const struct cos_fiber *f, struct cos_task *t)
{
    return cos_atomic_load(&t->parent, relaxed) == f->current->index || cos_join_stranger(t);
}

int cos_join_wait(struct cos_fiber *f, struct cos_task *t, uint32_t generation, int64_t deadline,
                  unsigned flags)
{
    struct cos_task *base = f->base;
    for (;;) {
        /* acquire: pairs with the acq_rel in cos_task_complete; DONE publishes the result. */
        uint64_t j = cos_atomic_load(&t->join, acquire);
        uint32_t who = cos_join_who(j);
        if (cos_join_generation(j) != generation || who == COS_JOIN_DETACHED ||
            who == COS_JOIN_DETACHED_LISTED || who == COS_JOIN_ZOMBIE) {
            return -ESTALE;
        }
        if (who == COS_JOIN_DONE) {
            return 0;
        }
        if (who != COS_JOIN_NONE || !may_join(f, t)) {
            return -EBUSY;
        }
        /* relaxed: published by the release of cos_wait_begin and of the CAS below; see cos_join_wake. */
        cos_atomic_store(&base->joining, key((cosched_task){t->index, generation}), relaxed);
        cos_park_begin();
        /* acq_rel: pairs with the CAS in cos_task_complete; publishes joining and the wait word. */
        if (!cos_atomic_cas(&t->join, &j, cos_join(generation, base->index), acq_rel, relaxed)) {
            cos_park_abort();
            cos_atomic_store(&base->joining, 0, relaxed);
            continue;
        }
        enum cos_cause cause =
            cos_park_on(key((cosched_task){t->index, generation}), deadline,
                        flags | COS_PARK_FOR(flags == COS_PARK_ALWAYS ? COSCHED_FOR_CHILDREN
                                                                      : COSCHED_FOR_TASK));
        cos_atomic_store(&base->joining, 0, relaxed);
        if (cause == COS_WOKEN) {
            return 0;
        }
        j = cos_join(generation, base->index);
        /* acquire on failure: it is DONE, and completion wins. Whoever ended it holds our index and will find
         * that we no longer join. */
        return cos_atomic_cas(&t->join, &j, cos_join(generation, COS_JOIN_NONE), acq_rel, acquire)
                   ? cos_cause_error(cause)
                   : 0;
    }
}

int cos_join_enlist(struct cos_fiber *f, struct cos_task *t, uint32_t generation)
{
    uint32_t self = f->base->index;
    uint64_t j = cos_join(generation, COS_JOIN_NONE);
    if (cos_atomic_load(&t->join, relaxed) == j && !may_join(f, t)) {
        return -EBUSY;
    }
    /* acq_rel: pairs with the CAS in cos_task_complete; publishes joining and the wait word. */
    if (cos_atomic_cas(&t->join, &j, cos_join(generation, self), acq_rel, acquire)) {
        return 0;
    }
    if (cos_join_generation(j) != generation) {
        return -ESTALE;
    }
    switch (cos_join_who(j)) {
    case COS_JOIN_DONE: return 1;
    case COS_JOIN_DETACHED:
    case COS_JOIN_DETACHED_LISTED:
    case COS_JOIN_ZOMBIE: return -ESTALE;
    default: return cos_join_who(j) == self ? 0 : -EBUSY; /* our own name: it was given twice */
    }
}

void cos_join_withdraw(struct cos_fiber *f, struct cos_task *t, uint32_t generation)
{
    uint64_t j = cos_join(generation, f->base->index);
    /* acq_rel as in cos_join_wait; failure: it has ended, or our name never was there. */
    (void)cos_atomic_cas(&t->join, &j, cos_join(generation, COS_JOIN_NONE), acq_rel, relaxed);
}

bool cos_join_of_itself(const struct cos_fiber *f, const struct cos_task *t)
{
    for (const struct cos_frame *frame = f->frames; frame != NULL; frame = frame->outer) {
        if (frame->task == t) {
            return true;
        }
    }
    return t == f->current;
}

int cos_join_consume(struct cos_exec *e, struct cos_task *self, struct cos_task *t,
                     uint32_t generation)
{
    uint64_t j = cos_join(generation, COS_JOIN_DONE);
    /* relaxed: ours, or compared with a generation below */
    uint32_t parent = cos_atomic_load(&t->parent, relaxed);
    if (parent == self->index) {
        /* acq_rel: pairs with cosched_cancel's look at the generation (see cos_task_recycle). */
        if (!cos_atomic_cas(&t->join, &j, cos_join(generation + 1, COS_JOIN_NONE), acq_rel,
                            relaxed)) {
            return -ESTALE;
        }
        cos_kids_remove(self, t);
        cos_task_recycle(&e->tasks, t);
        return 0;
    }
    /* Listed by its parent, who alone may unlist it. */
    if (!cos_atomic_cas(&t->join, &j, cos_join(generation + 1, COS_JOIN_ZOMBIE), acq_rel, relaxed)) {
        return -ESTALE;
    }
    cos_kids_hint(cos_task_at(parent));
    return 0;
}

void cos_join_wake(struct cos_exec *e, uint32_t waiter, cosched_task ended)
{
    struct cos_task *w = cos_task_at(waiter);
    /* acquire: pairs with the release in cos_wait_begin. If this is a later wait than the one that joined us, then
     * joining was cleared before it began, and we see that. One exception: that later wait may be for several tasks again
     * (COS_JOINING_ANY), and then our wake-up is one too many, which such a wait puts up with. */
    uint64_t word = cos_atomic_load(&w->wait.word, acquire);
    uint64_t joining = cos_atomic_load(&w->joining, relaxed);
    if (joining != key(ended) && joining != COS_JOINING_ANY) {
        return;
    }
    uint64_t at = cos_ticks_now();
    enum cos_claim claim = cos_wait_claim(&w->wait, cos_wait_word_seq(word), COS_WOKEN);
    if (claim == COS_CLAIM_SUBMIT) {
        cos_event_wake(w, COS_WOKEN, at);
        cos_submit_next(e, w);
    }
}
