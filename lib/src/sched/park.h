/* Park and wake: how a task waits, whatever it waits for.
 *
 *   ticket = cos_park_begin();           the wait word says PARKING: sources may be armed from here on
 *   arm the sources with the ticket      (a channel's list, an operation, an event …)
 *   cause = cos_park(deadline, flags);   leaves the stack; returns when one source has claimed the wait
 *   withdraw from the other sources
 *
 * A ticket {task index, sequence} is a value and may be used late: a claim on a wait that is over is refused.
 * One claim wins; whoever wins makes the task runnable exactly once, or leaves that to the commit when the task has
 * not left its stack yet (DESIGN D12, queue/wait.h). */
#ifndef COS_SCHED_PARK_H
#define COS_SCHED_PARK_H
#include <stdbool.h>
#include <stdint.h>

struct cos_exec;
struct cos_fiber;

enum cos_cause { COS_NONE, COS_WOKEN, COS_TIMED_OUT, COS_CANCELED, COS_ARRIVED };

enum {
    COS_PARK_NO_CANCEL = 1,   /* cancellation does not end this wait */
    COS_PARK_NO_DEADLINE = 2, /* nor does time */
    COS_PARK_ALWAYS = 3
};

/* In the flags: what is waited for, for who looks in (reason.h); and of how many things the object is an array. */
#define COS_PARK_FOR(reason) ((unsigned)(reason) << 8)
#define COS_PARK_OF(count)   ((unsigned)(count) << 16)

/* Begins a wait of the running task. On an executor, inside a task. */
uint64_t cos_park_begin(void);

/* Waits. When the task is cancelled already, or the deadline has passed, it returns at once unless a source was faster.
 * May suspend; the caller may run on another thread afterwards. */
enum cos_cause cos_park(int64_t deadline, unsigned flags);

/* The same, and what it is waited for by name: an address, or what cosched_reason says. */
enum cos_cause cos_park_on(uint64_t object, int64_t deadline, unsigned flags);

/* The same with a commit of the caller's (exec.h): it runs after the task has left its stack, unless the wait ended at once. */
enum cos_cause cos_park_by(void (*commit)(struct cos_exec *e, struct cos_fiber *left),
                           uint64_t object, int64_t deadline, unsigned flags);

/* Gives up a wait that was begun and not parked: COS_CANCELED, or what a source had claimed it with. */
enum cos_cause cos_park_abort(void);

/* Claims the wait and makes its task runnable. False: it was over, or somebody else won. Any thread; never blocks;
 * the waiting frame may be gone when this returns. */
bool cos_wake(uint64_t ticket, enum cos_cause cause);

/* The negative errno for a cause that is not success. */
int cos_cause_error(enum cos_cause cause);
#endif
