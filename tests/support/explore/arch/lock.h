/* Stands before lib/src on the include path of explorer programs: a lock that is one step each way. The real one is
 * tested by its own. */
#ifndef COS_TESTS_EXPLORE_ARCH_LOCK_H
#define COS_TESTS_EXPLORE_ARCH_LOCK_H
#include "base/atomic.h"
#include "explore.h"

enum cos_lock_state { COS_LOCK_FREE = 0, COS_LOCK_HELD = 1 };

struct cos_lock {
    COS_ATOMIC(uint32_t) word; /* only where somebody looks at it from outside: EX_LOCK_WORD */
};

static inline void cos_lock_acquire(struct cos_lock *lock)
{
    ex_lock_acquire(lock);
#if defined(EX_LOCK_WORD)
    (void)cos_atomic_exchange(&lock->word, COS_LOCK_HELD, acquire);
#endif
}

static inline void cos_lock_release(struct cos_lock *lock)
{
#if defined(EX_LOCK_WORD)
    (void)cos_atomic_exchange(&lock->word, COS_LOCK_FREE, release);
#endif
    ex_lock_release(lock);
}

/* For giving memory back, which no program here comes to. */
static inline bool cos_lock_try(struct cos_lock *lock)
{
    (void)lock;
    return false;
}

static inline bool cos_lock_forget(uint32_t n)
{
    (void)n;
    return false;
}

static inline void cos_lock_wake_all(struct cos_lock *lock)
{
    (void)lock;
}
#endif
