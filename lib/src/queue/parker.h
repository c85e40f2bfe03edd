/* Sleeping and waking. cos_parker is for the workers of a pool, cos_doorbell for the one thread that sleeps in
 * somebody else's poll (MAIN in uv). Both rest on one handshake: the sleeper announces, fences, looks again; the
 * producer publishes, fences, looks for a sleeper. One of them must see the other.
 *
 * A worker's way to bed, and the calls that go with it:
 *
 *     if (cos_parker_search_begin(p)) {          at most half of the awake workers search
 *         scan all queues;
 *         if (cos_parker_search_end(p, found))   the last searcher that found work
 *             cos_parker_notify(p);              wakes one more
 *         if (found) run it;
 *     }
 *     cos_parker_prepare(p, id);                 announce, fence
 *     rescan all queues, due timers and the order to go home;
 *     if (found) {
 *         cos_parker_cancel(p, id);              a searcher again: search_end and notify as above,
 *         run it;                                whatever it found; false for going home
 *     } else {
 *         rc = cos_parker_wait(p, id, deadline); 0: awake and a searcher: scan and search_end as above
 *     }                                          -ETIMEDOUT: awake, no searcher: from the start
 */
#ifndef COS_QUEUE_PARKER_H
#define COS_QUEUE_PARKER_H
#include <stdint.h>

#include "arch/fence.h"
#include "base/assert.h"
#include "base/atomic.h"

enum {
    COS_PARKER_WORKERS_MAX = 64,
    COS_PARKER_APART = 128, /* a line and its prefetched neighbour */
};

/* One worker's bed, on lines of its own. */
struct cos_parker_bed {
    _Alignas(COS_PARKER_APART)
        COS_ATOMIC(uint32_t) wakes_sent; /* futex word: raised by each waker; wraps */
    COS_ATOMIC(uint64_t) parks;          /* stored by the worker, read by all: went to sleep */
    COS_ATOMIC(uint64_t) wakes;          /* stored by the worker, read by all: was woken */
};

struct cos_parker {
    /* Bit i: worker i is parked, or about to. Set by the worker; whoever clears it decides what comes next:
     * the worker itself goes on as before, a waker has made it a searcher. Atomic, see parker.c. */
    _Alignas(COS_PARKER_APART) COS_ATOMIC(uint64_t) parked;
    /* How many look for work, or were woken to. Atomic, see parker.c. */
    COS_ATOMIC(uint32_t) searching;
    uint32_t workers; /* const after init */
    struct cos_parker_bed bed[COS_PARKER_WORKERS_MAX];
};

/* workers from 0 to COS_PARKER_WORKERS_MAX. Owns nothing: there is no fini, but no call may be in flight when
 * the memory goes (a waker touches the bed of a worker that may already be running). */
void cos_parker_init(struct cos_parker *p, uint32_t workers);

/* Worker threads. False: enough search already, go to prepare. */
bool cos_parker_search_begin(struct cos_parker *p);
/* Ends what search_begin, cancel or wait began. True: it was the last searcher and found work; the caller then
 * calls cos_parker_notify, before it runs what it found. */
bool cos_parker_search_end(struct cos_parker *p, bool found);

/* Any thread, after each push of work for the pool. Returns whether it woke a worker. */
bool cos_parker_notify(struct cos_parker *p);

/* The same for the busiest of producers, the workers, and for them only: its first look is inline, and mostly all there is.
 * True: notify is to be called. */
static inline bool cos_parker_pushed(struct cos_parker *p);

/* The second half of it, for who has passed that fence already. */
static inline bool cos_parker_sleeps(struct cos_parker *p)
{
    /* relaxed, both: ordered by the fences, no data is read through them. */
    return COS_UNLIKELY(cos_atomic_load(&p->parked, relaxed) != 0) &&
           cos_atomic_load(&p->searching, relaxed) == 0;
}

static inline bool cos_parker_pushed(struct cos_parker *p)
{
    /* The producer's half, as in notify: the push before the reads below. The partner is the heavy fence in prepare, which
     * comes as long as another worker than the sleeper is awake: this one. */
    cos_fence_light();
    return cos_parker_sleeps(p);
}

/* Any thread, after storing the flag that sends workers home (they read it in their rescan). */
void cos_parker_wake_all(struct cos_parker *p);

/* Worker id, not searching. Announces: the rescan after it sees everything whose producer will not wake it. */
void cos_parker_prepare(struct cos_parker *p, uint32_t id);
/* Worker id, after prepare, when the rescan found something. Withdraws; the caller counts as a searcher, whether a
 * waker was faster or not (parker.c says why), and calls search_end. Never blocks. */
void cos_parker_cancel(struct cos_parker *p, uint32_t id);
/* Worker id, after prepare. 0: woken, the caller counts as a searcher. -ETIMEDOUT: withdrawn, it does not.
 * deadline_ns: monotonic, INT64_MAX for never. */
int cos_parker_wait(struct cos_parker *p, uint32_t id, int64_t deadline_ns);

struct cos_doorbell {
    _Alignas(COS_CACHE_LINE)
        COS_ATOMIC(uint32_t) parked; /* 1: the owner is in its poll, or about to be */
};

static inline void cos_doorbell_init(struct cos_doorbell *bell)
{
    cos_atomic_init(&bell->parked, 0);
}

/* Owner thread, before its last look at the inbox. */
static inline void cos_doorbell_announce(struct cos_doorbell *bell)
{
    cos_atomic_store(&bell->parked, 1, relaxed); /* relaxed: ordered by the fence */
    /* store-load: parked before the last look. The partner is the fence in cos_doorbell_ring_needed. */
    cos_atomic_fence_full();
}

/* Owner thread, awake again or not going to sleep after all. A ring may still be on its way: harmless. */
static inline void cos_doorbell_retract(struct cos_doorbell *bell)
{
    cos_atomic_store(&bell->parked, 0, relaxed); /* relaxed: at worst a ring too many */
}

/* Any thread, after publishing. True for exactly one producer per announce: it must ring (eventfd). */
static inline bool cos_doorbell_ring_needed(struct cos_doorbell *bell)
{
    /* store-load: the publication before the look at parked. The partner is the fence in cos_doorbell_announce. */
    cos_atomic_fence_full();
    /* relaxed, both: the flag carries no data, the inbox does. */
    return cos_atomic_load(&bell->parked, relaxed) != 0 &&
           cos_atomic_exchange(&bell->parked, 0, relaxed) != 0;
}
#endif
