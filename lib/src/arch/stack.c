/* The stack pool: slabs, the depot and the threads' caches.
 *
 * Free stacks travel in magazines, arrays of up to 32 (Bonwick and Adams, "Magazines and Vmem"). A cache owns
 * two a class; the depot owns the others: full ones used lately (warm), full ones whose memory was given back
 * (cold), empty ones, and one it fills one by one (partial). Magazines are counted so that a put never needs
 * to allocate: each batch of slots cut from a slab brings the magazine it fits in, each cache its two, the
 * depot its partial one. So when all the depot's magazines were full, more stacks would be free than exist.
 *
 * One lock guards the depot and the slabs; it is taken once for about 32 gets or puts. Guards are made under it, a
 * batch at a time: a slab's rest is address space and nothing else, and a failure leaves the slot where it was. */
#include "arch/stack.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "arch/lock.h"
#include "arch/stack_guard.h"
#include "arch/stack_slab.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if COS_VALGRIND
#include <valgrind/memcheck.h>
#endif

#define MAGAZINE_SLOTS 32u
#define MAGAZINE_BYTES ((size_t)4 * 1024 * 1024) /* fewer of the large classes in one magazine */
#define TRIM_MAGAZINES 4 /* a call: at most 128 stacks, below a millisecond */

struct cos_stack_magazine {
    struct cos_stack_magazine *next;
    struct cos_stack_magazine *prev; /* warm list only */
    int64_t since_ns;                /* when it became idle */
    uint32_t count;
    bool cold; /* of the partial one: nothing was added since it was trimmed */
    struct cos_stack_slot slots[MAGAZINE_SLOTS];
};

struct depot_class {
    struct cos_stack_magazine *warm_newest;
    struct cos_stack_magazine *warm_oldest;
    struct cos_stack_magazine *cold;
    struct cos_stack_magazine *empty;
    struct cos_stack_magazine *partial; /* NULL until the first batch is cut */
    size_t free;                        /* stacks in warm, cold, partial, and under trim */
};

static struct {
    struct cos_lock lock; /* guards the rest, and what stack_slab.c keeps */
    struct depot_class classes[COS_STACK_CLASSES];
    struct cos_stack_cache *caches; /* borrowed: those initialised and not finished */
} depot;

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

static uint32_t magazine_slots(uint32_t class_index)
{
    size_t fit = MAGAZINE_BYTES / cos_stack_class_bytes(class_index);
    return fit == 0 ? 1 : fit > MAGAZINE_SLOTS ? MAGAZINE_SLOTS : (uint32_t)fit;
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

/* ---- magazines; the depot lock is held, except for those a cache owns ---- */

static struct cos_stack_magazine *pop(struct cos_stack_magazine **list)
{
    struct cos_stack_magazine *magazine = *list;
    if (magazine != NULL) {
        *list = magazine->next;
        magazine->next = NULL;
    }
    return magazine;
}

static void push(struct cos_stack_magazine **list, struct cos_stack_magazine *magazine)
{
    magazine->next = *list;
    *list = magazine;
}

static void warm_push(struct depot_class *class, struct cos_stack_magazine *magazine, int64_t now)
{
    magazine->since_ns = now;
    magazine->prev = NULL;
    magazine->next = class->warm_newest;
    if (magazine->next != NULL) {
        magazine->next->prev = magazine;
    } else {
        class->warm_oldest = magazine;
    }
    class->warm_newest = magazine;
}

static void warm_remove(struct depot_class *class, struct cos_stack_magazine *magazine)
{
    *(magazine->prev != NULL ? &magazine->prev->next : &class->warm_newest) = magazine->next;
    *(magazine->next != NULL ? &magazine->next->prev : &class->warm_oldest) = magazine->prev;
    magazine->next = NULL;
    magazine->prev = NULL;
}

static struct cos_stack_magazine *take_filled(struct depot_class *class)
{
    struct cos_stack_magazine *magazine = class->warm_newest;
    if (magazine != NULL) {
        warm_remove(class, magazine);
        return magazine;
    }
    if (class->partial != NULL && class->partial->count > 0) {
        magazine = class->partial;
        class->partial = NULL;
        return magazine;
    }
    return pop(&class->cold);
}

static void give_empty(struct depot_class *class, struct cos_stack_magazine *magazine)
{
    COS_ASSERT(magazine->count == 0);
    magazine->cold = false;
    if (class->partial == NULL) {
        class->partial = magazine;
    } else {
        push(&class->empty, magazine);
    }
}

static struct cos_stack_magazine *take_empty(struct depot_class *class)
{
    struct cos_stack_magazine *magazine = pop(&class->empty);
    COS_ASSERT(magazine != NULL); /* see the head of the file: otherwise a stack was put twice */
    return magazine;
}

static void pour(uint32_t class_index, const struct cos_stack_slot *slot, int64_t now)
{
    struct depot_class *class = &depot.classes[class_index];
    COS_ASSERT(class->partial != NULL);
    if (class->partial->count == magazine_slots(class_index)) {
        warm_push(class, class->partial, now);
        class->partial = take_empty(class);
    }
    class->partial->slots[class->partial->count++] = *slot;
    class->partial->since_ns = now;
    class->partial->cold = false;
    class->free++;
}

/* ---- caches ---- */

void cos_stack_cache_init(struct cos_stack_cache *cache)
{
    memset(cache, 0, sizeof *cache);
#if COS_VALGRIND
    cos_atomic_store(&on_valgrind, RUNNING_ON_VALGRIND != 0, relaxed);
#endif
    cos_lock_acquire(&depot.lock);
    cache->next = depot.caches;
    cache->link = &depot.caches;
    if (cache->next != NULL) {
        cache->next->link = &cache->next;
    }
    depot.caches = cache;
    cos_lock_release(&depot.lock);
}

void cos_stack_cache_flush(struct cos_stack_cache *cache, int64_t since_ns)
{
    cos_lock_acquire(&depot.lock);
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        struct cos_stack_magazine *both[] = {cache->loaded[i], cache->previous[i]};
        for (size_t k = 0; k < 2 && both[k] != NULL; k++) {
            while (both[k]->count > 0) {
                pour(i, &both[k]->slots[--both[k]->count], since_ns);
            }
        }
        cos_atomic_store(&cache->held[i], 0, relaxed);
    }
    cos_lock_release(&depot.lock);
}

