/* The asymmetric pair of fences (PEERS technique 1). For two sides that each store one word and then load the
 * other's: heavy on the rare side makes every running thread of the process pass a full fence
 * (membarrier), so that the frequent side, light, only has to keep the compiler from reordering.
 *
 * heavy pairs with light, and heavy with heavy; light with light orders nothing. Where the kernel refuses
 * membarrier both are full fences. ThreadSanitizer does not see fences: there both are read-modify-writes of
 * one process-wide word, whose total order it understands. */
#ifndef COS_ARCH_FENCE_H
#define COS_ARCH_FENCE_H
#include <stdbool.h>
#include <stdint.h>

#include "arch/sanitizer.h"
#include "base/assert.h"
#include "base/atomic.h"

/* Decides once, for the process. Before the first thread that uses either fence is started: a light that
 * trusts membarrier needs every heavy to know of it. */
void cos_fence_init(void);

#if !defined(COS_EXPLORE) /* the explorer brings its own pair */
void cos_fence_heavy(void);

#if COS_TSAN
extern COS_ATOMIC(uint32_t) cos_fence_word; /* atomic; its value means nothing */

static inline void cos_fence_light(void)
{
    (void)cos_atomic_add(&cos_fence_word, 0, seq_cst);
}

static inline bool cos_fence_is_free(void)
{
    return true;
}

static inline void cos_fence_light_free(void)
{
    cos_fence_light();
}
#else
extern COS_HIDDEN bool cos_fence_asymmetric; /* const after cos_fence_init */

static inline void cos_fence_full(void)
{
#if defined(__x86_64__)
    /* A quarter of mfence's price, and a full fence all the same for ordinary memory. */
    __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline void cos_fence_light(void)
{
    if (COS_LIKELY(cos_fence_asymmetric)) {
        atomic_signal_fence(memory_order_seq_cst);
    } else {
        cos_fence_full();
    }
}

/* Whether a light fence is no instruction here. Const after cos_fence_init. */
static inline bool cos_fence_is_free(void)
{
    return cos_fence_asymmetric;
}

/* The light fence of code that runs only where that is so: what decides over its way has asked once for all. */
static inline void cos_fence_light_free(void)
{
    COS_INVARIANT(cos_fence_asymmetric);
    atomic_signal_fence(memory_order_seq_cst);
}
#endif
#endif
#endif
