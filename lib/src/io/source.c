/* See source.h. `state` is taken and given like a lock: acquire with a claim, release at its end, so what one operation
 * did to a side is seen by the next, on whatever thread. Disposal acquires from every user. */
#include "io/source.h"

#include <errno.h>

#include "base/clock.h"
#include "sched/current.h"
#include "sched/hop.h"
#include "sched/park.h"
#include "sched/scope.h"

enum { CLAIM_READ = 1 << COS_READ_SIDE, CLAIM_WRITE = 1 << COS_WRITE_SIDE, SHUT = 4, CLOSED = 8 };

#define CLAIMS (UINT32_C(0) | CLAIM_READ | CLAIM_WRITE)
/* Tries that may succeed at once before the others of this executor have their turn. */
#define STREAK 64

void cos_source_init(struct cos_source *s, void (*dispose)(struct cos_source *s))
{
    s->dispose = dispose;
    cos_atomic_init(&s->state, 0);
    for (int i = 0; i < COS_SIDES; i++) {
        cos_atomic_init(&s->side[i].ticket, 0);
        s->side[i].streak = 0;
    }
}

bool cos_source_wake(struct cos_source *s, enum cos_side side)
{
    /* seq_cst: with the one in cos_op_wait; either shut sees the ticket or the waiter sees SHUT. */
    uint64_t ticket = cos_atomic_exchange(&s->side[side].ticket, 0, seq_cst);
    return ticket != 0 && cos_wake(ticket, COS_WOKEN);
}

void cos_source_shut(struct cos_source *s)
{
    cos_atomic_or(&s->state, SHUT, seq_cst); /* store-load with the tickets: see cos_source_wake */
    cos_source_wake(s, COS_READ_SIDE);
    cos_source_wake(s, COS_WRITE_SIDE);
}

/* On MAIN, whatever it takes; a pinned task of another thread cannot, and neither can a thread without a task. */
static void dispose_of(struct cos_source *s)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL) {
        COS_ASSERT(e != NULL && e->kind == COS_EXEC_MAIN &&
                   "I/O objects are closed by tasks, or on MAIN");
        s->dispose(s);
        return;
    }
    COS_ASSERT((!f->pinned || cos_is_here(e, f, COSCHED_MAIN)) &&
               "I/O objects are closed where MAIN can be reached");
    cosched_affinity home = (cosched_affinity)f->affinity;
    if (home != COSCHED_MAIN) {
        cos_hop(COSCHED_MAIN);
    }
    s->dispose(s);
    if (home != COSCHED_MAIN) {
        cos_hop(home);
    }
}

void cos_source_close(struct cos_source *s)
{
    cos_source_shut(s);
    /* acq_rel: pairs with the end of the operations. After this the source may be gone, if a claim was left. */
    if ((cos_atomic_or(&s->state, CLOSED, acq_rel) & CLAIMS) == 0) {
        dispose_of(s);
    }
}

int cos_io_allowed(void)
{
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL || (f->pinned && !cos_is_here(e, f, COSCHED_MAIN))) {
        return -EPERM;
    }
    return cos_scope_canceled(f->scope, &f->base->scope) ? -ECANCELED : 0;
}

bool cos_io_expired(int64_t deadline)
{
    return deadline != COSCHED_NEVER && deadline <= cos_clock_now();
}

int cos_op_begin(struct cos_op *op, struct cos_source *s, enum cos_side side)
{
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    if ((cos_atomic_load(&s->state, relaxed) & SHUT) != 0) { /* relaxed: a wait looks again */
        return -ECANCELED;
    }
    /* acquire: pairs with the release in cos_op_end. */
    if ((cos_atomic_or(&s->state, UINT32_C(1) << side, acquire) & UINT32_C(1) << side) != 0) {
        return -EBUSY;
    }
    struct cos_fiber *f = cos_fiber_self(NULL);
    *op = (struct cos_op){.source = s, .fiber = f, .side = side, .home = f->affinity};
    return 0;
}

void cos_op_breathe(struct cos_op *op, int64_t deadline)
{
    uint32_t *streak = &op->source->side[op->side].streak;
    if (++*streak > STREAK && deadline != COSCHED_NOW) {
        *streak = 0;
        cosched_yield();
    }
}

void cos_op_to_main(struct cos_op *op)
{
    if (op->fiber->affinity != COSCHED_MAIN) {
        cos_hop(COSCHED_MAIN);
    }
}

bool cos_op_is_shut(const struct cos_op *op)
{
    return (cos_atomic_load(&op->source->state, seq_cst) & SHUT) != 0; /* see cos_source_wake */
}

int cos_op_wait(struct cos_op *op, int64_t deadline)
{
    op->source->side[op->side].streak = 0;
    COS_ATOMIC(uint64_t) *ticket = &op->source->side[op->side].ticket;
    cos_atomic_store(ticket, cos_park_begin(), seq_cst); /* see cos_source_wake */
    enum cos_cause cause = cos_op_is_shut(op) ? cos_park_abort() : cos_park(deadline, 0);
    cos_atomic_store(ticket, 0, relaxed); /* who has it still loses its claim on this wait */
    if (cos_op_is_shut(op)) {
        return -ECANCELED;
    }
    return cause == COS_WOKEN ? 0 : cos_cause_error(cause);
}

void cos_op_end(struct cos_op *op)
{
    struct cos_fiber *f = op->fiber;
    /* acq_rel: pairs with the next begin, and with whoever disposes. */
    uint32_t before = cos_atomic_and(&op->source->state, ~(UINT32_C(1) << op->side), acq_rel);
    if ((before & CLOSED) != 0 && (before & CLAIMS) == UINT32_C(1) << op->side) {
        dispose_of(op->source);
    }
    if (f->affinity != op->home) {
        cos_hop((cosched_affinity)op->home);
    }
}
