/* Slabs: where stacks are cut from. Used by stack.c and stack_depot.c only, under the depot's lock for all calls but those that
 * say otherwise. */
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

/* One mapping, cut into slots of one class. A slot that is cut is out (in use, or in a cache), warm (free, and its memory is
 * there) or cold. A bit each for out and warm, on the page before slot 0; cold is neither, so a slab of which all is cold needs
 * no memory for that either. */
struct cos_stack_slab {
    struct cos_stack_slab *next; /* const after publication, like the next five */
    char *base;                  /* of slot 0 */
    size_t bytes;                /* of all slots */
    uint32_t class_index;
    uint32_t slots;
    uint64_t *out, *warm;   /* in the mapping, a bit a slot; their contents are not const */
    uint32_t fresh;         /* slots below are cut */
    unsigned *valgrind_ids; /* owned; NULL when not under valgrind */

    /* stack_depot.c */
    uint32_t n_out, n_warm;
    uint32_t from_word; /* words of bits below have neither warm nor cold slots */
    uint32_t least;     /* the fewest that were warm since period_ns */
    int64_t period_ns, put_ns;
    struct cos_stack_slab *newer, *older; /* in its list */
    uint32_t place;
};

/* A slot: all that must be remembered of a stack in a cache. */
struct cos_stack_slot {
    struct cos_stack_slab *slab;
    uint32_t number;
};

/* Cuts and guards at most n slots of the class, which are cold then. Their slab, *cut of them at least 1; NULL, and *cut is
 * -EAGAIN at the cap, or -ENOMEM. */
struct cos_stack_slab *cos_stack_slab_cut(uint32_t class_index, uint32_t n, int *cut);

/* No lock. */
void cos_stack_slot_describe(const struct cos_stack_slot *slot, struct cos_stack *out);
enum cos_stack_guard cos_stack_slab_guard(void);

static inline char *cos_stack_slot_base(const struct cos_stack_slab *slab, uint32_t number)
{
    return slab->base + number * cos_stack_class_bytes(slab->class_index);
}

size_t cos_stack_slab_slots(void); /* cut so far */
size_t cos_stack_slab_bytes(void); /* mapped */
void cos_stack_slab_set_cap(size_t slots_max);
void cos_stack_slab_force_guard(enum cos_stack_guard guard);
void cos_stack_slab_unmap_all(void);
#endif
