/* The global queue: any thread pushes, any thread pops, roughly first in, first out.
 *
 * A bounded ring (Vyukov, "Bounded MPMC queue", 1024cores.net) and, once that is full, a list of unbounded length
 * that runs through the entries' own control blocks: a push never allocates and never fails.
 *
 * What pop promises, and what submit and park must therefore do (invariant I3):
 *   P1 pop returns 0 only if at some moment during the call no push was complete, or all complete ones stood
 *      behind one that had reserved its cell and not filled it yet (a producer stalled in between).
 *   P2 a producer notifies the parker after its push, always. In the case of P1 the entries behind the stalled
 *      producer are therefore covered by the stalled producer's own notify, which comes last: the worker it
 *      wakes takes one and, as the last searcher that found work, wakes the next.
 *   P3 a worker that goes to sleep announces itself, passes a heavy fence and only then pops once more.
 * So a consumer never spins on a producer, and no entry is left behind a sleeper.
 *
 * Entries are indices of control blocks; 0 means none. An entry is in the injector at most once. */
#ifndef COS_QUEUE_INJECTOR_H
#define COS_QUEUE_INJECTOR_H
#include <stddef.h>
#include <stdint.h>

#include "arch/lock.h"
#include "base/atomic.h"

enum {
    COS_INJECTOR_CAPACITY_LOG2 = 10, /* what a runtime starts with: 8 KiB of cells */
    COS_INJECTOR_CAPACITY_LOG2_MAX = 24,
    COS_INJECTOR_REFILL = 64, /* at most so many entries go from the list to the ring at a time */
    COS_INJECTOR_APART = 128, /* a line and its prefetched neighbour */
};

/* The link field of entry v, in memory that outlives its stay in the injector. Guarded by the injector. */
typedef COS_ATOMIC(uint32_t) * cos_injector_link(void *ctx, uint32_t v);

struct cos_injector_cell {
    COS_ATOMIC(uint64_t) word; /* atomic: sequence and entry, see injector.c */
};

struct cos_injector {
    /* Next position to fill, next position to take. Atomic: compare-and-swap by producers, by consumers. */
    _Alignas(COS_INJECTOR_APART) COS_ATOMIC(uint64_t) tail;
    _Alignas(COS_INJECTOR_APART) COS_ATOMIC(uint64_t) head;
    _Alignas(COS_INJECTOR_APART) struct cos_injector_cell *cell; /* owned; const after init */
    uint32_t mask;           /* capacity - 1; const after init */
    cos_injector_link *link; /* const after init */
    void *link_ctx;          /* borrowed (valid until fini); const after init */
    COS_ATOMIC(uint64_t)
    listed; /* entries of the list not yet visible in the ring; stored under lock, read by all */

    _Alignas(COS_INJECTOR_APART) struct cos_lock
        lock; /* guards the list; held for COS_INJECTOR_REFILL steps at most */
    uint32_t list_first, list_last;   /* lock */
    COS_ATOMIC(uint64_t) list_pushed; /* counters: stored under lock, read by all */
    COS_ATOMIC(uint64_t) list_refilled;
    COS_ATOMIC(uint64_t) list_popped;
};

struct cos_injector_counts {
    uint64_t pushed, popped;
    uint64_t overflowed; /* those of pushed that found the ring full */
};

/* 0 or -ENOMEM. capacity_log2 from 1 to COS_INJECTOR_CAPACITY_LOG2_MAX. */
int cos_injector_init(struct cos_injector *q, uint32_t capacity_log2, cos_injector_link *link,
                      void *link_ctx);
/* Entries still inside are forgotten. NULL and zeroed are fine. */
void cos_injector_fini(struct cos_injector *q);

/* Any thread. The caller notifies the parker afterwards. */
void cos_injector_push(struct cos_injector *q, uint32_t v);
void cos_injector_push_batch(struct cos_injector *q, const uint32_t *v, size_t n);
/* Any thread. 0 when empty in the sense of P1. */
uint32_t cos_injector_pop(struct cos_injector *q);
/* Any thread. Up to max entries in order; returns how many; 0 as in pop. */
size_t cos_injector_pop_batch(struct cos_injector *q, uint32_t *out, size_t max);

/* Any thread; a guess. */
uint64_t cos_injector_depth(const struct cos_injector *q);
void cos_injector_counts(const struct cos_injector *q, struct cos_injector_counts *out);
#endif
