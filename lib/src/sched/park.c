/* The waiting side and the waking side; see park.h. */
#include "sched/park.h"

#include <errno.h>

#include "base/clock.h"
#include "base/ticks.h"
#include "sched/current.h"
#include "sched/events.h"
#include "sched/reason.h"
#include "sched/runtime.h"

uint64_t cos_park_begin(void)
{
    struct cos_fiber *f = cos_fiber_self(NULL);
    f->wait_seq = cos_wait_begin(&f->base->wait);
    return (uint64_t)f->base->index << 32 | f->wait_seq;
}

enum cos_cause cos_park_abort(void)
{
    struct cos_fiber *f = cos_fiber_self(NULL);
    bool won = cos_wait_abort(&f->base->wait, f->wait_seq);
    enum cos_cause cause = (enum cos_cause)cos_wait_end(&f->base->wait);
    return won ? COS_CANCELED : cause;
}

/* Runs after the fiber has left its stack. */
static void commit_park(struct cos_exec *e, struct cos_fiber *left)
{
    struct cos_task *base = left->base;
    if (!cos_wait_commit(&base->wait, left->wait_seq)) {
        cos_submit(e, base);
    }
}

/* Ends the wait without parking, unless a source was faster. */
static enum cos_cause give_up(enum cos_cause why)
{
    enum cos_cause winner = cos_park_abort();
    return winner == COS_CANCELED ? why : winner;
}

static enum cos_cause park(cos_commit_fn commit, uint64_t object, int64_t deadline, unsigned flags)
{
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_self(&e);
    struct cos_task *base = f->base;
    uint64_t ticket = (uint64_t)base->index << 32 | f->wait_seq;
    if ((flags & COS_PARK_NO_CANCEL) == 0 && cos_scope_watch(f->scope, ticket)) {
        return give_up(COS_CANCELED);
    }
    int64_t now;
    if ((flags & COS_PARK_NO_DEADLINE) != 0 || deadline == COSCHED_NEVER) {
        deadline = COSCHED_NEVER;
        now = cos_clock_coarse();
    } else {
        now = cos_clock_now();
        if (deadline <= now) {
            return give_up(COS_TIMED_OUT);
        }
    }
    cos_reason_set(&f->reason, f->wait_seq, flags >> 8, f->current->index, object, now);
    f->trace = (uint8_t)((flags >> 8) & COS_TRACE_WHY);
    struct cos_timers *timers = NULL;
    if (deadline != COSCHED_NEVER) {
        timers = &e->timers; /* stays there, though the executor may be another one afterwards */
        cos_timers_arm(timers, base, deadline);
        cos_worker_watch(e, deadline);
    }
    cos_leave(e, commit);
    enum cos_cause cause = (enum cos_cause)cos_wait_end(&base->wait);
    if (timers != NULL && cause != COS_TIMED_OUT) {
        cos_timers_disarm(timers, base);
    }
    return cause;
}

enum cos_cause cos_park(int64_t deadline, unsigned flags)
{
    return park(commit_park, 0, deadline, flags);
}

enum cos_cause cos_park_on(uint64_t object, int64_t deadline, unsigned flags)
{
    return park(commit_park, object, deadline, flags);
}

enum cos_cause cos_park_by(cos_commit_fn commit, uint64_t object, int64_t deadline, unsigned flags)
{
    return park(commit, object, deadline, flags);
}

bool cos_wake(uint64_t ticket, enum cos_cause cause)
{
    struct cos_task *t = cos_task_at((uint32_t)(ticket >> 32));
    uint64_t at = cos_ticks_now();
    switch (cos_wait_claim(&t->wait, (uint32_t)ticket, (uint8_t)cause)) {
    case COS_CLAIM_LOST: return false;
    case COS_CLAIM_COMMIT:
        if (cos_exec_current() !=
            NULL) { /* the task needs nobody any more: a stranger may outlive the runtime */
            cos_event_wake(t, cause, at);
        }
        return true;
    case COS_CLAIM_SUBMIT:
        cos_event_wake(t, cause, at);
        cos_submit(cos_exec_current(), t);
        return true;
    }
    COS_UNREACHABLE();
}

int cos_cause_error(enum cos_cause cause)
{
    return cause == COS_TIMED_OUT ? -ETIMEDOUT : -ECANCELED;
}
