/* What a task waits for, in the explorer: nobody looks, and five stores a park would only multiply the schedules. */
#ifndef COS_SCHED_REASON_H
#define COS_SCHED_REASON_H
#include <cosched/cosched.h>

struct cos_reason {
    char nothing;
};

static inline void cos_reason_set(struct cos_reason *r, uint32_t wait_seq, uint32_t reason,
                                  uint32_t inner, uint64_t object, int64_t since_ns)
{
    (void)r;
    (void)wait_seq;
    (void)reason;
    (void)inner;
    (void)object;
    (void)since_ns;
}

static inline void cos_reason_clear(struct cos_reason *r)
{
    (void)r;
}
#endif
