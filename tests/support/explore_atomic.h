/* base/atomic.h under COS_EXPLORE: the same macros, each one a step of the explorer. A cell is plain memory; its
 * history is kept by address, beside. */
#ifndef COS_TESTS_EXPLORE_ATOMIC_H
#define COS_TESTS_EXPLORE_ATOMIC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ex_order { EX_relaxed, EX_acquire, EX_release, EX_acq_rel, EX_seq_cst };

enum ex_rmw { EX_EXCHANGE, EX_ADD, EX_SUB, EX_OR, EX_AND };

uint64_t ex_load(const void *p, size_t size, enum ex_order order);
void ex_store(void *p, size_t size, uint64_t v, enum ex_order order);
uint64_t ex_rmw(void *p, size_t size, enum ex_rmw op, uint64_t v, enum ex_order order);
bool ex_cas(void *p, size_t size, void *expected, uint64_t desired, enum ex_order order,
            enum ex_order failure);
void ex_fence_full(void);
void ex_fence_heavy(void);
void ex_fence_light(void);
void ex_relax(void);

#define COS_ATOMIC(type) type
#define EX_CAST(p, u)    ((__typeof__(1 ? *(p) : *(p)))(uintptr_t)(u))

#define cos_atomic_init(p, v)         ((void)(*(p) = (v)))
#define cos_atomic_load(p, order)     EX_CAST(p, ex_load(p, sizeof *(p), EX_##order))
#define cos_atomic_store(p, v, order) ex_store(p, sizeof *(p), (uintptr_t)(v), EX_##order)
#define cos_atomic_exchange(p, v, order) \
    EX_CAST(p, ex_rmw(p, sizeof *(p), EX_EXCHANGE, (uintptr_t)(v), EX_##order))
#define cos_atomic_add(p, v, order) \
    EX_CAST(p, ex_rmw(p, sizeof *(p), EX_ADD, (uintptr_t)(v), EX_##order))
#define cos_atomic_sub(p, v, order) \
    EX_CAST(p, ex_rmw(p, sizeof *(p), EX_SUB, (uintptr_t)(v), EX_##order))
#define cos_atomic_or(p, v, order) \
    EX_CAST(p, ex_rmw(p, sizeof *(p), EX_OR, (uintptr_t)(v), EX_##order))
#define cos_atomic_and(p, v, order) \
    EX_CAST(p, ex_rmw(p, sizeof *(p), EX_AND, (uintptr_t)(v), EX_##order))
#define cos_atomic_cas(p, expected, desired, order, failure) \
    ex_cas(p, sizeof *(p), expected, (uintptr_t)(desired), EX_##order, EX_##failure)

static inline void cos_atomic_fence_full(void)
{
    ex_fence_full();
}

static inline void cos_relax(void)
{
    ex_relax();
}
#endif
