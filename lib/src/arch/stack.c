/* The stack pool: the threads' caches, and questions.
 *
 * A cache holds free stacks in magazines (Bonwick and Adams, "Magazines and Vmem"): here one a class, of which half is taken or
 * given at a time, so that the depot's lock is taken once for about 32 gets or puts. A put never needs to allocate. Guards
 * are made under that lock, a batch at a time: a slab's rest is address space and nothing else, and a failure leaves the slot
 * where it was. */
#include "arch/stack.h"

#include <errno.h>
#include <string.h>

#include "arch/stack_depot.h"
#include "arch/stack_guard.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if COS_VALGRIND
#include <valgrind/memcheck.h>
#endif

#define BATCH_SLOTS 32u
#define BATCH_BYTES ((size_t)4 * 1024 * 1024) /* fewer of the large classes */

struct cos_stack_magazine {
    uint32_t count;
    struct cos_stack_slot slots[2 * BATCH_SLOTS]; /* the first `count`; the last was put last */
};

static struct cos_stack_cache *caches; /* borrowed: those initialised and not finished. Depot lock */

/* The first class of at least `bytes`, with something left above its guard on machines with large pages. */
static uint32_t class_for(size_t bytes)
{
    size_t least = 2 * cos_stack_guard_bytes();
    if (bytes < least) {
        bytes = least;
    }
    if (bytes <= COS_STACK_BYTES_MIN) {
        return 0;
    }
    unsigned bits = 64u - (unsigned)__builtin_clzll((unsigned long long)(bytes - 1));
    return bits - (unsigned)__builtin_ctzll((unsigned long long)COS_STACK_BYTES_MIN);
}

/* What goes from or to the depot at once: half a magazine. */
static uint32_t batch_slots(uint32_t class_index)
{
    size_t fit = BATCH_BYTES / cos_stack_class_bytes(class_index);
    return fit == 0 ? 1 : fit > BATCH_SLOTS ? BATCH_SLOTS : (uint32_t)fit;
}

/* ---- what the tools that watch memory are told ---- */

#if COS_VALGRIND
static COS_ATOMIC(bool)
    on_valgrind; /* atomic: the same from every thread; asking costs more than a load */
#endif

static void announce_get(const struct cos_stack *stack)
{
#if COS_ASAN
    /* Frames that never returned left their poison. */
    __asan_unpoison_memory_region(stack->lo, (size_t)(stack->hi - stack->lo));
#elif COS_VALGRIND
    if (COS_UNLIKELY(cos_atomic_load(&on_valgrind, relaxed))) {
        VALGRIND_MAKE_MEM_UNDEFINED(stack->lo, stack->hi - stack->lo);
    }
#endif
    (void)stack;
}

static void announce_put(const struct cos_stack *stack)
{
#if COS_ASAN
    __asan_poison_memory_region(stack->lo, (size_t)(stack->hi - stack->lo));
#endif
    (void)stack;
}

/* ---- caches ---- */

void cos_stack_cache_init(struct cos_stack_cache *cache)
{
    memset(cache, 0, sizeof *cache);
#if COS_VALGRIND
    cos_atomic_store(&on_valgrind, RUNNING_ON_VALGRIND != 0, relaxed);
#endif
    cos_lock_acquire(&cos_stack_lock);
    cache->next = caches;
    cache->link = &caches;
    if (cache->next != NULL) {
        cache->next->link = &cache->next;
    }
    caches = cache;
    cos_lock_release(&cos_stack_lock);
}

static void set_held(struct cos_stack_cache *cache, uint32_t class_index)
{
    /* relaxed: a statistic with one writer. */
    cos_atomic_store(&cache->held[class_index], cache->magazine[class_index]->count, relaxed);
}

void cos_stack_cache_flush(struct cos_stack_cache *cache, int64_t since_ns)
{
    cos_lock_acquire(&cos_stack_lock);
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        struct cos_stack_magazine *magazine = cache->magazine[i];
        if (magazine != NULL) {
            cos_stack_depot_put(magazine->slots, magazine->count, since_ns);
            magazine->count = 0;
            set_held(cache, i);
        }
    }
    cos_lock_release(&cos_stack_lock);
}

void cos_stack_cache_fini(struct cos_stack_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    cos_lock_acquire(&cos_stack_lock);
    bool known = cache->link != NULL; /* a neighbour that comes or goes writes it, under this lock */
    cos_lock_release(&cos_stack_lock);
    if (!known) {
        return;
    }
    cos_stack_cache_flush(cache, cos_clock_now());
    cos_lock_acquire(&cos_stack_lock);
    *cache->link = cache->next;
    if (cache->next != NULL) {
        cache->next->link = cache->link;
    }
    cos_lock_release(&cos_stack_lock);
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        cos_free(cache->magazine[i]);
    }
    memset(cache, 0, sizeof *cache);
}

