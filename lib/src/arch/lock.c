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

/* How many sleep, or are about to: for cos_lock_forget. Atomic: counted by any thread. */
static COS_ATOMIC(uint32_t) sleepers;

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
    /* Before the word says that somebody sleeps. seq_cst: pairs with the load in cos_lock_forget; whoever wrote CONTENDED into
     * memory that went away after that is counted. */
    (void)cos_atomic_add(&sleepers, 1, seq_cst);
    /* Taking it as contended although perhaps nobody else waits costs one needless wake; the reverse would
     * lose one. acquire: pairs with the release in cos_lock_release. */
    while (cos_atomic_exchange(&lock->word, COS_LOCK_CONTENDED, acquire) != COS_LOCK_FREE) {
        (void)cos_futex_wait(&lock->word, COS_LOCK_CONTENDED, INT64_MAX);
    }
    (void)cos_atomic_sub(&sleepers, 1, relaxed);
    COS_LOCK_COUNT(1);
}

void cos_lock_release_slow(struct cos_lock *lock)
{
    (void)cos_futex_wake(&lock->word, 1);
}

bool cos_lock_forget(uint32_t n)
{
    COS_LOCK_COUNT(-(int)n);
    (void)n; /* where nobody counts */
    /* seq_cst: pairs with the count in cos_lock_acquire_slow. The system call that took the memory away, with the messages to
     * other CPUs that it takes, stands between their last write there and this load. */
    return cos_atomic_load(&sleepers, seq_cst) != 0;
}

void cos_lock_wake_all(struct cos_lock *lock)
{
    (void)cos_futex_wake(&lock->word, INT32_MAX);
}
