/* A mutex in one word, for short sections of runtime code. Zeroed memory is an unlocked lock.
 *
 * Three states (Drepper, "Futexes are tricky", mutex2). Not recursive, not fair. Never held across a switch
 * (I9). The object may be freed by whoever acquires it last: release touches nothing after its exchange, it
 * only hands the address to the kernel. */
#ifndef COS_ARCH_LOCK_H
#define COS_ARCH_LOCK_H
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

enum cos_lock_state {
    COS_LOCK_FREE = 0,
    COS_LOCK_HELD = 1,
    COS_LOCK_CONTENDED = 2, /* held, and somebody may sleep */
};

struct cos_lock {
    COS_ATOMIC(uint32_t) word; /* atomic: enum cos_lock_state */
};

/* Debug builds: how many locks this thread holds (I9: none when a task leaves its stack). Never inlined: a thread-local. */
void cos_lock_count(int change);
int cos_lock_held(void); /* 0 in other builds */

#if defined(COS_DEBUG) && COS_DEBUG
#define COS_LOCK_COUNT(change) cos_lock_count(change)
#else
#define COS_LOCK_COUNT(change) ((void)0)
#endif

void cos_lock_acquire_slow(struct cos_lock *lock);
void cos_lock_release_slow(struct cos_lock *lock);

static inline bool cos_lock_try(struct cos_lock *lock)
{
    uint32_t expected = COS_LOCK_FREE;
    /* acquire: pairs with the release in cos_lock_release; the section sees what the former one wrote. */
    bool taken = cos_atomic_cas(&lock->word, &expected, COS_LOCK_HELD, acquire, relaxed);
    if (taken) {
        COS_LOCK_COUNT(1);
    }
    return taken;
}

static inline void cos_lock_acquire(struct cos_lock *lock)
{
    if (!cos_lock_try(lock)) {
        cos_lock_acquire_slow(lock);
    }
}

static inline void cos_lock_release(struct cos_lock *lock)
{
    COS_LOCK_COUNT(-1);
    /* release: pairs with the acquires of cos_lock_try and cos_lock_acquire_slow; publishes the section. */
    if (cos_atomic_exchange(&lock->word, COS_LOCK_FREE, release) != COS_LOCK_HELD) {
        cos_lock_release_slow(lock);
    }
}

/* n locks that the caller holds have become zeros, because the memory they lie in was given back to the system. They are free,
 * then; but who sleeps at one of them was not told. True: somebody may, and the caller wakes at each of them. */
bool cos_lock_forget(uint32_t n);
void cos_lock_wake_all(struct cos_lock *lock);
#endif
