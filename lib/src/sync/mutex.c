/* cosched_mutex: one word and a line.
 *
 *     0 (free)  --lock-->  holder  --somebody waits-->  holder | WAITERS
 *
 * The word changes without the lock only from 0 to a holder and from a holder without WAITERS to 0; so whoever finds no
 * line pays one compare-and-swap, and may overtake a task that is on its way into the line, never one that is in it.
 * WAITERS is set and cleared under the lock, and stands while the line is not empty. The holder then gives the mutex to
 * the first in line: it is never free in between.
 *
 * The last act of an unlock is always one access that gives the mutex away: after it the mutex may be gone. */
#include "sync/mutex.h"

#include "sync/holder.h"
#include "sync/line.h"

#define WAITERS UINT32_C(0x80000000)

struct mutex {
    COS_ATOMIC(uint32_t) word; /* index of the holding task, WAITERS; atomic, see above */
    struct cos_lock lock;      /* guards the line and WAITERS */
    struct cos_line line;
};

COS_STATIC_ASSERT(sizeof(struct mutex) <= sizeof(cosched_mutex), "cosched_mutex is too small");

static struct mutex *mutex_of(cosched_mutex *m)
{
    return (struct mutex *)(void *)m;
}

static bool take(struct mutex *m, uint32_t self)
{
    uint32_t none = 0;
    /* acquire: pairs with the release in cosched_mutex_unlock; we see what the former holder wrote. */
    return cos_atomic_cas(&m->word, &none, self, acquire, relaxed);
}

static bool held_by(struct mutex *m, uint32_t self)
{
    return (cos_atomic_load(&m->word, relaxed) & ~WAITERS) == self; /* our index: only we write it */
}

/* Under the lock. False: WAITERS stands now, and the holder will come for the line. */
static bool take_or_announce(struct mutex *m, uint32_t self)
{
    uint32_t seen = cos_atomic_load(&m->word, relaxed);
    for (;;) {
        if (seen == 0) {
            if (cos_atomic_cas(&m->word, &seen, self, acquire, relaxed)) { /* as in take() */
                return true;
            }
        } else if ((seen & WAITERS) != 0 ||
                   /* relaxed: the holder's failed swap sends it to the lock, which orders the line. */
                   cos_atomic_cas(&m->word, &seen, seen | WAITERS, relaxed, relaxed)) {
            return false;
        }
    }
}

static int lock_in_line(struct mutex *m, uint32_t self, int64_t deadline, unsigned flags)
{
    int rc = 0;
    cos_lock_acquire(&m->lock);
    if (!take_or_announce(m, self)) {
        struct cos_cell cell = {.tag = self};
        rc = cos_line_wait(&m->lock, &m->line, &cell, deadline,
                           flags | COS_PARK_FOR(COSCHED_FOR_MUTEX));
    }
    cos_lock_release(&m->lock);
    return rc;
}

int cosched_mutex_lock(cosched_mutex *public, int64_t deadline)
{
    struct mutex *m = mutex_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0) {
        return rc;
    }
    uint32_t self = f->current->index;
    if (COS_LIKELY(take(m, self))) {
        return 0;
    }
    if (held_by(m, self)) {
        return -EDEADLK;
    }
    return deadline == COSCHED_NOW ? -ETIMEDOUT : lock_in_line(m, self, deadline, 0);
}

bool cosched_mutex_try(cosched_mutex *public)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    return f != NULL && take(mutex_of(public), f->current->index);
}

void cos_mutex_lock_always(cosched_mutex *public)
{
    struct mutex *m = mutex_of(public);
    uint32_t self = cos_fiber_self(NULL)->current->index;
    if (!take(m, self)) {
        int rc = lock_in_line(m, self, COSCHED_NEVER, COS_PARK_ALWAYS);
        COS_ASSERT(rc == 0);
    }
}

uint32_t cos_mutex_holder(const void *copy)
{
    const struct mutex *m = copy;
    return cos_atomic_load(&m->word, relaxed) & ~WAITERS;
}

bool cos_mutex_mine(cosched_mutex *public)
{
    return held_by(mutex_of(public), cos_fiber_self(NULL)->current->index);
}

/* The mutex goes to the first in line. False: they have all given up; it stays ours, without WAITERS. */
static bool hand_over(struct mutex *m, uint32_t self)
{
    cos_lock_acquire(&m->lock);
    struct cos_cell *next = cos_line_serve(&m->line);
    uint32_t word = next == NULL ? self : next->tag;
    if (!cos_line_empty(&m->line)) {
        word |= WAITERS;
    }
    /* relaxed: the new holder takes the lock before it goes on; to anybody else the word only says "held". */
    cos_atomic_store(&m->word, word, relaxed);
    cos_lock_release(&m->lock);
    return next != NULL;
}

void cosched_mutex_unlock(cosched_mutex *public)
{
    struct mutex *m = mutex_of(public);
    const struct cos_fiber *f = cos_fiber_current(NULL);
    COS_ASSERT(f != NULL && "a mutex is unlocked by the task that holds it");
    uint32_t self = f->current->index;
    for (;;) {
        uint32_t seen = self;
        /* release: pairs with the acquire in take(); publishes the section. */
        if (cos_atomic_cas(&m->word, &seen, 0, release, relaxed)) {
            return;
        }
        COS_ASSERT(seen == (self | WAITERS) && "a mutex is unlocked by the task that holds it");
        if (hand_over(m, self)) {
            return;
        }
    }
}
