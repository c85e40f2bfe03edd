/* The deque of one executor: its owner pushes and takes at the bottom, takes at the top when its loop looks
 * for the oldest work, and every other thread steals at the top.
 *
 * Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005), with the orders of Lê, Pop, Cohen and
 * Zappa Nardelli, "Correct and efficient work-stealing for weak memory models" (PPoPP 2013), and with the
 * full fence of the owner's take moved to the thief (proof in deque.c).
 *
 * Entries are indices of control blocks; 0 means none. Positions are signed 64-bit and never wrap. */
#ifndef COS_QUEUE_DEQUE_H
#define COS_QUEUE_DEQUE_H
#include <stdint.h>

#include "arch/fence.h"
#include "base/assert.h"
#include "base/atomic.h"

enum cos_steal {
    COS_STEAL_EMPTY, /* nothing there */
    COS_STEAL_LOST, /* another thread was faster: there may be more, back off and try elsewhere first */
    COS_STEAL_TAKEN, /* *out is yours */
};

enum {
    COS_DEQUE_CAPACITY_LOG2 = 8,      /* what an executor starts with */
    COS_DEQUE_CAPACITY_LOG2_MAX = 30, /* push answers -ENOMEM beyond */
    COS_DEQUE_TRIM_PAGES = 4,         /* a smaller ring is not worth the system call */
    COS_DEQUE_APART = 128,            /* a line and the neighbour that the prefetcher drags along */
};

struct cos_deque_ring {
    struct cos_deque_ring *retired; /* owned: the smaller ring this one replaced; owner thread */
    int64_t mask;                   /* capacity - 1; const after init */
    COS_ATOMIC(uint32_t) cell[];    /* position p lives in cell[p & mask]; atomic, see deque.c */
};

struct cos_deque {
    /* Next position to steal; only grows. Atomic: compare-and-swap by thieves and by the owner. */
    _Alignas(COS_DEQUE_APART) COS_ATOMIC(int64_t) top;
    COS_ATOMIC(uint32_t)
    thieves; /* in the middle of a steal. Atomic: counted by thieves, read by the owner */
    /* Next position to push. Atomic: stored by the owner thread alone, read by thieves. */
    _Alignas(COS_DEQUE_APART) COS_ATOMIC(int64_t) bottom;
    COS_ATOMIC(struct cos_deque_ring *)
    ring;          /* owned; stored by the owner thread, read by thieves */
    int64_t limit; /* owner thread: below this bottom there is room without a look at top */
};

/* 0 or -ENOMEM. capacity_log2 from 1 to COS_DEQUE_CAPACITY_LOG2_MAX. No other thread may know d yet. */
int cos_deque_init(struct cos_deque *d, uint32_t capacity_log2);
/* Frees all rings, also those a late thief could still have read: no thief may be left. NULL and zeroed are fine. */
void cos_deque_fini(struct cos_deque *d);

/* Owner thread only. 0, or -ENOMEM when the ring is full and cannot grow; the deque is then unchanged. */
static inline int cos_deque_push_owner(struct cos_deque *d, uint32_t v);
/* Owner thread only. Newest entry or 0. No fence instruction, and no locked operation unless it is the last while somebody
 * is about to steal. */
static inline uint32_t cos_deque_take_bottom_owner(struct cos_deque *d);
/* Owner thread only. Takes the newest entry if it is exactly v; otherwise leaves everything as it was. 0 is never there. */
static inline bool cos_deque_take_bottom_if_owner(struct cos_deque *d, uint32_t v);
/* Owner thread only. Oldest entry or 0: what a fair loop runs. One locked operation, no fence. */
uint32_t cos_deque_take_top_owner(struct cos_deque *d);
/* Owner thread only. The memory of an empty deque that once was large goes back to the system, its cells' addresses stay. */
void cos_deque_trim_owner(struct cos_deque *d);
/* Owner thread only. Room for n more pushes that cannot fail. 0 or -ENOMEM. */
int cos_deque_reserve_owner(struct cos_deque *d, int64_t n);

