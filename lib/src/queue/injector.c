/* The global MPMC queue: ring first, list through the control blocks when the ring is full.
 * Called from any thread; never allocates after init, never runs user code, holds its lock for a bounded
 * number of steps and takes no other lock inside it.
 *
 * A cell is one 64-bit word, sequence in the upper half, entry in the lower. For position p the cell is free
 * when its sequence is (uint32_t)p, filled at p + 1, free for the next lap at p + capacity. Sequences wrap, the
 * positions in head and tail do not: a thread that slept through 2^32 operations still fails its CAS on the
 * 64-bit position. Entry and sequence share a word, so filling a cell is one store and 8 cells share a line.
 *
 * Producers fall back to the list as soon as the ring is full or the list is not empty (newcomers do not
 * overtake it); consumers that find the ring empty take from the list under the lock, hand themselves what they
 * asked for and refill the ring.
 *
 * The refill moves entries from where a consumer no longer looks to where it looked before. `listed` closes that
 * gap: a consumer reads it before it looks at the ring, and the mover lowers it after the ring shows the
 * entries. listed = 0 read first means that everything a mover has taken out is in the ring by then.
 *
 * Rejected: a lock-free list (Treiber push, exchange to take all). The taker holds the whole backlog in private
 * while it reverses it, and others go to sleep over a million entries that nobody can see. */
#include "queue/injector.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

static uint64_t cell_word(uint64_t position, uint32_t v)
{
    return (uint64_t)(uint32_t)position << 32 | v;
}

/* How far the cell's sequence is ahead of position: 0 the one wanted, < 0 not there yet, > 0 we are late. */
static int32_t cell_ahead(uint64_t word, uint64_t position)
{
    return (int32_t)((uint32_t)(word >> 32) - (uint32_t)position);
}

int cos_injector_init(struct cos_injector *q, uint32_t capacity_log2, cos_injector_link *link,
                      void *link_ctx)
{
    COS_ASSERT(capacity_log2 >= 1 && capacity_log2 <= COS_INJECTOR_CAPACITY_LOG2_MAX);
    memset((void *)q, 0, sizeof *q);
    uint32_t capacity = UINT32_C(1) << capacity_log2;
    q->cell = cos_alloc_aligned(COS_INJECTOR_APART, capacity * sizeof q->cell[0]);
    if (q->cell == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < capacity; i++) {
        cos_atomic_init(&q->cell[i].word, cell_word(i, 0));
    }
    q->mask = capacity - 1;
    q->link = link;
    q->link_ctx = link_ctx;
    return 0;
}

void cos_injector_fini(struct cos_injector *q)
{
    if (q != NULL) {
        cos_free_aligned(q->cell);
        q->cell = NULL;
    }
}

/* The two ring verbs are inlined into the single and the batch entry points: with n = 1 known the loops go. */
#define RING_VERB static inline __attribute__((always_inline)) size_t

/* Fills up to n cells in a row with one CAS; returns how many, 0 when the ring is full. */
RING_VERB ring_push(struct cos_injector *q, const uint32_t *v, size_t n)
{
    uint64_t p = cos_atomic_load(&q->tail, relaxed); /* relaxed: the CAS decides */
    for (;;) {
        size_t k = 0;
        int32_t ahead = 0;
        while (k < n) {
            /* acquire: pairs with the release in ring_pop that freed the cell, which comes after the consumer's
             * CAS on head and the producer's on tail: a reload below sees at least those. A free cell stays
             * free while tail stays at or below it, which the CAS checks. */
            ahead = cell_ahead(cos_atomic_load(&q->cell[(p + k) & q->mask].word, acquire), p + k);
            if (ahead != 0) {
                break;
            }
            k++;
        }
        if (k == 0) {
            if (ahead < 0) {
                return 0; /* still holds the entry of a lap ago, or its consumer is stalled */
            }
            p = cos_atomic_load(&q->tail, relaxed);
            continue;
        }
        if (cos_atomic_cas(&q->tail, &p, p + k, relaxed, relaxed)) { /* relaxed: the cells publish */
            for (size_t i = 0; i < k; i++) {
                /* release: pairs with the acquire of the cell in ring_pop; publishes the control block. */
                cos_atomic_store(&q->cell[(p + i) & q->mask].word, cell_word(p + i + 1, v[i]),
                                 release);
            }
            return k;
        }
    }
}

