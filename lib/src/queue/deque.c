/* The rarer half of the work-stealing deque: growth, the last entry, the top and the thieves.
 * The owner's calls come from the executor's own thread, steals from any other; nothing here blocks or runs
 * user code. The only allocation is growth, under the owner.
 *
 * Why no entry is taken twice (H = heavy fence, L = light fence):
 *
 *     owner, take_bottom of b            thief, steal of t
 *     O1 store bottom = b                T0 thieves + 1
 *     L                                  T1 load top = t
 *     O2 load top                        H  (a full fence in every running thread)
 *        top < b: takes b, no CAS        T2 load bottom
 *     O3 load thieves                    T3 load the cell, if t < bottom
 *     O4 load top: none, and still b:    T4 CAS top t -> t+1
 *        takes b, no CAS either          T5 thieves - 1
 *        else CAS top b -> b+1
 *
 * Both could take one entry only with t = b, O2 reading less than b, and T2 reading more than b. L keeps O1
 * before O2 in the owner's instruction stream, so H falls, for the owner, either before O2 or after O1 (or
 * between them, which is both):
 *   - before O2: T1 had read top = b before H, so O2 reads b or more, and the owner goes through the CAS on top,
 *     which only one of the two can win;
 *   - after O1: T2 comes after H and reads what O1 stored or newer. If that is b, the thief answers EMPTY. If it
 *     is more, the owner pushed again after this take, and its push gave position b to a new entry: the thief
 *     reads bottom by acquire, so the cell it loads at T3 holds the new entry, and that is the one it wins.
 * Nor by O4, with t = b, O3 reading none and O4 reading b. H falls before O3 or after O1 once more:
 *   - before O3: T0 comes before H, so O3 reads none only if it reads T5 or something later; then T4 has happened, and O4,
 *     which comes after O3, reads more than b;
 *   - after O1: as above. Top stays b this time, and so does bottom: empty, like any other pair of equals.
 * With several thieves the value that T1 read was stored by another thief's T4; nothing above asks who did.
 * Where membarrier is missing, cos_fence_init makes both H and L full fences and the proof is the paper's.
 *
 * Why a thief never takes a wrong entry: T3 may read a cell that the owner is about to reuse, or an old ring.
 * The owner reuses the cell of t only after it saw top > t (reserve_owner), and then T4 fails. An old ring is
 * never written again and holds everything that was pushed before it was replaced; an entry pushed later has a
 * bottom that was stored after the new ring, and T2 is an acquire. That is why rings are kept until fini:
 * together they are smaller than the newest.
 *
 * Rejected: taking half of the victim's entries with one CAS on top. The owner may take from the bottom, without
 * any CAS, entries that the thief counted: 392 of 4 million ran twice. A batch is n single steals.
 * Rejected: a bottom that is stored after top was read (the plain stack order): tests/explore kills it. */
#include "queue/deque.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"

static struct cos_deque_ring *ring_create(int64_t capacity)
{
    struct cos_deque_ring *ring = cos_alloc_aligned(
        COS_CACHE_LINE, sizeof(struct cos_deque_ring) + (size_t)capacity * sizeof(ring->cell[0]));
    if (ring != NULL) {
        ring->mask = capacity - 1;
        cos_atomic_init(&ring->cell[capacity - 1], 0); /* the newest one before the first push */
    }
    return ring;
}

int cos_deque_init(struct cos_deque *d, uint32_t capacity_log2)
{
    COS_ASSERT(capacity_log2 >= 1 && capacity_log2 <= COS_DEQUE_CAPACITY_LOG2_MAX);
    struct cos_deque_ring *ring = ring_create(INT64_C(1) << capacity_log2);
    if (ring == NULL) {
        memset((void *)d, 0, sizeof *d); /* zeroed: fini is then a no-op */
        return -ENOMEM;
    }
    cos_atomic_init(&d->top, 0);
    cos_atomic_init(&d->thieves, 0);
    cos_atomic_init(&d->bottom, 0);
    cos_atomic_init(&d->ring, ring);
    d->limit = ring->mask + 1;
    return 0;
}

