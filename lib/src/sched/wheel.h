/* The timing wheel of one executor: 6 levels of 64 slots, a tick of 1 ms, nodes in the caller's memory.
 *
 * Varghese and Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987); the level is chosen by the highest
 * six-bit digit in which deadline and current tick differ, so that every timer of a lower level is due before
 * any of a higher one and the next event is found by looking at a few bitmaps.
 *
 * Time is an argument. All calls are made under the lock of the wheel's owner; nothing here is atomic.
 * Guarantees: a timer is due at the first expire(now) with now >= its deadline rounded up to the tick, never
 * before; cos_wheel_next is never later than that; arm and disarm are O(1), expire splices whole slots. */
#ifndef COS_SCHED_WHEEL_H
#define COS_SCHED_WHEEL_H
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum {
    COS_WHEEL_LEVELS = 6,
    COS_WHEEL_SLOT_BITS = 6,
    COS_WHEEL_SLOTS = 1 << COS_WHEEL_SLOT_BITS,
    COS_WHEEL_RANGE_BITS = COS_WHEEL_LEVELS * COS_WHEEL_SLOT_BITS, /* 2^36 ticks: two years */
};

#define COS_WHEEL_TICK_NS INT64_C(1000000)

/* Zeroed memory is a disarmed timer. Guarded by the wheel's lock while armed. */
struct cos_timer {
    struct cos_list link; /* in a slot, or in a list of due timers */
    int64_t deadline_ns;  /* as given to arm */
    uint8_t level, slot;  /* where the wheel put it */
    bool armed;           /* true from arm until disarm or pop_due */
};

struct cos_wheel {
    int64_t tick;                        /* everything before it was expired; only grows */
    uint64_t occupied[COS_WHEEL_LEVELS]; /* bit s: slot s is not empty */
    uint64_t armed;                      /* timers in the slots and far away */
    struct cos_list far; /* beyond the range: other digits above the top level differ */
    struct cos_list slot[COS_WHEEL_LEVELS][COS_WHEEL_SLOTS];
};

void cos_wheel_init(struct cos_wheel *w, int64_t now_ns);

/* t is not armed. A deadline that has passed is due at once. */
void cos_wheel_arm(struct cos_wheel *w, struct cos_timer *t, int64_t deadline_ns);
/* Also for a timer that waits in a list of due ones under the same lock. False: it was not armed. */
bool cos_wheel_disarm(struct cos_wheel *w, struct cos_timer *t);

/* Calls it with every timer that is armed and not due, in no order. It must not arm or disarm. */
void cos_wheel_each(const struct cos_wheel *w, void (*visit)(struct cos_timer *t));

/* The earliest time at which expire has something to do (a due timer, or timers to sort into a lower level);
 * INT64_MAX when nothing is armed. */
int64_t cos_wheel_next(const struct cos_wheel *w);

/* Appends every timer due at now to `due`, in the order of their ticks; take them with cos_wheel_pop_due.
 * now below an earlier one changes nothing. */
void cos_wheel_expire(struct cos_wheel *w, int64_t now_ns, struct cos_list *due);
/* Under the same lock. The next due timer, disarmed; NULL when there is none left. */
struct cos_timer *cos_wheel_pop_due(struct cos_wheel *w, struct cos_list *due);
#endif