void cos_stack_cache_fini(struct cos_stack_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    cos_lock_acquire(&depot.lock);
    bool known = cache->link != NULL; /* a neighbour that comes or goes writes it, under this lock */
    cos_lock_release(&depot.lock);
    if (!known) {
        return;
    }
    cos_stack_cache_flush(cache, cos_clock_now());
    cos_lock_acquire(&depot.lock);
    *cache->link = cache->next;
    if (cache->next != NULL) {
        cache->next->link = cache->link;
    }
    cos_lock_release(&depot.lock);
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        cos_free(cache->loaded[i]);
        cos_free(cache->previous[i]);
    }
    memset(cache, 0, sizeof *cache);
}

static void count_held(struct cos_stack_cache *cache, uint32_t class_index, int change)
{
    /* relaxed: a statistic with one writer. */
    uint32_t held = cos_atomic_load(&cache->held[class_index], relaxed);
    cos_atomic_store(&cache->held[class_index], held + (uint32_t)change, relaxed);
}

static int equip(struct cos_stack_cache *cache, uint32_t class_index)
{
    cache->loaded[class_index] = cos_alloc(sizeof *cache->loaded[class_index]);
    cache->previous[class_index] = cos_alloc(sizeof *cache->previous[class_index]);
    if (cache->loaded[class_index] == NULL || cache->previous[class_index] == NULL) {
        cos_free(cache->loaded[class_index]);
        cos_free(cache->previous[class_index]);
        cache->loaded[class_index] = NULL;
        cache->previous[class_index] = NULL;
        return -ENOMEM;
    }
    return 0;
}

/* Cuts into new magazines: one for this batch and, the first time, the depot's partial one. NULL: *rc says why. */
static struct cos_stack_magazine *cut_batch(uint32_t class_index, int *rc)
{
    struct depot_class *class = &depot.classes[class_index];
    *rc = -ENOMEM;
    if (class->partial == NULL) {
        class->partial = cos_alloc(sizeof *class->partial);
    }
    struct cos_stack_magazine *batch = class->partial != NULL ? cos_alloc(sizeof *batch) : NULL;
    if (batch == NULL) {
        return NULL;
    }
    *rc = cos_stack_slab_cut(class_index, batch->slots, magazine_slots(class_index));
    if (*rc < 0) {
        cos_free(batch);
        return NULL;
    }
    batch->count = (uint32_t)*rc;
    return batch;
}