/* Any thread but the owner. Costs a heavy fence (up to 10 us) once there seems to be work. */
enum cos_steal cos_deque_steal(struct cos_deque *d, uint32_t *out);
/* Called by the owner of `own` on somebody else's d: up to max entries, and never more than half of what
 * is there, by as many single steals. Returns the oldest (0: none) and pushes the others on own in order. */
uint32_t cos_deque_steal_batch(struct cos_deque *d, struct cos_deque *own, uint32_t max);
/* Any thread; a guess for everyone but the owner, who may see too many but never too few. */
int64_t cos_deque_size(const struct cos_deque *d);

/* Slow halves of the inline verbs; owner thread only. */
uint32_t cos_deque_take_last_owner(struct cos_deque *d, int64_t b, int64_t t);

/* Owner thread only. False: a push may have to make room first. */
static inline bool cos_deque_has_room_owner(const struct cos_deque *d)
{
    return cos_atomic_load(&d->bottom, relaxed) < d->limit; /* relaxed: own store */
}

/* A push where there is room. */
static inline void cos_deque_put_owner(struct cos_deque *d, uint32_t v)
{
    COS_INVARIANT(v != 0 && cos_deque_has_room_owner(d));
    int64_t b = cos_atomic_load(&d->bottom, relaxed);                 /* relaxed: own store */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed); /* relaxed: own store */
    cos_atomic_store(&ring->cell[b & ring->mask], v, relaxed); /* relaxed: published by bottom */
    /* release: pairs with the acquire of bottom in cos_deque_steal; publishes the cell and the block behind v. */
    cos_atomic_store(&d->bottom, b + 1, release);
}

/* Owner thread only. Is there room for n puts? */
static inline bool cos_deque_has_room_for_owner(const struct cos_deque *d, int64_t n)
{
    return cos_atomic_load(&d->bottom, relaxed) + n <= d->limit; /* relaxed: own store */
}

/* Several puts at once, where there is room for all: each cell by its position, from bottom on, then the new bottom. */
static inline void cos_deque_lay_owner(struct cos_deque_ring *ring, int64_t p, uint32_t v)
{
    cos_atomic_store(&ring->cell[p & ring->mask], v, relaxed); /* relaxed: published by bottom */
}

static inline void cos_deque_publish_owner(struct cos_deque *d, int64_t bottom)
{
    COS_INVARIANT(bottom <= d->limit);
    cos_atomic_store(&d->bottom, bottom, release); /* release: as in cos_deque_put_owner */
}

static inline int cos_deque_push_owner(struct cos_deque *d, uint32_t v)
{
    if (COS_UNLIKELY(!cos_deque_has_room_owner(d))) {
        int rc = cos_deque_reserve_owner(d, 1);
        if (rc < 0) {
            return rc;
        }
    }
    cos_deque_put_owner(d, v);
    return 0;
}

/* The second half of a claim: bottom says b, the fence is passed. */
static inline bool cos_deque_claimed_alone_owner(const struct cos_deque *d, int64_t b)
{
    /* relaxed, both: ordered by the fences, carries no data.
     * The last one is ours without a compare-and-swap if nobody steals: first thieves, then top once more (deque.c).
     * acquire: pairs with the release in cos_deque_steal; what those that have left have taken is seen in top. */
    return COS_LIKELY(cos_atomic_load(&d->top, relaxed) < b) ||
           COS_LIKELY(cos_atomic_load(&d->thieves, acquire) == 0 &&
                      cos_atomic_load(&d->top, relaxed) == b);
}

/* Claims position b = bottom - 1, which the caller saw occupied, and looks whether it is contested. True: it is the caller's.
 * Else cos_deque_take_last_owner decides. */
