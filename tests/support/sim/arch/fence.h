/* arch/fence.h for the simulator: one OS thread needs no fence, but what comes between the halves of a store-load handshake
 * is where races live. */
#ifndef COS_ARCH_FENCE_H
#define COS_ARCH_FENCE_H
#include "arch/sanitizer.h"
#include "base/assert.h"
#include "base/atomic.h"

static inline void cos_fence_init(void)
{
}

static inline void cos_fence_heavy(void)
{
    SIM_AT(SIM_FENCE);
}

static inline void cos_fence_light(void)
{
    SIM_AT(SIM_FENCE);
}

static inline bool cos_fence_is_free(void)
{
    return true;
}

static inline void cos_fence_light_free(void)
{
    SIM_AT(SIM_FENCE);
}
#endif
