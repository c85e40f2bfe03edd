/* The contended half of the lock. Runs on any thread, on any stack; sleeps the thread, never the task. */
#include "arch/lock.h"

#include "arch/futex.h"
#include "base/assert.h"

/* A section is a few dozen instructions: about two microseconds of pause cover it, a sleep costs fifty. */
#define COS_LOCK_SPINS 80

/* Not for decisions: only invariants read it, and no switch lies between a count and its use. */
static _Thread_local int held;

__attribute__((noinline)) void cos_lock_count(int change)
{
    held += change;
    COS_ASSERT(held >= 0);
}

__attribute__((noinline)) int cos_lock_held(void)
{
    return held;
}

void cos_lock_acquire_slow(struct cos_lock *lock)
{
    for (int i = 0; i < COS_LOCK_SPINS; i++) {
        uint32_t seen = cos_atomic_load(&lock->word, relaxed);
        if (seen == COS_LOCK_FREE && cos_lock_try(lock)) {
            return;
        }
        if (seen == COS_LOCK_CONTENDED) {
            break; /* others gave up already: the holder is slow or not running */
        }
        cos_relax();
    }
    /* Taking it as contended although perhaps nobody else waits costs one needless wake; the reverse would
     * lose one. acquire: pairs with the release in cos_lock_release. */
    while (cos_atomic_exchange(&lock->word, COS_LOCK_CONTENDED, acquire) != COS_LOCK_FREE) {
        (void)cos_futex_wait(&lock->word, COS_LOCK_CONTENDED, INT64_MAX);
    }
    COS_LOCK_COUNT(1);
}

void cos_lock_release_slow(struct cos_lock *lock)
{
    (void)cos_futex_wake(&lock->word, 1);
}
