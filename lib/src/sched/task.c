/* Control blocks from the caches of executors, and back there; behind them the depot (depot.h).
 *
 * Alloc and free are called on executors (their own cache, no lock) and on foreign threads (cache NULL: the depot
 * under its lock). Blocks of the last generation are never handed out again, so a stale handle is detected for
 * ever. */
#include "sched/task.h"

#include "arch/fence.h"
#include "arch/lock.h"
#include "queue/wait.h"
#include "sched/depot.h"

#define CAPACITY  (UINT32_C(1) << 22) /* 4 Mi, and index 0 is nobody */
#define CACHE_MAX 256U /* blocks that an executor keeps at hand, with a large limit */

COS_STATIC_ASSERT(CAPACITY < UINT32_MAX >> COS_SCOPE_SWEPT_SHIFT, "a scope's flags hold an index");

struct cos_task *cos_task_blocks;
uint32_t cos_tasks_cache_max = CACHE_MAX;

int cos_tasks_reserve(void)
{
    return cos_task_blocks != NULL ? 0 : cos_depot_reserve(CAPACITY);
}

uint32_t cos_tasks_capacity(void)
{
    return CAPACITY;
}

void cos_tasks_limit(uint32_t tasks_max)
{
    uint32_t limit = tasks_max < CAPACITY ? tasks_max : CAPACITY;
    uint32_t share = limit / (4 * (COSCHED_WORKERS_MAX + 1));
    cos_tasks_cache_max = share < CACHE_MAX ? share : CACHE_MAX;
    cos_depot_limit(limit);
}

uint64_t cos_tasks_in_use(void)
{
    return cos_depot_missing();
}

struct cos_task *cos_task_alloc(struct cos_task_cache *cache)
{
    struct cos_task_cache none = {0, 0};
    struct cos_task_cache *from = cache != NULL ? cache : &none;
    if (from->head == 0) {
        uint32_t n = cache != NULL ? cos_tasks_cache_max / 4 : 1;
        cos_depot_take(from, n > 0 ? n : 1);
    }
    return cos_task_take(from);
}

void cos_task_free(struct cos_task_cache *cache, struct cos_task *t)
{
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    (void)cos_atomic_exchange(&t->join, cos_join(generation + 1, COS_JOIN_NONE), acq_rel);
    cos_task_recycle(cache, t);
}

static void wait_for_cancelers(struct cos_task *t)
{
    if (COS_UNLIKELY(!cos_task_is_left(t))) {
        cos_lock_acquire(&t->scope.lock);
        cos_lock_release(&t->scope.lock);
    }
}

void cos_task_recycle_slow(struct cos_task_cache *cache, struct cos_task *t)
{
    wait_for_cancelers(t);
    cos_task_rest(t);
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    cos_atomic_store(&t->join, cos_join(generation, COS_JOIN_NONE),
                     relaxed); /* a zombie's block starts afresh */
    if (COS_UNLIKELY(generation == UINT32_MAX)) {
        cos_depot_retire();
        return;
    }
    struct cos_task_cache none = {0, 0};
    struct cos_task_cache *to = cache != NULL ? cache : &none;
    uint32_t most = cache != NULL ? cos_tasks_cache_max : 0;
    cos_task_cache_push(to, t);
    if (to->count > most) {
        cos_depot_put(to, most / 2);
    }
}

void cos_task_cache_flush(struct cos_task_cache *cache)
{
    cos_depot_put(cache, 0);
}