void cos_deque_fini(struct cos_deque *d)
{
    if (d == NULL) {
        return;
    }
    /* relaxed: no other thread is left. */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
    while (ring != NULL) {
        struct cos_deque_ring *older = ring->retired;
        cos_free_aligned(ring);
        ring = older;
    }
    cos_atomic_init(&d->ring, NULL);
}

int cos_deque_reserve_owner(struct cos_deque *d, int64_t n)
{
    COS_ASSERT(n > 0 && n <= INT64_C(1) << COS_DEQUE_CAPACITY_LOG2_MAX);
    int64_t b = cos_atomic_load(&d->bottom, relaxed); /* relaxed: own store */
    /* acquire: pairs with the release of the CAS in cos_deque_steal: the thief has read its cell before the
     * owner overwrites it. */
    int64_t t = cos_atomic_load(&d->top, acquire);
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed); /* relaxed: own store */
    int64_t capacity = ring->mask + 1;
    if (b + n - t > capacity) {
        while (b + n - t > capacity) {
            capacity *= 2;
        }
        if (capacity > INT64_C(1) << COS_DEQUE_CAPACITY_LOG2_MAX) {
            return -ENOMEM;
        }
        struct cos_deque_ring *bigger = ring_create(capacity);
        if (bigger == NULL) {
            return -ENOMEM;
        }
        /* relaxed: own stores, published by the ring pointer and by bottom. */
        for (int64_t p = t; p < b; p++) {
            uint32_t v = cos_atomic_load(&ring->cell[p & ring->mask], relaxed);
            cos_atomic_store(&bigger->cell[p & bigger->mask], v, relaxed);
        }
        bigger->retired = ring;
        /* release: pairs with the acquire of ring in cos_deque_steal; publishes mask and the copied cells. */
        cos_atomic_store(&d->ring, bigger, release);
    }
    d->limit = t + capacity;
    return 0;
}

/* The whole pages inside it: some, since it is larger than COS_DEQUE_TRIM_PAGES. */
static void release_cells(struct cos_deque_ring *ring, uintptr_t page)
{
    uintptr_t from = ((uintptr_t)&ring->cell[0] + page - 1) & ~(page - 1);
    uintptr_t to = (uintptr_t)&ring->cell[ring->mask + 1] & ~(page - 1);
    (void)madvise((void *)from, to - from, MADV_DONTNEED); /* refused: it stays as it is */
}

/* Of an empty deque no cell counts: a thief that still reads one, of this ring or an older, looked at a top that has gone on since,
 * and its CAS fails (T4). What is pushed from here on is written into fresh zeros. */
void cos_deque_trim_owner(struct cos_deque *d)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed); /* relaxed: own store */
    int64_t least = COS_DEQUE_TRIM_PAGES * (int64_t)(page / sizeof ring->cell[0]);
    if (cos_deque_size(d) > 0) {
        return;
    }
    while (ring->mask >= least) { /* the first of a deque is smaller */
        release_cells(ring, page);
        ring = ring->retired;
    }
}

COS_STATIC_ASSERT((1 << COS_DEQUE_CAPACITY_LOG2) * sizeof(uint32_t) < COS_DEQUE_TRIM_PAGES * 4096,
                  "the chain of rings that are given back ends at one that is not");

uint32_t cos_deque_take_last_owner(struct cos_deque *d, int64_t b, int64_t t)
{
    COS_INVARIANT(t >= b);
    uint32_t v = 0;
    if (t == b) {
        struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
        v = cos_atomic_load(&ring->cell[b & ring->mask], relaxed); /* relaxed: own stores */
        /* relaxed: the winner against cos_deque_steal is decided by the order of changes of top alone; the
         * owner needs nothing from a thief and publishes nothing by it. */
        if (!cos_atomic_cas(&d->top, &t, t + 1, relaxed, relaxed)) {
            v = 0;
        }
    }
    /* release: as in push_owner. Top is b + 1 now, whoever moved it: the deque is empty. */
    cos_atomic_store(&d->bottom, b + 1, release);
    return v;
}

