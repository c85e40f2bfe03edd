/* Slabs: where stacks are cut from. Used by stack.c only, which holds the depot's lock for all calls but
 * those that say otherwise. */
#ifndef COS_ARCH_STACK_SLAB_H
#define COS_ARCH_STACK_SLAB_H
#include "arch/sanitizer.h"
#include "arch/stack.h"

#if !COS_SANITIZED && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#define COS_VALGRIND 1
#endif
#endif
#ifndef COS_VALGRIND
#define COS_VALGRIND 0
#endif

/* A slot: all that must be remembered of a free stack. */
struct cos_stack_slot {
    char *base; /* its guard */
    uint32_t number;
};

/* Cuts and guards at most n slots of the class. Returns how many, at least 1; -EAGAIN at the cap; -ENOMEM. */
int cos_stack_slab_cut(uint32_t class_index, struct cos_stack_slot *slots, uint32_t n);

/* No lock. */
void cos_stack_slot_describe(const struct cos_stack_slot *slot, uint32_t class_index,
                             struct cos_stack *out);
enum cos_stack_guard cos_stack_slab_guard(void);

size_t cos_stack_slab_slots(void); /* cut so far */
size_t cos_stack_slab_bytes(void); /* mapped */
void cos_stack_slab_set_cap(size_t slots_max);
void cos_stack_slab_force_guard(enum cos_stack_guard guard);
void cos_stack_slab_unmap_all(void);
#endif