static inline bool cos_deque_claim_alone_owner(struct cos_deque *d, int64_t b)
{
    /* release: pairs with the acquire of bottom in cos_deque_steal: a thief that meets this value and not the
     * push's must still see the cells below it. */
    cos_atomic_store(&d->bottom, b, release);
    /* The owner's half of the handshake: bottom is stored before thieves and top are loaded. The partner is the
     * heavy fence between the load of top and the load of bottom in cos_deque_steal. */
    cos_fence_light();
    return cos_deque_claimed_alone_owner(d, b);
}

/* The same where the fence is free; and v is what the newest cell says, or said: the deque may be empty. That is the proof's take as
 * well: top is then b + 1, and cos_deque_take_last_owner puts bottom back. */
static inline bool cos_deque_claim_alone_free_owner(struct cos_deque *d, int64_t b)
{
    cos_atomic_store(&d->bottom, b, release); /* release: as above */
    cos_fence_light_free();
    return cos_deque_claimed_alone_owner(d, b);
}

/* Owner thread only. Does the newest cell say v? It may have been taken from there. */
static inline bool cos_deque_newest_was_owner(const struct cos_deque *d, uint32_t v)
{
    /* relaxed, all: own stores. */
    int64_t b = cos_atomic_load(&d->bottom, relaxed) - 1;
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
    return cos_atomic_load(&ring->cell[b & ring->mask], relaxed) == v;
}

/* The same. Returns its entry, or 0 when a thief won it. */
static inline uint32_t cos_deque_claim_bottom_owner(struct cos_deque *d, int64_t b)
{
    if (COS_LIKELY(cos_deque_claim_alone_owner(d, b))) {
        struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
        return cos_atomic_load(&ring->cell[b & ring->mask], relaxed); /* relaxed: own stores */
    }
    return cos_deque_take_last_owner(d, b, cos_atomic_load(&d->top, relaxed));
}

static inline uint32_t cos_deque_take_bottom_owner(struct cos_deque *d)
{
    int64_t b = cos_atomic_load(&d->bottom, relaxed) - 1; /* relaxed: own store */
    /* relaxed: top only grows, so an old value is a bound. */
    if (cos_atomic_load(&d->top, relaxed) > b) {
        return 0;
    }
    return cos_deque_claim_bottom_owner(d, b);
}

/* Owner thread only. The entry with so many before it in line, a hint: thieves may take it. 0: the line is not that long. */
static inline uint32_t cos_deque_peek_owner(const struct cos_deque *d, int64_t before)
{
    /* relaxed, all: own stores, and top only grows; an entry that a thief has taken is an index all the same. */
    int64_t p = cos_atomic_load(&d->top, relaxed) + before;
    if (p >= cos_atomic_load(&d->bottom, relaxed)) {
        return 0;
    }
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
    return cos_atomic_load(&ring->cell[p & ring->mask], relaxed);
}

/* Owner thread only. Is v the newest entry? A thief may take it the next moment. */
static inline bool cos_deque_newest_is_owner(const struct cos_deque *d, uint32_t v)
{
    int64_t b = cos_atomic_load(&d->bottom, relaxed) - 1; /* relaxed: own store */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed);
    /* relaxed, all: own stores, and top only grows. */
    return cos_atomic_load(&d->top, relaxed) <= b &&
           cos_atomic_load(&ring->cell[b & ring->mask], relaxed) == v;
}

/* Without a look at top: an entry that a thief has taken stands in its cell all the same, but then top is above b, and bottom is put
 * back. */
static inline bool cos_deque_take_bottom_if_owner(struct cos_deque *d, uint32_t v)
{
    int64_t b = cos_atomic_load(&d->bottom, relaxed) - 1;             /* relaxed: own store */
    struct cos_deque_ring *ring = cos_atomic_load(&d->ring, relaxed); /* relaxed: own store */
    if (cos_atomic_load(&ring->cell[b & ring->mask], relaxed) != v) { /* relaxed: own stores */
        return false;
    }
    return COS_LIKELY(cos_deque_claim_alone_owner(d, b)) ||
           cos_deque_take_last_owner(d, b, cos_atomic_load(&d->top, relaxed)) != 0;
}
#endif