uint32_t cos_deque_take_top_owner(struct cos_deque *d)
{
    int64_t b = cos_atomic_load(&d->bottom, relaxed); /* relaxed: own store */
    int64_t t = cos_atomic_load(&d->top, relaxed);    /* relaxed: the CAS decides */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
    while (t < b) {
        uint32_t v = cos_atomic_load(&ring->cell[t & ring->mask], relaxed); /* relaxed: own stores */
        /* relaxed: as in take_last_owner. Nobody else moves bottom, so t < b cannot become stale, and a
         * failure means that a thief has moved on: this loop cannot spin on a stalled thread. */
        if (cos_atomic_cas(&d->top, &t, t + 1, relaxed, relaxed)) {
            return v;
        }
    }
    return 0;
}

/* By who counts among the thieves. */
static enum cos_steal steal_counted(struct cos_deque *d, uint32_t *out)
{
    /* relaxed: ordered before bottom by the heavy fence. */
    int64_t t = cos_atomic_load(&d->top, relaxed);
    /* The thief's half of the handshake: top is read, then every owner passes a full fence, then bottom is
     * read. The partner is the light fence in cos_deque_claim_bottom_owner. */
    cos_fence_heavy();
    /* acquire: pairs with the releases of bottom by the owner; makes cells, ring and control blocks visible. */
    int64_t b = cos_atomic_load(&d->bottom, acquire);
    if (t >= b) {
        return COS_STEAL_EMPTY;
    }
    /* acquire: pairs with the release of ring in reserve_owner. Not before bottom: see the head comment. */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, acquire);
    /* relaxed: bottom published it. */
    uint32_t v = cos_atomic_load(&ring->cell[t & ring->mask], relaxed);
    /* release: pairs with the acquire of top in reserve_owner: the cell was read before it may be reused. */
    if (!cos_atomic_cas(&d->top, &t, t + 1, release, relaxed)) {
        return COS_STEAL_LOST;
    }
    COS_INVARIANT(v != 0);
    *out = v;
    return COS_STEAL_TAKEN;
}

enum cos_steal cos_deque_steal(struct cos_deque *d, uint32_t *out)
{
    /* relaxed, both: a hint, for those who can be wrong; a parking worker has fenced before it looks. */
    if (cos_atomic_load(&d->top, relaxed) >= cos_atomic_load(&d->bottom, relaxed)) {
        return COS_STEAL_EMPTY;
    }
    /* relaxed: ordered by the heavy fence. */
    (void)cos_atomic_add(&d->thieves, 1, relaxed);
    enum cos_steal got = steal_counted(d, out);
    /* release: pairs with the acquire of thieves in cos_deque_claimed_alone_owner. */
    (void)cos_atomic_sub(&d->thieves, 1, release);
    return got;
}

uint32_t cos_deque_steal_batch(struct cos_deque *d, struct cos_deque *own, uint32_t max)
{
    COS_ASSERT(d != own && max > 0);
    int64_t half = (cos_deque_size(d) + 1) / 2;
    if (half < (int64_t)max) {
        max = half > 1 ? (uint32_t)half : 1;
    }
    if (max > 1 && cos_deque_reserve_owner(own, (int64_t)max - 1) < 0) {
        max = 1; /* no room for more than the one the caller runs */
    }
    uint32_t first = 0;
    if (cos_deque_steal(d, &first) != COS_STEAL_TAKEN) {
        return 0;
    }
    for (uint32_t n = 1; n < max; n++) {
        uint32_t v;
        if (cos_deque_steal(d, &v) != COS_STEAL_TAKEN) {
            break;
        }
        int rc = cos_deque_push_owner(own, v);
        COS_ASSERT(rc == 0); /* reserved above */
    }
    return first;
}

int64_t cos_deque_size(const struct cos_deque *d)
{
    int64_t b = cos_atomic_load(&d->bottom, relaxed); /* relaxed, both: a guess */
    int64_t t = cos_atomic_load(&d->top, relaxed);
    return b > t ? b - t : 0;
}
