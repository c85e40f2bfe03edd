/* Stands before lib/src on the include path of explorer programs: the explorer's fences under arch/fence.h's name. */
#ifndef COS_TESTS_EXPLORE_ARCH_FENCE_H
#define COS_TESTS_EXPLORE_ARCH_FENCE_H
#include <stdbool.h>

#include "base/atomic.h"

static inline void cos_fence_heavy(void)
{
    ex_fence_heavy();
}

static inline void cos_fence_light(void)
{
    ex_fence_light();
}

static inline bool cos_fence_is_free(void)
{
    return true;
}

static inline void cos_fence_light_free(void)
{
    ex_fence_light();
}
#endif