/* Leaves a filled magazine in loaded. */
static int refill(struct cos_stack_cache *cache, uint32_t class_index)
{
    if (cache->loaded[class_index] == NULL) {
        int rc = equip(cache, class_index);
        if (rc < 0) {
            return rc;
        }
    }
    struct cos_stack_magazine *empty = cache->loaded[class_index];
    if (cache->previous[class_index]->count > 0) {
        cache->loaded[class_index] = cache->previous[class_index];
        cache->previous[class_index] = empty;
        return 0;
    }
    cos_lock_acquire(&depot.lock);
    struct depot_class *class = &depot.classes[class_index];
    struct cos_stack_magazine *filled = take_filled(class);
    int rc = 0;
    if (filled != NULL) {
        class->free -= filled->count;
    } else {
        filled = cut_batch(class_index, &rc);
    }
    if (filled != NULL) {
        rc = 0;
        cache->loaded[class_index] = filled;
        count_held(cache, class_index, (int)filled->count);
        give_empty(class, empty);
    }
    cos_lock_release(&depot.lock);
    return rc;
}

int cos_stack_get(struct cos_stack_cache *cache, size_t bytes, struct cos_stack *out)
{
    if (bytes > COS_STACK_BYTES_MAX) {
        return -EINVAL;
    }
    uint32_t class_index = class_for(bytes);
    struct cos_stack_magazine *magazine = cache->loaded[class_index];
    if (magazine == NULL || magazine->count == 0) {
        int rc = refill(cache, class_index);
        if (rc < 0) {
            return rc;
        }
        magazine = cache->loaded[class_index];
    }
    cos_stack_slot_describe(&magazine->slots[--magazine->count], class_index, out);
    count_held(cache, class_index, -1);
    announce_get(out);
    if (COS_UNLIKELY(cos_stack_slab_guard() == COS_STACK_GUARD_CANARY)) {
        cos_stack_canary_write(out->lo);
    }
    return 0;
}

/* Makes room in loaded; false when this cache never had magazines of the class. */
static bool make_room(struct cos_stack_cache *cache, uint32_t class_index)
{
    struct cos_stack_magazine *full = cache->loaded[class_index];
    if (full == NULL) {
        return false;
    }
    if (full->count < magazine_slots(class_index)) {
        return true;
    }
    cache->loaded[class_index] = cache->previous[class_index];
    cache->previous[class_index] = full;
    if (cache->loaded[class_index]->count == 0) {
        return true;
    }
    /* Both are full (previous is never in between): the older one goes, the hotter stays at hand. */
    full = cache->loaded[class_index];
    COS_INVARIANT(full->count == magazine_slots(class_index));
    int64_t now = cos_clock_now();
    struct depot_class *class = &depot.classes[class_index];
    cos_lock_acquire(&depot.lock);
    cache->loaded[class_index] = take_empty(class);
    warm_push(class, full, now);
    class->free += full->count;
    count_held(cache, class_index, -(int)full->count);
    cos_lock_release(&depot.lock);
    return true;
}

void cos_stack_put(struct cos_stack_cache *cache, const struct cos_stack *stack)
{
    COS_ASSERT(stack->lo != NULL && stack->class_index < COS_STACK_CLASSES);
    struct cos_stack_slot slot = {.base = stack->lo - cos_stack_guard_bytes(),
                                  .number = stack->slot};
    announce_put(stack);
    if (COS_LIKELY(make_room(cache, stack->class_index))) {
        struct cos_stack_magazine *magazine = cache->loaded[stack->class_index];
        magazine->slots[magazine->count++] = slot;
        count_held(cache, stack->class_index, 1);
        return;
    }
    int64_t now = cos_clock_now();
    cos_lock_acquire(&depot.lock);
    pour(stack->class_index, &slot, now);
    cos_lock_release(&depot.lock);
}

bool cos_stack_canary_ok(const struct cos_stack *stack)
{
    return cos_stack_slab_guard() != COS_STACK_GUARD_CANARY || cos_stack_canary_read(stack->lo);
}

/* ---- giving back ---- */

