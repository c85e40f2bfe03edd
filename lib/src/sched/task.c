/* The slab of control blocks: reserved once, used from the bottom up, recycled through caches.
 *
 * Alloc and free are called on executors (their own cache, no lock) and on foreign threads (cache NULL: the depot
 * under its lock). Blocks of the last generation are never handed out again, so a stale handle is detected for
 * ever. */
#include "sched/task.h"

#include <errno.h>
#include <sys/mman.h>

#include "arch/fence.h"
#include "arch/lock.h"
#include "queue/wait.h"

#define CAPACITY  (UINT32_C(1) << 22) /* 4 Mi, and index 0 is nobody */
#define CACHE_MAX 256U /* blocks that an executor keeps at hand, with a large limit */

struct cos_task *cos_task_blocks;

static struct {
    struct cos_lock lock; /* guards the rest */
    uint32_t used;        /* blocks ever handed out: 1 … used */
    uint32_t limit;
    uint32_t free_head, free_count;
    uint32_t retired;
} slab;

uint32_t cos_tasks_cache_max = CACHE_MAX;
COS_ATOMIC(uint32_t) cos_tasks_used;

int cos_tasks_reserve(void)
{
    if (cos_task_blocks != NULL) {
        return 0;
    }
    size_t bytes = (size_t)(CAPACITY + 1) * sizeof *cos_task_blocks;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) {
        return -ENOMEM;
    }
    cos_task_blocks = p;
    slab.limit = CAPACITY;
    return 0;
}

uint32_t cos_tasks_capacity(void)
{
    return CAPACITY;
}

void cos_tasks_limit(uint32_t tasks_max)
{
    cos_lock_acquire(&slab.lock);
    slab.limit = tasks_max < CAPACITY ? tasks_max : CAPACITY;
    uint32_t share = slab.limit / (4 * (COSCHED_WORKERS_MAX + 1));
    cos_tasks_cache_max = share < CACHE_MAX ? share : CACHE_MAX;
    cos_lock_release(&slab.lock);
}

uint64_t cos_tasks_in_use(void)
{
    cos_lock_acquire(&slab.lock);
    uint64_t n = slab.used - slab.free_count - slab.retired;
    cos_lock_release(&slab.lock);
    return n;
}

/* Under the lock. */
static uint32_t take_new(void)
{
    if (slab.used >= CAPACITY) {
        return 0;
    }
    struct cos_task *t = &cos_task_blocks[++slab.used];
    t->index = slab.used;
    cos_atomic_store(&t->join, cos_join(1, COS_JOIN_NONE), relaxed);
    cos_atomic_store(&cos_tasks_used, slab.used, release);
    return slab.used;
}

/* Under the lock. */
static uint32_t depot_take(void)
{
    uint32_t index = slab.free_head;
    if (slab.used - slab.free_count - slab.retired >= slab.limit) {
        return 0;
    }
    if (index == 0) {
        return take_new();
    }
    slab.free_head = cos_atomic_load(&cos_task_at(index)->link, relaxed);
    slab.free_count--;
    return index;
}

static void depot_put(uint32_t index)
{
    cos_atomic_store(&cos_task_at(index)->link, slab.free_head, relaxed);
    slab.free_head = index;
    slab.free_count++;
}

static void cache_push(struct cos_task_cache *c, uint32_t index)
{
    cos_atomic_store(&cos_task_at(index)->link, c->head, relaxed);
    c->head = index;
    c->count++;
}

static uint32_t cache_pop(struct cos_task_cache *c)
{
    uint32_t index = c->head;
    if (index != 0) {
        c->head = cos_atomic_load(&cos_task_at(index)->link, relaxed);
        c->count--;
    }
    return index;
}

static void refill(struct cos_task_cache *c)
{
    uint32_t index;
    cos_lock_acquire(&slab.lock);
    do {
        index = depot_take();
        if (index == 0) {
            break;
        }
        cache_push(c, index);
    } while (c->count < cos_tasks_cache_max / 4);
    cos_lock_release(&slab.lock);
}

static void drain(struct cos_task_cache *c, uint32_t keep)
{
    cos_lock_acquire(&slab.lock);
    while (c->count > keep) {
        depot_put(cache_pop(c));
    }
    cos_lock_release(&slab.lock);
}

struct cos_task *cos_task_alloc(struct cos_task_cache *cache)
{
    uint32_t index;
    if (cache == NULL) {
        cos_lock_acquire(&slab.lock);
        index = depot_take();
        cos_lock_release(&slab.lock);
    } else {
        if (cache->head == 0) {
            refill(cache);
        }
        index = cache_pop(cache);
    }
    return index != 0 ? cos_task_at(index) : NULL;
}

void cos_task_free(struct cos_task_cache *cache, struct cos_task *t)
{
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    (void)cos_atomic_exchange(&t->join, cos_join(generation + 1, COS_JOIN_NONE), acq_rel);
    cos_task_recycle(cache, t);
}

static void wait_for_cancelers(struct cos_task *t)
{
    /* acquire: pairs with the release in cos_lock_release; what a canceler that has just left read is read. */
    if (COS_UNLIKELY(cos_atomic_load(&t->scope.lock.word, acquire) != COS_LOCK_FREE)) {
        cos_lock_acquire(&t->scope.lock);
        cos_lock_release(&t->scope.lock);
    }
}

void cos_task_recycle_slow(struct cos_task_cache *cache, struct cos_task *t)
{
    wait_for_cancelers(t);
    t->kind = COS_TASK_FREE;
    cos_atomic_store(&t->fiber, NULL, relaxed);
    uint32_t generation = cos_join_generation(cos_atomic_load(&t->join, relaxed));
    cos_atomic_store(&t->join, cos_join(generation, COS_JOIN_NONE),
                     relaxed); /* a zombie's block starts afresh */
    if (COS_UNLIKELY(generation == UINT32_MAX)) {
        cos_lock_acquire(&slab.lock);
        slab.retired++;
        cos_lock_release(&slab.lock);
        return;
    }
    if (cache == NULL) {
        cos_lock_acquire(&slab.lock);
        depot_put(t->index);
        cos_lock_release(&slab.lock);
        return;
    }
    cache_push(cache, t->index);
    if (cache->count > cos_tasks_cache_max) {
        drain(cache, cos_tasks_cache_max / 2);
    }
}

void cos_task_cache_flush(struct cos_task_cache *cache)
{
    drain(cache, 0);
}
