/* base/atomic.h for the simulator: stands before lib/src on the include path of the sim build. The same operations, each one
 * a place where the simulator may let another virtual thread go on. One OS thread: every interleaving is sequentially
 * consistent; weaker orders are the explorer's business.
 *
 * Two kinds of access are no choice point: relaxed stores (nothing comes between one and the next operation that a choice
 * there would not show), and relaxed loads unless the run is fine-grained (statistics are most of them). */
#ifndef COS_BASE_ATOMIC_H
#define COS_BASE_ATOMIC_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sim_point.h"

#ifndef COS_TSAN
#define COS_TSAN 0
#endif

#define COS_ATOMIC(type)  _Atomic(type)
#define COS_ORDER_relaxed memory_order_relaxed
#define COS_ORDER_acquire memory_order_acquire
#define COS_ORDER_release memory_order_release
#define COS_ORDER_acq_rel memory_order_acq_rel
#define COS_ORDER_seq_cst memory_order_seq_cst

#define SIM_AT(kind)           sim_point(kind, __func__)
#define SIM_AT_LOAD_relaxed    (sim_fine ? SIM_AT(SIM_LOAD) : (void)0)
#define SIM_AT_LOAD_acquire    SIM_AT(SIM_LOAD)
#define SIM_AT_LOAD_seq_cst    SIM_AT(SIM_LOAD)
#define SIM_AT_STORE_relaxed   ((void)0)
#define SIM_AT_STORE_release   SIM_AT(SIM_STORE)
#define SIM_AT_STORE_seq_cst   SIM_AT(SIM_STORE)
#define SIM_RMW_OP(op, p, ...) (SIM_AT(SIM_RMW), op(p, __VA_ARGS__))

#define cos_atomic_init(p, v)     atomic_init(p, v)
#define cos_atomic_load(p, order) (SIM_AT_LOAD_##order, atomic_load_explicit(p, COS_ORDER_##order))
#define cos_atomic_store(p, v, order) \
    (SIM_AT_STORE_##order, atomic_store_explicit(p, v, COS_ORDER_##order))
#define cos_atomic_exchange(p, v, order) \
    SIM_RMW_OP(atomic_exchange_explicit, p, v, COS_ORDER_##order)
#define cos_atomic_add(p, v, order) SIM_RMW_OP(atomic_fetch_add_explicit, p, v, COS_ORDER_##order)
#define cos_atomic_sub(p, v, order) SIM_RMW_OP(atomic_fetch_sub_explicit, p, v, COS_ORDER_##order)
#define cos_atomic_or(p, v, order)  SIM_RMW_OP(atomic_fetch_or_explicit, p, v, COS_ORDER_##order)
#define cos_atomic_and(p, v, order) SIM_RMW_OP(atomic_fetch_and_explicit, p, v, COS_ORDER_##order)
#define cos_atomic_cas(p, expected, desired, order, failure)                                     \
    SIM_RMW_OP(atomic_compare_exchange_strong_explicit, p, expected, desired, COS_ORDER_##order, \
               COS_ORDER_##failure)

static inline void cos_atomic_fence_full(void)
{
    SIM_AT(SIM_FENCE);
}

static inline void cos_relax(void)
{
    SIM_AT(SIM_RELAX);
}
#endif
