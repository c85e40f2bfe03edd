/* See branch.h. On executors. */
#include "sched/branch.h"

#include "base/ticks.h"
#include "sched/events.h"
#include "sched/park.h"
#include "sched/scopes.h"

void cos_branch_start(struct cos_exec *e, struct cos_task *t)
{
    struct cos_branch *b = t->branch; /* the entry published it, and what the forker wrote */
    const struct cos_forks *forks = b->forks;
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    t->kind = COS_TASK_BODY;
    t->affinity = forks->home == COSCHED_BLOCKING ? (uint8_t)COSCHED_WORKER : forks->home;
    t->flags =
        (uint16_t)(COS_TASK_FORKED | COSCHED_SKIP_IF_CANCELED | (forks->traits & COS_FIBER_OF_BASE));
    t->stack_kib = 0;
    t->fn = b->fn;
    cos_atomic_store(&t->arg, b->arg, relaxed);
    t->name = NULL;
    t->group = (struct cos_group *)(void *)b;
    t->kids = 0;
    cos_atomic_store(&t->parent, 0, relaxed);
    cos_atomic_store(&t->joining, 0, relaxed);
    cos_scope_init(&t->scope, forks->scope, 0);
    cos_scope_retain(forks->scope); /* the forker holds one itself */
    /* Nobody awaits it by its handle, and nobody lets it go. */
    cos_atomic_store(&t->join, cos_join(generation, COS_JOIN_DETACHED), relaxed);
    uint64_t offer = cos_offer(0, t->index, COS_MARK_OFFERED);
    /* release: pairs with the acquire in cos_forks_undo, which may cancel it from here on. */
    if (!cos_atomic_cas(&b->offer, &offer, cos_offer(generation, t->index, COS_MARK_STARTED),
                        release, relaxed)) {
        cos_atomic_store(&t->scope.flags, COS_SCOPE_CANCELED, relaxed); /* it was withdrawn */
    }
    /* release: pairs with the acquire in cos_look_at, as in cos_task_make. */
    cos_atomic_store(&t->refs, cos_task_stamp(generation), release);
    COS_COUNT(e, spawned);
    cos_event_spawn(t);
}

void cos_branch_leave(struct cos_task *t)
{
    struct cos_branch *b = (struct cos_branch *)(void *)t->group;
    uint64_t offer = cos_atomic_load(&b->offer, relaxed);
    /* relaxed: published by its end. It may have been withdrawn, and will not be called then. */
    if (cos_offer_mark(offer) == COS_MARK_STARTED) {
        (void)cos_atomic_cas(&b->offer, &offer, cos_offer(0, t->index, COS_MARK_LEFT), relaxed,
                             relaxed);
    }
}

void cos_branch_end(struct cos_exec *e, struct cos_branch *b, int64_t result, bool panicked)
{
    struct cos_forks *forks = b->forks;
    uint64_t offer = cos_atomic_load(&b->offer, relaxed);
    if (cos_offer_mark(offer) != COS_MARK_LEFT) {
        /* relaxed: published below. The forker may withdraw it this moment, in a panic: then nobody reads the mark any more. */
        cos_atomic_store(
            &b->offer,
            cos_offer(0, cos_offer_index(offer), panicked ? COS_MARK_PANICKED : COS_MARK_ENDED),
            relaxed);
    }
    b->result = result;
    /* acq_rel: pairs with cos_forks_join; the result is there. Before this the frame cannot go; nor after it, if we are
     * the last, for the forker waits until it is woken. */
    if (cos_atomic_sub(&forks->open, 1, acq_rel) != 1) {
        return;
    }
    uint64_t ticket = forks->ticket;
    struct cos_task *forker = cos_task_at((uint32_t)(ticket >> 32));
    uint64_t at = cos_ticks_now();
    if (cos_wait_claim(&forker->wait, (uint32_t)ticket, COS_WOKEN) == COS_CLAIM_SUBMIT) {
        cos_event_wake(forker, COS_WOKEN, at);
        cos_submit_next(e, forker);
    }
}

/* --- the forker's side ------------------------------------------------------------------------------------- */

/* One that others took, for who looks in. */
static uint64_t one_of(const struct cos_forks *forks)
{
    for (const struct cos_branch *b = forks->end - 1; b > forks->first; b--) {
        uint64_t offer = cos_atomic_load(&b->offer, relaxed);
        if (cos_offer_mark(offer) == COS_MARK_STARTED) {
            cosched_task task = cos_offer_task(offer);
            return (uint64_t)task.index << 32 | task.generation;
        }
    }
    return 0;
}

/* Nothing but the last of them wakes the forker: what they tell their end to is in its frame. */
void cos_forks_join(struct cos_forks *forks)
{
    /* acquire: pairs with cos_branch_end. */
    if (cos_atomic_load(&forks->open, acquire) == COS_FORKS_OPEN) {
        return;
    }
    forks->ticket = cos_park_begin();
    /* acq_rel: pairs with cos_branch_end; publishes the ticket. */
    if (cos_atomic_sub(&forks->open, COS_FORKS_OPEN, acq_rel) == COS_FORKS_OPEN) {
        (void)cos_park_abort();
    } else {
        (void)cos_park_on(one_of(forks), COSCHED_NEVER,
                          COS_PARK_ALWAYS | COS_PARK_FOR(COSCHED_FOR_CHILDREN));
    }
}

void cos_forks_undo(struct cos_forks *forks)
{
    if (forks->at == forks->end) { /* they are joined */
        return;
    }
    for (struct cos_branch *b = forks->at + 1; b < forks->end; b++) {
        if (cos_atomic_load(&b->offer, relaxed) != 0 && !cos_offer_take_back(cos_exec_current(), b)) {
            cos_forks_lost(forks);
        }
    }
    for (struct cos_branch *b = forks->first + 1; b < forks->end; b++) {
        uint32_t index = cos_offer_index(cos_atomic_load(&b->offer, relaxed));
        /* acquire: pairs with cos_branch_start. At those that were taken back nobody looks any more. */
        uint64_t was =
            cos_atomic_exchange(&b->offer, cos_offer(0, index, COS_MARK_WITHDRAWN), acquire);
        if (cos_offer_mark(was) == COS_MARK_STARTED) {
            cosched_cancel(cos_offer_task(was));
        }
    }
    cos_forks_join(forks);
}
