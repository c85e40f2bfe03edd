/* How the workers of a pool sleep without missing work and wake without a herd.
 * prepare, cancel, wait and the search verbs come from worker threads, notify and wake_all from anywhere.
 * Only cos_parker_wait blocks. Nothing here looks into a queue: the caller scans.
 *
 * The rule of the wake-ups (Go's proc.go, "Worker thread parking/unparking", has the same in prose): a producer
 * wakes somebody only if nobody searches; a searcher that finds work and is the last one wakes one more; a searcher
 * that finds nothing rescans in bed, and when it finds something there it is a searcher again.
 *
 * Why no entry is slept over. Producer S: push; fence; read searching; read parked. Worker W: [searching - 1;] set
 * its bit in parked; H; rescan. H falls, for S, before its reads or after its push.
 *   - after the push: the rescan sees the entry. It may take another one and be busy with that for long, while
 *     S had counted on it as a searcher: that is why cancel makes it one again, and the last one notifies.
 *   - before the reads: S sees W's bit set and, if W had been searching, its count gone. If S still reads a
 *     searcher, it is another worker X whose decrement is yet to come. If X finds nothing, its own way to bed
 *     begins after S's push: the case above. If X ends with work, being the last it notifies, and by then W's bit
 *     is visible to it as well (H falls, for X, before its look at parked, or else X's decrement came before H
 *     and S would have seen it).
 *
 * A waker takes its turn first (searching 0 -> 1 by CAS: one of a hundred producers) and then a bit. When it
 * finds no bit it gives the turn back, and must look at parked again after that: meanwhile others relied on the
 * turn it held, and a worker may have gone to bed. Without that second look the explorer finds a sleeper over
 * work within a second.
 *
 * Clearing the bit is the wake-up; the futex word only tells the sleeping thread to look at its bit. So a worker
 * that cancels never waits for a waker that was preempted half-way, and a raise of the word that comes late
 * costs its next sleep one turn of a loop.
 *
 * The fences. A worker that pushes has a light one (cos_parker_pushed), everybody else a full one. So H need be heavy
 * only for workers that are awake; for the others a full one does. Who is awake tells the word itself: all bits are set and
 * cleared by read-modify-writes of it, one after another. If W's own finds the bit of V set, then
 *   - what V pushed before it set the bit happened before W's rescan (release, acquire);
 *   - V's bit is cleared after W's was set, so whatever V pushes then, it sees W's bit without any fence;
 *   - what V pushes from bed (timers that its rescan fires) it has seen itself, so it clears its bit by cancel, and as
 *     the last searcher it notifies after that; any other searcher stands as X above.
 * The last one awake thus goes to bed without a system call; with a lone worker every one does.
 *
 * The lowest bit is taken first: the same few workers stay warm, the others sleep on. */
#include "queue/parker.h"

#include <errno.h>
#include <string.h>

#include "arch/fence.h"
#include "arch/futex.h"

void cos_parker_init(struct cos_parker *p, uint32_t workers)
{
    COS_ASSERT(workers <= COS_PARKER_WORKERS_MAX);
    memset((void *)p, 0, sizeof *p);
    p->workers = workers;
}

static void count(COS_ATOMIC(uint64_t) * counter)
{
    cos_atomic_store(counter, cos_atomic_load(counter, relaxed) + 1,
                     relaxed); /* relaxed: one writer, a statistic */
}

bool cos_parker_search_begin(struct cos_parker *p)
{
    uint64_t parked = cos_atomic_load(&p->parked, relaxed); /* relaxed, both: a heuristic bound */
    uint32_t searching = cos_atomic_load(&p->searching, relaxed);
    uint32_t awake = p->workers - (uint32_t)__builtin_popcountll(parked);
    if (searching >= (awake > 3 ? awake / 2 : 1)) {
        return false;
    }
    /* relaxed: beginning to search promises nothing that was not scanned; only the end does. */
    (void)cos_atomic_add(&p->searching, 1, relaxed);
    return true;
}

bool cos_parker_search_end(struct cos_parker *p, bool found)
{
    /* relaxed: if nothing was found, prepare's fence orders this before the rescan; if the last searcher found
     * work, the fence in notify orders it before the look at parked (both partners of prepare). */
    uint32_t before = cos_atomic_sub(&p->searching, 1, relaxed);
    COS_ASSERT(before >= 1);
    return found && before == 1;
}

static void raise_word(struct cos_parker *p, uint32_t id)
{
    /* release: pairs with the acquire of the word in cos_parker_wait: it shows that the bit is gone. */
    (void)cos_atomic_add(&p->bed[id].wakes_sent, 1, release);
    cos_futex_wake(&p->bed[id].wakes_sent, 1);
}

