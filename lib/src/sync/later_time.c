/* See later.h. */
#include <time.h>

#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "sync/later.h"

static COS_ATOMIC(int64_t) wall_shift; /* tests; relaxed, a number by itself */

void cos_later_shift_wall(int64_t ns)
{
    cos_atomic_store(&wall_shift, ns, relaxed);
}

int64_t cos_later_wall(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * COS_NS_PER_S + ts.tv_nsec + cos_atomic_load(&wall_shift, relaxed);
}

int64_t cos_later_look(int64_t at_ns, int64_t wall_now, int64_t now)
{
    int64_t left;
    if (at_ns <= wall_now) {
        return COSCHED_NOW;
    }
    if (__builtin_sub_overflow(at_ns, wall_now, &left) || left > COS_NS_PER_S) {
        /* Whole seconds, so that all who watch look at once. */
        return (now / COS_NS_PER_S + 1) * COS_NS_PER_S;
    }
    return cos_clock_add(now, left);
}

int64_t cos_later_next(int64_t planned, int64_t interval_ns, int64_t steps, cosched_overrun overrun,
                       int64_t now)
{
    int64_t ahead;
    if (__builtin_mul_overflow(interval_ns, steps, &ahead)) {
        return COSCHED_NEVER;
    }
    int64_t next = cos_clock_add(planned, ahead);
    if (next >= now) {
        return next;
    }
    switch (overrun) {
    case COSCHED_BURST: return next;
    case COSCHED_DELAY: return now;
    case COSCHED_SKIP:
        return cos_clock_add(next, ((now - next - 1) / interval_ns + 1) * interval_ns);
    }
    COS_UNREACHABLE();
}

int64_t cos_later_steps(uint32_t failures)
{
    return INT64_C(1) << (failures < COS_LATER_STEPS_LOG2 ? failures : COS_LATER_STEPS_LOG2);
}
