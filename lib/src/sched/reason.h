/* What a task waits for: a record for whoever looks in from outside, without stopping anybody.
 *
 * In the header of its fiber, which only a task that has started has; one that waits for its start waits for its time. The
 * waiting task writes it, just before it leaves its stack; nobody takes it back: it counts while the wait word of the fiber's base
 * task says that this very wait goes on. A task on its way to another executor has no wait then, and takes its record back on
 * arrival.
 *
 * Stacks stay mapped while the runtime lives, so reading a header is no fault, but it is that fiber's only while its base task
 * lives: who reads asks for that again afterwards. */
#ifndef COS_SCHED_REASON_H
#define COS_SCHED_REASON_H
#include <cosched/cosched.h>

#include "base/atomic.h"

struct cos_reason {
    COS_ATOMIC(uint64_t)
    stamp; /* number of the wait << 32 | count << 8 | enum cosched_reason; 0 while the rest is written */
    COS_ATOMIC(uint64_t) object; /* see cosched.h */
    COS_ATOMIC(int64_t) since_ns;
    COS_ATOMIC(uint64_t)
    inner; /* index of the task that waits: the innermost of those on the stack */
};

/* By the task. reason: enum cosched_reason, and above its eight bits how many things an array in `object` has. release, each:
 * whoever reads one of them (acquire) finds the stamp of that time, or a later one, when it reads the stamp again. */
static inline void cos_reason_set(struct cos_reason *r, uint32_t wait_seq, uint32_t reason,
                                  uint32_t inner, uint64_t object, int64_t since_ns)
{
    cos_atomic_store(&r->stamp, 0, relaxed);
    cos_atomic_store(&r->object, object, release);
    cos_atomic_store(&r->since_ns, since_ns, release);
    cos_atomic_store(&r->inner, inner, release);
    cos_atomic_store(&r->stamp, (uint64_t)wait_seq << 32 | (uint64_t)reason, release);
}

static inline void cos_reason_clear(struct cos_reason *r)
{
    cos_atomic_store(&r->stamp, 0, relaxed); /* nothing was written beside it */
}

struct cos_reason_seen {
    uint32_t wait_seq, inner;
    cosched_reason reason;
    uint32_t count; /* of the array that `object` is; 0: it is none */
    uint64_t object;
    int64_t since_ns;
};

/* Any thread. False: none, or it is being written right now. What it says counts if the fiber is the same afterwards. */
bool cos_reason_read(const struct cos_reason *r, struct cos_reason_seen *out);

const char *cos_reason_name(cosched_reason reason);
#endif
