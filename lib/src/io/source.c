/* See source.h. `state` is taken and given like a lock: acquire with a claim, release at its end, so what one operation
 * did to a side is seen by the next, on whatever thread. Disposal acquires from every user. */
#include "io/source.h"

#include <errno.h>

#include "base/assert.h"
#include "base/clock.h"
#include "sched/exec.h"
#include "sched/park.h"
#include "sched/scope.h"

enum { CLAIM_READ = 1 << COS_READ_SIDE, CLAIM_WRITE = 1 << COS_WRITE_SIDE, SHUT = 4, CLOSED = 8 };

#define CLAIMS (UINT32_C(0) | CLAIM_READ | CLAIM_WRITE)
/* Tries that may succeed at once before the others of this executor have their turn. */
#define STREAK 64

void cos_source_init(struct cos_source *s, void (*dispose)(struct cos_source *s))
{
    s->dispose = dispose;
    s->reason = COS_PARK_FOR(COSCHED_FOR_IO);
    s->object = UINT64_MAX;
    cos_atomic_init(&s->state, 0);
    for (int i = 0; i < COS_SIDES; i++) {
        cos_atomic_init(&s->side[i].word, 0);
        s->side[i].streak = 0;
    }
}

void cos_source_wake(struct cos_source *s, enum cos_side side)
{
    /* seq_cst: with the ones in cos_op_wait; either shut sees the ticket or the waiter sees SHUT. Also a release: pairs with
     * the acquires there, for what the news are about. */
    uint64_t before = cos_atomic_exchange(&s->side[side].word, COS_SIDE_NEWS, seq_cst);
    if (before > COS_SIDE_NEWS) {
        cos_wake(before, COS_WOKEN); /* a stale one loses: whoever had it tries again anyway */
    }
}

void cos_source_shut(struct cos_source *s)
{
    cos_atomic_or(&s->state, SHUT, seq_cst); /* store-load with the sides: see cos_source_wake */
    cos_source_wake(s, COS_READ_SIDE);
    cos_source_wake(s, COS_WRITE_SIDE);
}

void cos_source_close(struct cos_source *s)
{
    cos_source_shut(s);
    /* acq_rel: pairs with the end of the operations. After this the source may be gone, if a claim was left. */
    if ((cos_atomic_or(&s->state, CLOSED, acq_rel) & CLAIMS) == 0) {
        s->dispose(s);
    }
}

int cos_io_allowed(void)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    if (f == NULL) {
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
    *op = (struct cos_op){.source = s, .side = side};
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

bool cos_op_is_shut(const struct cos_op *op)
{
    return (cos_atomic_load(&op->source->state, seq_cst) & SHUT) != 0; /* see cos_source_wake */
}

/* The caller has begun a wait. False: there are news already. */
static bool arm(struct cos_op *op, uint64_t ticket)
{
    uint64_t none = 0;
    return cos_atomic_cas(&op->source->side[op->side].word, &none, ticket, seq_cst, seq_cst);
}

/* After a wait: a try follows, so older news are of no use; who has the ticket still loses its claim on this wait. */
static void disarm(struct cos_op *op)
{
    /* acquire: pairs with cos_source_wake. */
    (void)cos_atomic_exchange(&op->source->side[op->side].word, 0, acquire);
}

int cos_op_wait(struct cos_op *op, int64_t deadline)
{
    uint64_t ticket = cos_park_begin();
    enum cos_cause cause = COS_WOKEN;
    if (!arm(op, ticket)) {
        cos_park_abort(); /* others of this executor did not have their turn: the streak goes on */
    } else if (cos_op_is_shut(op)) {
        cos_park_abort();
    } else {
        op->source->side[op->side].streak = 0;
        cause = cos_park_on(op->source->object, deadline, op->source->reason);
    }
    disarm(op);
    if (cos_op_is_shut(op)) {
        return -ECANCELED;
    }
    return cause == COS_WOKEN ? 0 : cos_cause_error(cause);
}

int cos_op_wait_any(struct cos_op *ops, size_t count, int64_t deadline)
{
    uint64_t ticket = cos_park_begin();
    size_t armed = 0;
    while (armed < count && arm(&ops[armed], ticket)) {
        armed++;
    }
    enum cos_cause cause = COS_WOKEN;
    if (armed < count) {
        cos_park_abort();
    } else {
        uint64_t object = count == 1 ? ops[0].source->object : UINT64_MAX;
        cause = cos_park_on(object, deadline, COS_PARK_FOR(COSCHED_FOR_IO));
    }
    for (size_t i = 0; i < count; i++) {
        disarm(&ops[i]);
    }
    return cause == COS_WOKEN ? 0 : cos_cause_error(cause);
}

void cos_op_end(struct cos_op *op)
{
    struct cos_source *s = op->source;
    uint32_t mine = UINT32_C(1) << op->side;
    /* acq_rel: pairs with the next begin, and with whoever disposes. */
    uint32_t before = cos_atomic_and(&s->state, ~mine, acq_rel);
    if ((before & CLOSED) != 0 && (before & CLAIMS) == mine) {
        s->dispose(s);
    }
}
