/* The depot: free stacks that are in no cache. Bits in their slabs say which they are; whatever it does, it allocates nothing but
 * new slabs. Used by stack.c only. */
#ifndef COS_ARCH_STACK_DEPOT_H
#define COS_ARCH_STACK_DEPOT_H
#include "arch/lock.h"
#include "arch/stack_slab.h"
#include "base/assert.h"

extern COS_HIDDEN struct cos_lock cos_stack_lock; /* of the depot, the slabs, and the list of caches */

/* Under the lock. */

/* At most n of the class, warm ones first. Returns how many, at least 1; -EAGAIN at the cap; -ENOMEM. */
int cos_stack_depot_take(uint32_t class_index, struct cos_stack_slot *slots, uint32_t n);
/* They have lain idle since then. */
void cos_stack_depot_put(const struct cos_stack_slot *slots, uint32_t n, int64_t since_ns);
size_t cos_stack_depot_free(void); /* stacks that are here */
void cos_stack_depot_unmap_all(void);
#endif