/* Clears the lowest bit of parked and wakes its worker. False when there was none. */
static bool wake_one(struct cos_parker *p)
{
    uint64_t parked = cos_atomic_load(&p->parked, relaxed); /* relaxed: the CAS decides */
    while (parked != 0) {
        uint32_t id = (uint32_t)__builtin_ctzll(parked);
        /* acq_rel: pairs with the orders of parked in prepare, cancel and wait: the worker that finds its bit
         * gone sees what its waker pushed, the waker's raise comes after the worker's last sleep. */
        if (cos_atomic_cas(&p->parked, &parked, parked & ~(UINT64_C(1) << id), acq_rel, relaxed)) {
            raise_word(p, id);
            return true;
        }
    }
    return false;
}

bool cos_parker_notify(struct cos_parker *p)
{
    /* The producer's half: the push before the reads below. The partner is the fence in prepare, heavy or full. */
    cos_atomic_fence_full();
    for (;;) {
        /* relaxed, both: ordered by the fences, no data is read through them. */
        if (cos_atomic_load(&p->searching, relaxed) != 0 ||
            cos_atomic_load(&p->parked, relaxed) == 0) {
            return false;
        }
        uint32_t none = 0;
        /* relaxed: decides which producer takes the turn; on failure somebody else searches. */
        if (!cos_atomic_cas(&p->searching, &none, 1, relaxed, relaxed)) {
            return false;
        }
        if (wake_one(p)) {
            return true; /* the woken worker owns the count now */
        }
        (void)cos_atomic_sub(&p->searching, 1, relaxed); /* relaxed: ordered by the fence below */
        /* The count before the second look at parked; the partner is the fence in prepare. */
        cos_atomic_fence_full();
    }
}

void cos_parker_wake_all(struct cos_parker *p)
{
    /* The caller's flag before the look at parked; the partner is the fence in prepare. */
    cos_atomic_fence_full();
    while (cos_atomic_load(&p->parked, relaxed) != 0) {  /* relaxed: as in notify */
        (void)cos_atomic_add(&p->searching, 1, relaxed); /* on behalf of the one about to be woken */
        if (!wake_one(p)) {
            (void)cos_atomic_sub(&p->searching, 1,
                                 relaxed); /* relaxed: as in notify, the loop looks again */
            cos_atomic_fence_full();
        }
    }
}

void cos_parker_prepare(struct cos_parker *p, uint32_t id)
{
    COS_ASSERT(id < p->workers);
    uint64_t bit = UINT64_C(1) << id;
    uint64_t all = ~UINT64_C(0) >> (COS_PARKER_WORKERS_MAX - p->workers);
    /* release: pairs with the acquire in wake_one, and with those of parked by which the others get up. acquire: pairs with
     * the releases here by which those others went to bed whose bits it finds. */
    uint64_t before = cos_atomic_or(&p->parked, bit, acq_rel);
    COS_ASSERT((before & bit) == 0);
    /* The sleeper's half: bit (and the end of its search) before the rescan. The partners are the full fences in notify
     * and wake_all and, of workers that are awake, the light one in pushed: without such workers a full one will do. */
    if ((before | bit) == all) {
        cos_atomic_fence_full();
    } else {
        cos_fence_heavy();
    }
}

/* Clears the own bit. False when a waker was faster: the caller counts as a searcher already. */
static bool withdraw(struct cos_parker *p, uint32_t id)
{
    uint64_t bit = UINT64_C(1) << id;
    /* acquire: pairs with the release of the CAS in wake_one, if that was faster. */
    return (cos_atomic_and(&p->parked, ~bit, acquire) & bit) != 0;
}

void cos_parker_cancel(struct cos_parker *p, uint32_t id)
{
    if (withdraw(p, id)) {
        (void)cos_atomic_add(&p->searching, 1, relaxed); /* relaxed: as in search_begin */
    }
}

int cos_parker_wait(struct cos_parker *p, uint32_t id, int64_t deadline_ns)
{
    struct cos_parker_bed *bed = &p->bed[id];
    uint64_t bit = UINT64_C(1) << id;
    count(&bed->parks);
    for (;;) {
        /* acquire: pairs with the release in raise_word. Before the look at the bit: if the waker of this sleep
         * raised the word already, the bit below is gone; if it did not, the futex sees the change. */
        uint32_t word = cos_atomic_load(&bed->wakes_sent, acquire);
        /* acquire: pairs with the release of the CAS in wake_one. */
        if ((cos_atomic_load(&p->parked, acquire) & bit) == 0) {
            count(&bed->wakes);
            return 0;
        }
        if (cos_futex_wait(&bed->wakes_sent, word, deadline_ns) == -ETIMEDOUT) {
            if (withdraw(p, id)) {
                return -ETIMEDOUT;
            }
            count(&bed->wakes);
            return 0;
        }
    }
}
