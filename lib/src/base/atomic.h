/* The atomics of the platform seam. Every atomic of libcosched goes through these macros, each with its order
 * spelled, so that one source serves four back ends: production, ThreadSanitizer (fences become stronger
 * operations: it does not see atomic_thread_fence), the explorer (every access is a choice point) and the
 * simulator (so, too; tests/support/sim has a header of this name).
 *
 * heavy/light is the asymmetric pair of PEERS technique 1: the rare side pays (membarrier on every running
 * thread of the process), the frequent side only keeps the compiler from reordering. Where membarrier is
 * absent both are full fences; cos_fence_init() decides once (arch/fence.h).
 *
 * For ThreadSanitizer a synchronisation exists only between a release and an acquire on the same atomic. So no
 * code here may lean on "relaxed access plus fence" to publish plain data: data travels by release/acquire
 * pairs, and fences serve only the store-load handshakes between atomics, which no race detector checks and
 * the explorer does (tests/explore). */
#ifndef COS_BASE_ATOMIC_H
#define COS_BASE_ATOMIC_H
#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define COS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COS_TSAN 1
#endif
#endif
#ifndef COS_TSAN
#define COS_TSAN 0
#endif

#if defined(COS_EXPLORE)
#include "explore_atomic.h" /* tests/support: same macros, recorded by the explorer */
#else
#include <stdatomic.h>

#define COS_ATOMIC(type)  _Atomic(type)
#define COS_ORDER_relaxed memory_order_relaxed
#define COS_ORDER_acquire memory_order_acquire
#define COS_ORDER_release memory_order_release
#define COS_ORDER_acq_rel memory_order_acq_rel
#define COS_ORDER_seq_cst memory_order_seq_cst

#define cos_atomic_init(p, v)            atomic_init(p, v)
#define cos_atomic_load(p, order)        atomic_load_explicit(p, COS_ORDER_##order)
#define cos_atomic_store(p, v, order)    atomic_store_explicit(p, v, COS_ORDER_##order)
#define cos_atomic_exchange(p, v, order) atomic_exchange_explicit(p, v, COS_ORDER_##order)
#define cos_atomic_add(p, v, order)      atomic_fetch_add_explicit(p, v, COS_ORDER_##order)
#define cos_atomic_sub(p, v, order)      atomic_fetch_sub_explicit(p, v, COS_ORDER_##order)
#define cos_atomic_or(p, v, order)       atomic_fetch_or_explicit(p, v, COS_ORDER_##order)
#define cos_atomic_and(p, v, order)      atomic_fetch_and_explicit(p, v, COS_ORDER_##order)
/* Strong compare-and-swap: *expected is updated on failure; failure order in its own word. */
#define cos_atomic_cas(p, expected, desired, order, failure)                         \
    atomic_compare_exchange_strong_explicit(p, expected, desired, COS_ORDER_##order, \
                                            COS_ORDER_##failure)

#if defined(__x86_64__) && !COS_TSAN
/* Adds 1 to what only this thread writes: one instruction, with no lock, where compilers take three for a load and a store. The store
 * is a release. */
#define COS_ATOMIC_OWN_INCREMENT(p) \
    __asm__ volatile("incq %0" : "+m"(*(uint64_t *)(uintptr_t)(p)) : : "memory", "cc")
#endif

/* A full fence: no earlier access passes a later one, store-load included. */
static inline void cos_atomic_fence_full(void)
{
#if COS_TSAN
    /* Never read: a locked operation orders the machine, and this form ThreadSanitizer can follow. */
    static _Atomic(uint32_t) dummy;
    (void)atomic_fetch_add_explicit(&dummy, 0, memory_order_seq_cst);
#elif defined(__x86_64__)
    /* A locked `or` of nothing into the stack: 5 ns where the mfence that clang 14 picks takes 20. */
    __asm__ volatile("lock; orl $0, (%%rsp)" ::: "memory", "cc");
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

static inline void cos_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#elif defined(__riscv)
    __asm__ volatile(".4byte 0x0100000f" ::
                         : "memory"); /* pause; a fence of nothing where that is unknown */
#endif
}
#endif
#endif