/* Takes up to n filled cells in a row with one CAS; returns how many, 0 when the head cell is not filled. */
RING_VERB ring_pop(struct cos_injector *q, uint32_t *out, size_t n)
{
    uint64_t p = cos_atomic_load(&q->head, relaxed); /* relaxed: the CAS decides */
    for (;;) {
        size_t k = 0;
        int32_t ahead = 0;
        while (k < n) {
            /* acquire: pairs with the release of the cell in ring_push. */
            uint64_t word = cos_atomic_load(&q->cell[(p + k) & q->mask].word, acquire);
            ahead = cell_ahead(word, p + k + 1);
            if (ahead != 0) {
                break;
            }
            out[k++] = (uint32_t)word;
        }
        if (k == 0) {
            if (ahead < 0) {
                return 0; /* empty, or the producer of the head cell is stalled: see P1 */
            }
            p = cos_atomic_load(&q->head, relaxed);
            continue;
        }
        if (cos_atomic_cas(&q->head, &p, p + k, relaxed, relaxed)) { /* relaxed: the cells publish */
            for (size_t i = 0; i < k; i++) {
                /* release: pairs with the acquire of the cell in ring_push. */
                cos_atomic_store(&q->cell[(p + i) & q->mask].word,
                                 cell_word(p + i + q->mask + 1, 0), release);
            }
            return k;
        }
    }
}

/* Adds to a counter that only the holder of the lock stores. */
static void locked_add(COS_ATOMIC(uint64_t) * counter, uint64_t n)
{
    cos_atomic_store(counter, cos_atomic_load(counter, relaxed) + n,
                     relaxed); /* relaxed: a statistic */
}

static __attribute__((noinline)) void list_push(struct cos_injector *q, const uint32_t *v, size_t n)
{
    cos_lock_acquire(&q->lock);
    for (size_t i = 0; i < n; i++) {
        cos_atomic_store(q->link(q->link_ctx, v[i]), 0,
                         relaxed); /* relaxed, all links: under the lock */
        if (q->list_last != 0) {
            cos_atomic_store(q->link(q->link_ctx, q->list_last), v[i], relaxed);
        } else {
            q->list_first = v[i];
        }
        q->list_last = v[i];
    }
    locked_add(&q->list_pushed, n);
    /* relaxed: pairs with the load in pop_batch; who reads it above zero takes the lock before it looks, and
     * a sleeper's rescan is ordered by the parker's fences. */
    cos_atomic_store(&q->listed, cos_atomic_load(&q->listed, relaxed) + n, relaxed);
    cos_lock_release(&q->lock);
}

/* Under the lock: unlinks up to n entries, oldest first. */
static size_t list_take(struct cos_injector *q, uint32_t *out, size_t n)
{
    size_t k = 0;
    while (k < n && q->list_first != 0) {
        uint32_t v = q->list_first;
        q->list_first = cos_atomic_load(q->link(q->link_ctx, v), relaxed);
        out[k++] = v;
    }
    if (q->list_first == 0) {
        q->list_last = 0;
    }
    return k;
}

/* Under the lock: puts entries that were just taken back to the front, in their order. */
static void list_untake(struct cos_injector *q, const uint32_t *v, size_t n)
{
    while (n > 0) {
        n--;
        cos_atomic_store(q->link(q->link_ctx, v[n]), q->list_first, relaxed);
        if (q->list_first == 0) {
            q->list_last = v[n];
        }
        q->list_first = v[n];
    }
}

/* The ring looked empty and the list did not. Takes from the list for the caller, then refills the ring for the
 * others. The ring comes first once more: what stood in front of the list, or was moved there before we got the
 * lock, is visible now. */
