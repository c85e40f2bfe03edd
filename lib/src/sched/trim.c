/* See trim.h. On executor threads. */
#include "sched/trim.h"

#include "sched/runtime.h"

int64_t cos_trim_before_sleep(struct cos_exec *e, int64_t now)
{
    struct cosched_runtime *rt = e->rt;
    int64_t at = cos_atomic_load(&rt->trim_at, relaxed); /* relaxed: a time, no data */
    uint64_t slices = cos_atomic_load(&e->count.slices, relaxed);
    if (at == INT64_MAX && slices != e->trimmed_slices) {
        e->trimmed_slices = slices; /* it has worked since: stacks may have come back */
        at = now + COS_STACK_IDLE_NS;
        cos_atomic_store(&rt->trim_at, at, relaxed);
    }
    /* relaxed: only decides who does it. */
    if (now >= at && cos_atomic_cas(&rt->trim_at, &at, INT64_MAX, relaxed, relaxed)) {
        at = cos_stack_trim(now);
        cos_atomic_store(&rt->trim_at, at, relaxed);
    }
    return at;
}
