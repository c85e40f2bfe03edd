/* Stands before lib/src on the include path of explorer programs: a lock that is one step each way. The real one is
 * tested by its own. */
#ifndef COS_TESTS_EXPLORE_ARCH_LOCK_H
#define COS_TESTS_EXPLORE_ARCH_LOCK_H
#include "explore.h"

struct cos_lock {
    uint32_t word;
};

static inline void cos_lock_acquire(struct cos_lock *lock)
{
    ex_lock_acquire(lock);
}

static inline void cos_lock_release(struct cos_lock *lock)
{
    ex_lock_release(lock);
}
#endif
