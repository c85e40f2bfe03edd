/* Fiber stacks: guarded slots of power-of-two size, cut from slabs, kept and reused.
 *
 *   slab   | slot 0            | slot 1            | …   one mapping, slots of one class
 *   slot   | guard | usable                 | gap |     class bytes in all
 *          ^       ^ lo                     ^ hi  ^     gap: 64 B × (slot mod 16), so that the first frames of
 *                                                       many stacks do not fall into the same cache sets
 *
 * A get takes from the calling thread's cache (a magazine per class), then from the depot behind it, then
 * cuts fresh slots. A stack keeps its memory until it lay in the depot for a second (cos_stack_trim), and its
 * address range until cos_stack_shutdown. Contents of a stack are unspecified at get. */
#ifndef COS_ARCH_STACK_H
#define COS_ARCH_STACK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

enum cos_stack_guard {
    COS_STACK_GUARD_UNKNOWN = 0, /* nothing was mapped yet */
    COS_STACK_GUARD_MADVISE,     /* MADV_GUARD_INSTALL: costs no mapping */
    COS_STACK_GUARD_MPROTECT, /* PROT_NONE: two mappings each, of which the kernel grants 65,530 */
    COS_STACK_GUARD_CANARY,   /* a pattern below lo, see cos_stack_canary_ok */
};

#define COS_STACK_CLASSES      10u                        /* 16K 32K 64K … 8M */
#define COS_STACK_BYTES_MIN    ((size_t)16 * 1024)        /* class 0 */
#define COS_STACK_BYTES_MAX    ((size_t)8 * 1024 * 1024)  /* the last class */
#define COS_STACK_GAP_MAX      ((size_t)15 * 64)          /* largest gap at the top of a slot */
#define COS_STACK_MPROTECT_MAX ((size_t)30000)            /* below vm.max_map_count / 2 */
#define COS_STACK_SLOTS_MAX    ((size_t)16 * 1024 * 1024) /* otherwise; 1 TiB of 64 KiB slots */
#define COS_STACK_IDLE_NS      INT64_C(1000000000)

struct cos_stack_slab;

/* The usable range is [lo, hi); lo is page-aligned, hi to 64 bytes. */
struct cos_stack {
    char *lo;
    char *hi;
    struct cos_stack_slab *slab;
    uint32_t class_index;
    uint32_t slot; /* number within its slab */
};

struct cos_stack_magazine;

/* Owner thread only, but for the counters. */
struct cos_stack_cache {
    struct cos_stack_magazine *magazine[COS_STACK_CLASSES]; /* owned; NULL before the first get */
    COS_ATOMIC(uint32_t) held[COS_STACK_CLASSES]; /* written by the owner, read by stats */
    struct cos_stack_cache *next;                 /* depot lock */
    struct cos_stack_cache **link;                /* depot lock */
};

struct cos_stack_stats {
    size_t in_use;       /* got and not put */
    size_t cached;       /* free in caches and depot */
    size_t bytes_mapped; /* address space, guards and never used slots included */
    enum cos_stack_guard guard;
};

void cos_stack_cache_init(struct cos_stack_cache *cache);
void cos_stack_cache_fini(struct cos_stack_cache *cache); /* gives all to the depot; zeroed is fine */
/* Same, the cache stays usable: in a long sleep. Its stacks have lain idle since then. */
void cos_stack_cache_flush(struct cos_stack_cache *cache, int64_t since_ns);

/* A stack of the smallest class of at least `bytes` bytes. Usable: class bytes less one page and less a gap of
 * at most COS_STACK_GAP_MAX, so ask for cos_stack_bytes_for(need) where `need` must be usable.
 * 0; -EINVAL above the largest class; -EAGAIN at the cap; -ENOMEM. */
int cos_stack_get(struct cos_stack_cache *cache, size_t bytes, struct cos_stack *out);

/* Never fails and never allocates. The calling thread must not stand on it. Any cache will do. */
void cos_stack_put(struct cos_stack_cache *cache, const struct cos_stack *stack);

/* True unless the pattern below lo was overwritten; always true where the guard is a page that faults. */
bool cos_stack_canary_ok(const struct cos_stack *stack);

/* Gives the memory of stacks that lay in the depot since before now − COS_STACK_IDLE_NS back to the system, a bounded
 * number a call. Returns when it wants to be called again (now: at once; INT64_MAX: nothing is waiting). */
int64_t cos_stack_trim(int64_t now);

void cos_stack_stats(struct cos_stack_stats *out);

/* At most so many slots are cut from now on; 0 is the default for the kind of guard. */
void cos_stack_set_cap(size_t slots_max);

/* Unmaps everything, after every cache is finished. 0, or -EBUSY when a stack or a cache is still in use. */
int cos_stack_shutdown(void);

/* If the address lies in the guard of one of our slots, describes that slot. Async-signal-safe. */
bool cos_stack_find_guard(const void *address, struct cos_stack *out);

/* If the address lies in the usable range of a slot, describes that. Async-signal-safe. The range stays mapped until
 * cos_stack_shutdown, whoever has the stack. */
bool cos_stack_find(const void *address, struct cos_stack *out);

/* Tests: the next first mapping uses this kind instead of probing. -EBUSY when something is mapped. */
int cos_stack_force_guard(enum cos_stack_guard guard);

size_t cos_stack_guard_bytes(void);

static inline size_t cos_stack_class_bytes(uint32_t class_index)
{
    return COS_STACK_BYTES_MIN << class_index;
}

static inline size_t cos_stack_bytes_for(size_t need)
{
    return need + cos_stack_guard_bytes() + COS_STACK_GAP_MAX;
}
#endif