/* Some stacks into an empty magazine. */
static int refill(struct cos_stack_cache *cache, uint32_t class_index)
{
    struct cos_stack_magazine *magazine = cache->magazine[class_index];
    if (magazine == NULL) {
        magazine = cos_alloc(sizeof *magazine);
        if (magazine == NULL) {
            return -ENOMEM;
        }
        cache->magazine[class_index] = magazine;
    }
    cos_lock_acquire(&cos_stack_lock);
    int n = cos_stack_depot_take(class_index, magazine->slots, batch_slots(class_index));
    if (n > 0) {
        magazine->count = (uint32_t)n;
        set_held(cache, class_index);
    }
    cos_lock_release(&cos_stack_lock);
    return n < 0 ? n : 0;
}

int cos_stack_get(struct cos_stack_cache *cache, size_t bytes, struct cos_stack *out)
{
    if (bytes > COS_STACK_BYTES_MAX) {
        return -EINVAL;
    }
    uint32_t class_index = class_for(bytes);
    struct cos_stack_magazine *magazine = cache->magazine[class_index];
    if (magazine == NULL || magazine->count == 0) {
        int rc = refill(cache, class_index);
        if (rc < 0) {
            return rc;
        }
        magazine = cache->magazine[class_index];
    }
    cos_stack_slot_describe(&magazine->slots[--magazine->count], out);
    set_held(cache, class_index);
    announce_get(out);
    if (COS_UNLIKELY(cos_stack_slab_guard() == COS_STACK_GUARD_CANARY)) {
        cos_stack_canary_write(out->lo);
    }
    return 0;
}

/* The older half goes, the hotter stays at hand. */
static void give_half(struct cos_stack_cache *cache, uint32_t class_index)
{
    struct cos_stack_magazine *magazine = cache->magazine[class_index];
    uint32_t n = magazine->count / 2;
    int64_t now = cos_clock_now();
    cos_lock_acquire(&cos_stack_lock);
    cos_stack_depot_put(magazine->slots, n, now);
    magazine->count -= n;
    memmove(magazine->slots, magazine->slots + n, magazine->count * sizeof *magazine->slots);
    set_held(cache, class_index);
    cos_lock_release(&cos_stack_lock);
}

void cos_stack_put(struct cos_stack_cache *cache, const struct cos_stack *stack)
{
    COS_ASSERT(stack->lo != NULL && stack->class_index < COS_STACK_CLASSES);
    struct cos_stack_slot slot = {.slab = stack->slab, .number = stack->slot};
    struct cos_stack_magazine *magazine = cache->magazine[stack->class_index];
    announce_put(stack);
    if (COS_UNLIKELY(magazine == NULL)) { /* this cache never had one of the class */
        int64_t now = cos_clock_now();
        cos_lock_acquire(&cos_stack_lock);
        cos_stack_depot_put(&slot, 1, now);
        cos_lock_release(&cos_stack_lock);
        return;
    }
    if (magazine->count == 2 * batch_slots(stack->class_index)) {
        give_half(cache, stack->class_index);
    }
    magazine->slots[magazine->count++] = slot;
    set_held(cache, stack->class_index);
}

bool cos_stack_canary_ok(const struct cos_stack *stack)
{
    return cos_stack_slab_guard() != COS_STACK_GUARD_CANARY || cos_stack_canary_read(stack->lo);
}

/* ---- questions, limits, the end ---- */

static size_t count_cached(void)
{
    size_t cached = cos_stack_depot_free();
    for (struct cos_stack_cache *cache = caches; cache != NULL; cache = cache->next) {
        for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
            cached += cos_atomic_load(&cache->held[i], relaxed);
        }
    }
    return cached;
}

void cos_stack_stats(struct cos_stack_stats *out)
{
    cos_lock_acquire(&cos_stack_lock);
    size_t slots = cos_stack_slab_slots();
    out->cached = count_cached();
    /* A stack on its way from one running cache to another may be counted twice. */
    out->in_use = slots > out->cached ? slots - out->cached : 0;
    out->bytes_mapped = cos_stack_slab_bytes();
    out->guard = cos_stack_slab_guard();
    cos_lock_release(&cos_stack_lock);
}

void cos_stack_set_cap(size_t slots_max)
{
    cos_lock_acquire(&cos_stack_lock);
    cos_stack_slab_set_cap(slots_max);
    cos_lock_release(&cos_stack_lock);
}

int cos_stack_force_guard(enum cos_stack_guard guard)
{
    cos_lock_acquire(&cos_stack_lock);
    int rc = cos_stack_slab_bytes() == 0 ? 0 : -EBUSY;
    if (rc == 0) {
        cos_stack_slab_force_guard(guard);
    }
    cos_lock_release(&cos_stack_lock);
    return rc;
}

int cos_stack_shutdown(void)
{
    cos_lock_acquire(&cos_stack_lock);
    int rc = caches == NULL && count_cached() == cos_stack_slab_slots() ? 0 : -EBUSY;
    if (rc == 0) {
        cos_stack_depot_unmap_all();
    }
    cos_lock_release(&cos_stack_lock);
    return rc;
}
