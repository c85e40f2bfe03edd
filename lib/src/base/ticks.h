/* A clock for counting: a few nanoseconds a look, where cos_clock_now costs some twenty. It counts in units of its own, which
 * only whoever reads the counts turns into nanoseconds. Stamps of two CPUs may disagree by some ticks, so a difference goes
 * through cos_ticks_between, which is never negative.
 *
 * x86-64: the time-stamp counter where it is invariant; aarch64: the virtual counter; elsewhere, and in virtual time, the
 * monotonic clock itself. */
#ifndef COS_BASE_TICKS_H
#define COS_BASE_TICKS_H
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#if defined(COS_EXPLORE) || defined(COS_VIRTUAL_TIME)
#define COS_TICKS_COUNTER 0
#elif defined(__x86_64__) || defined(__aarch64__)
#define COS_TICKS_COUNTER 1
#else
#define COS_TICKS_COUNTER 0
#endif

extern bool cos_ticks_counter; /* the machine has one; const after cos_ticks_init */

static inline uint64_t cos_ticks_now(void)
{
#if COS_TICKS_COUNTER
    if (__builtin_expect(cos_ticks_counter, 1)) {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#else
        uint64_t ticks;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
        return ticks;
#endif
    }
#endif
    return (uint64_t)cos_clock_now();
}

static inline uint64_t cos_ticks_between(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* How ticks become nanoseconds, as far as it is known now. */
struct cos_ticks_rate {
    uint64_t ticks;     /* this moment, … */
    int64_t ns;         /* … on the monotonic clock */
    double ns_per_tick; /* 1 where the clock itself is read */
};

/* Once, before anything is counted. */
void cos_ticks_init(void);
/* The longer after init the better: it divides one clock's way by the other's. At least two milliseconds must lie between, so
 * right after the start it waits for them. Any thread; takes a lock of its own for a moment. */
void cos_ticks_rate(struct cos_ticks_rate *out);

static inline uint64_t cos_ticks_ns(const struct cos_ticks_rate *rate, uint64_t difference)
{
    return (uint64_t)((double)difference * rate->ns_per_tick + 0.5);
}

/* A stamp on the monotonic clock; best for recent ones. */
static inline int64_t cos_ticks_at(const struct cos_ticks_rate *rate, uint64_t stamp)
{
    return stamp >= rate->ticks ? rate->ns + (int64_t)cos_ticks_ns(rate, stamp - rate->ticks)
                                : rate->ns - (int64_t)cos_ticks_ns(rate, rate->ticks - stamp);
}
#endif
