/* What a task waits for, in the explorer: nobody looks, and five stores a park would only multiply the schedules. */
#ifndef COS_SCHED_REASON_H
#define COS_SCHED_REASON_H
#include <cosched/cosched.h>

static inline void cos_reason_set(uint32_t base, uint32_t wait_seq, uint32_t reason, uint32_t inner,
                                  uint64_t object, int64_t since_ns)
{
    (void)base;
    (void)wait_seq;
    (void)reason;
    (void)inner;
    (void)object;
    (void)since_ns;
}

static inline void cos_reason_clear(uint32_t base)
{
    (void)base;
}

static inline void cos_reasons_forget(uint32_t first, uint32_t n)
{
    (void)first;
    (void)n;
}
#endif