static __attribute__((noinline)) size_t list_pop(struct cos_injector *q, uint32_t *out, size_t max)
{
    uint32_t batch[COS_INJECTOR_REFILL];
    cos_lock_acquire(&q->lock);
    size_t in_ring = ring_pop(q, out, max);
    if (in_ring != 0) {
        cos_lock_release(&q->lock);
        return in_ring;
    }
    size_t taken = list_take(q, out, max < COS_INJECTOR_REFILL ? max : COS_INJECTOR_REFILL);
    size_t wanted = q->mask / 2 + 1; /* half a ring: producers that race for the rest find room */
    size_t moving = list_take(q, batch, wanted < COS_INJECTOR_REFILL ? wanted : COS_INJECTOR_REFILL);
    size_t moved = 0;
    while (moved < moving) {
        size_t k = ring_push(q, batch + moved, moving - moved);
        if (k == 0) {
            break; /* others filled it meanwhile */
        }
        moved += k;
    }
    list_untake(q, batch + moved, moving - moved);
    locked_add(&q->list_popped, taken);
    locked_add(&q->list_refilled, moved);
    /* release: pairs with the acquire in cos_injector_pop_batch: whoever reads the lower number sees the ring
     * with the moved entries (or without them because they were popped). */
    cos_atomic_store(&q->listed, cos_atomic_load(&q->listed, relaxed) - taken - moved, release);
    cos_lock_release(&q->lock);
    return taken;
}

void cos_injector_push_batch(struct cos_injector *q, const uint32_t *v, size_t n)
{
    size_t done = 0;
    /* relaxed: only fairness depends on it; an entry that overtakes the list is not lost. */
    while (done < n && cos_atomic_load(&q->listed, relaxed) == 0) {
        COS_INVARIANT(v[done] != 0);
        size_t k = ring_push(q, v + done, n - done);
        if (k == 0) {
            break;
        }
        done += k;
    }
    if (done < n) {
        list_push(q, v + done, n - done);
    }
}

void cos_injector_push(struct cos_injector *q, uint32_t v)
{
    COS_INVARIANT(v != 0);
    /* relaxed: as in push_batch. */
    if (COS_UNLIKELY(cos_atomic_load(&q->listed, relaxed) != 0) ||
        COS_UNLIKELY(ring_push(q, &v, 1) == 0)) {
        uint32_t one = v; /* v itself stays in a register */
        list_push(q, &one, 1);
    }
}

size_t cos_injector_pop_batch(struct cos_injector *q, uint32_t *out, size_t max)
{
    /* acquire: pairs with the release in list_pop. Before the ring, never after: see the head comment. */
    uint64_t listed = cos_atomic_load(&q->listed, acquire);
    size_t k = ring_pop(q, out, max);
    if (k != 0 || listed == 0) {
        return k;
    }
    return list_pop(q, out, max);
}

uint32_t cos_injector_pop(struct cos_injector *q)
{
    uint32_t v;
    uint64_t listed = cos_atomic_load(&q->listed, acquire); /* acquire: as in pop_batch */
    if (COS_LIKELY(ring_pop(q, &v, 1) != 0)) {
        return v;
    }
    uint32_t one;
    return listed != 0 && list_pop(q, &one, 1) != 0 ? one : 0;
}

uint64_t cos_injector_depth(const struct cos_injector *q)
{
    /* relaxed, all: a guess; head first, so that tail is ahead. */
    uint64_t head = cos_atomic_load(&q->head, relaxed);
    uint64_t tail = cos_atomic_load(&q->tail, relaxed);
    return (tail > head ? tail - head : 0) + cos_atomic_load(&q->listed, relaxed);
}

void cos_injector_counts(const struct cos_injector *q, struct cos_injector_counts *out)
{
    uint64_t refilled = cos_atomic_load(&q->list_refilled, relaxed); /* relaxed, all: statistics */
    uint64_t overflowed = cos_atomic_load(&q->list_pushed, relaxed);
    uint64_t tail = cos_atomic_load(&q->tail, relaxed);
    out->overflowed = overflowed;
    out->pushed = overflowed + (tail > refilled ? tail - refilled : 0);
    out->popped = cos_atomic_load(&q->head, relaxed) + cos_atomic_load(&q->list_popped, relaxed);
}
