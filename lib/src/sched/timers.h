/* The timers of one executor: a wheel under a small lock, so that any thread may disarm, and a searching worker may fire
 * what a busy neighbour leaves lying. */
#ifndef COS_SCHED_TIMERS_H
#define COS_SCHED_TIMERS_H
#include "arch/lock.h"
#include "base/atomic.h"
#include "sched/wheel.h"

struct cos_task;

struct cos_timers {
    struct cos_lock lock; /* guards wheel; taken before any scope lock */
    COS_ATOMIC(int64_t)
    next; /* when to look again, INT64_MAX never; written under the lock, read by anybody */
    COS_ATOMIC(uint64_t) armed; /* how many; written under the lock */
    struct cos_wheel wheel;
};

void cos_timers_init(struct cos_timers *ts, int64_t now);

/* Arms t->timer. The owner of t, on the executor whose timers these are. */
void cos_timers_arm(struct cos_timers *ts, struct cos_task *t, int64_t deadline_ns);
/* The same for a task below the root whose scope is not linked. False: the root is cancelled, and cos_timers_cancel will not, or
 * did not, meet it. */
bool cos_timers_arm_unlinked(struct cos_timers *ts, struct cos_task *t, int64_t deadline_ns);
/* Cancels every task here that has not started. After the root is; any thread. */
void cos_timers_cancel(struct cos_timers *ts);
/* When it returns the timer is not armed and nobody is firing it. Any thread. */
void cos_timers_disarm(struct cos_timers *ts, struct cos_task *t);

/* Fires what is due: ends waits with COS_TIMED_OUT, cancels scopes. Any executor. How many. */
unsigned cos_timers_fire(struct cos_timers *ts, int64_t now);

static inline int64_t cos_timers_next(const struct cos_timers *ts)
{
    return cos_atomic_load(&ts->next, relaxed); /* a hint; the lock decides */
}
#endif
