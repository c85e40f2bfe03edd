/* See trim.h. On executor threads. */
#include "sched/trim.h"

#include "sched/depot.h"
#include "sched/runtime.h"

#define LOOK_NS (COS_STACK_IDLE_NS / 2)

/* relaxed, all uses of trim_at: a time, no data; only decides who does it. */
static void depots_at(struct cosched_runtime *rt, int64_t when)
{
    int64_t at = cos_atomic_load(&rt->trim_at, relaxed);
    while (when < at && !cos_atomic_cas(&rt->trim_at, &at, when, relaxed, relaxed)) {
    }
}

/* What this executor keeps at hand has not been used since then. */
static void give_up(struct cos_exec *e, int64_t since)
{
    cos_stack_cache_flush(&e->stacks, since);
    cos_task_cache_flush(&e->tasks);
    cos_deque_trim_owner(&e->deque);
}

int64_t cos_trim_before_sleep(struct cos_exec *e, int64_t now)
{
    uint64_t slices = cos_atomic_load(&e->count.slices, relaxed);
    if (e->trim_look_at == INT64_MAX) {
        if (slices == e->trim_slices) {
            return INT64_MAX; /* nothing has been done since the last look */
        }
    } else if (now < e->trim_look_at) {
        return e->trim_look_at;
    } else {
        depots_at(e->rt, now);
        if (slices == e->trim_slices) {
            give_up(e, e->trim_look_at - LOOK_NS);
            e->trim_look_at = INT64_MAX;
            return INT64_MAX;
        }
    }
    e->trim_slices = slices;
    e->trim_look_at = now + LOOK_NS;
    return e->trim_look_at;
}

int64_t cos_trim_depots(struct cos_exec *e, int64_t now)
{
    struct cosched_runtime *rt = e->rt;
    int64_t at = cos_atomic_load(&rt->trim_at, relaxed);
    if (now >= at && cos_atomic_cas(&rt->trim_at, &at, INT64_MAX, relaxed, relaxed)) {
        int64_t stacks = cos_stack_trim(now);
        int64_t blocks = cos_depot_trim(now);
        depots_at(rt, stacks < blocks ? stacks : blocks);
        at = cos_atomic_load(&rt->trim_at, relaxed);
    }
    return at;
}