/* Neighbours in one call: guards survive it. */
static void release_memory(struct cos_stack_magazine *magazine, uint32_t class_index)
{
    struct cos_stack_slot *slots = magazine->slots;
    for (uint32_t i = 1; i < magazine->count; i++) {
        struct cos_stack_slot moving = slots[i];
        uint32_t k = i;
        for (; k > 0 && slots[k - 1].base > moving.base; k--) {
            slots[k] = slots[k - 1];
        }
        slots[k] = moving;
    }
    size_t slot_bytes = cos_stack_class_bytes(class_index);
    for (uint32_t i = 0; i < magazine->count;) {
        uint32_t end = i + 1;
        while (end < magazine->count && slots[end].base == slots[end - 1].base + slot_bytes) {
            end++;
        }
        (void)madvise(slots[i].base, (end - i) * slot_bytes, MADV_DONTNEED);
        i = end;
    }
}

/* Trims one magazine, or says when the next one of the class is due. */
static bool trim_class(uint32_t class_index, int64_t now, int64_t *due)
{
    struct depot_class *class = &depot.classes[class_index];
    cos_lock_acquire(&depot.lock);
    struct cos_stack_magazine *idle = class->warm_oldest;
    if (idle != NULL && now - idle->since_ns >= COS_STACK_IDLE_NS) {
        warm_remove(class, idle);
        cos_lock_release(&depot.lock);
        release_memory(idle, class_index);
        cos_lock_acquire(&depot.lock);
        push(&class->cold, idle);
        cos_lock_release(&depot.lock);
        return true;
    }
    struct cos_stack_magazine *partial = class->partial;
    bool pending = partial != NULL && partial->count > 0 && !partial->cold;
    bool trimmed = pending && now - partial->since_ns >= COS_STACK_IDLE_NS;
    if (trimmed) {
        /* Under the lock, unlike the others: there is one, and the depot cannot do without it. */
        release_memory(partial, class_index);
        partial->cold = true;
    } else if (pending && partial->since_ns + COS_STACK_IDLE_NS < *due) {
        *due = partial->since_ns + COS_STACK_IDLE_NS;
    }
    if (idle != NULL && idle->since_ns + COS_STACK_IDLE_NS < *due) {
        *due = idle->since_ns + COS_STACK_IDLE_NS;
    }
    cos_lock_release(&depot.lock);
    return trimmed;
}

int64_t cos_stack_trim(int64_t now)
{
    int64_t due = INT64_MAX;
    int left = TRIM_MAGAZINES;
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        while (trim_class(i, now, &due)) {
            if (--left == 0) {
                return now;
            }
        }
    }
    return due;
}

/* ---- questions, limits, the end ---- */

static size_t count_cached(void)
{
    size_t cached = 0;
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        cached += depot.classes[i].free;
        for (struct cos_stack_cache *cache = depot.caches; cache != NULL; cache = cache->next) {
            cached += cos_atomic_load(&cache->held[i], relaxed);
        }
    }
    return cached;
}

void cos_stack_stats(struct cos_stack_stats *out)
{
    cos_lock_acquire(&depot.lock);
    size_t slots = cos_stack_slab_slots();
    out->cached = count_cached();
    /* A stack on its way from one running cache to another may be counted twice. */
    out->in_use = slots > out->cached ? slots - out->cached : 0;
    out->bytes_mapped = cos_stack_slab_bytes();
    out->guard = cos_stack_slab_guard();
    cos_lock_release(&depot.lock);
}

void cos_stack_set_cap(size_t slots_max)
{
    cos_lock_acquire(&depot.lock);
    cos_stack_slab_set_cap(slots_max);
    cos_lock_release(&depot.lock);
}

int cos_stack_force_guard(enum cos_stack_guard guard)
{
    cos_lock_acquire(&depot.lock);
    int rc = cos_stack_slab_bytes() == 0 ? 0 : -EBUSY;
    if (rc == 0) {
        cos_stack_slab_force_guard(guard);
    }
    cos_lock_release(&depot.lock);
    return rc;
}

static void free_list(struct cos_stack_magazine *list)
{
    while (list != NULL) {
        cos_free(pop(&list));
    }
}

static void free_everything(void)
{
    cos_stack_slab_unmap_all();
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        free_list(depot.classes[i].warm_newest);
        free_list(depot.classes[i].cold);
        free_list(depot.classes[i].empty);
        cos_free(depot.classes[i].partial);
    }
    memset(depot.classes, 0, sizeof depot.classes);
}

int cos_stack_shutdown(void)
{
    cos_lock_acquire(&depot.lock);
    int rc = depot.caches == NULL && count_cached() == cos_stack_slab_slots() ? 0 : -EBUSY;
    if (rc == 0) {
        free_everything();
    }
    cos_lock_release(&depot.lock);
    return rc;
}
