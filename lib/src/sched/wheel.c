/* Hierarchical timing wheel: pure data structure, the caller holds the lock and brings the time.
 *
 * Slot s of level l holds the ticks whose digits above l equal those of w->tick and whose digit l is s. At level
 * 0 that is one tick. At higher levels s is larger than the current digit, and when time reaches the slot's
 * first tick, its timers are sorted anew: each finds a lower level ("cascade"), at most five times in its life.
 * The current slot of level 0 may be occupied: that is where deadlines go that have passed already.
 *
 * Beyond the top level there is one more slot, `far`, for other blocks of 2^36 ticks; it is sorted anew when
 * the block changes.
 *
 * Due timers leave a slot in one splice: their nodes are not touched before the caller pops them, and until
 * then they can still be disarmed. */
#include "sched/wheel.h"

#include <stddef.h>

#include "base/assert.h"

enum { LEVEL_FAR = COS_WHEEL_LEVELS };

#define RANGE_MASK ((INT64_C(1) << COS_WHEEL_RANGE_BITS) - 1)

static int64_t tick_floor(int64_t ns)
{
    return ns > 0 ? ns / COS_WHEEL_TICK_NS : 0;
}

static int64_t tick_ceil(int64_t ns)
{
    return ns > 0 ? ns / COS_WHEEL_TICK_NS + (ns % COS_WHEEL_TICK_NS != 0) : 0;
}

/* The nanosecond at which a tick begins; the last few ticks of the clock saturate. */
static int64_t tick_ns(int64_t tick)
{
    return tick > INT64_MAX / COS_WHEEL_TICK_NS ? INT64_MAX : tick * COS_WHEEL_TICK_NS;
}

void cos_wheel_init(struct cos_wheel *w, int64_t now_ns)
{
    w->tick = tick_floor(now_ns);
    w->armed = 0;
    cos_list_init(&w->far);
    for (int l = 0; l < COS_WHEEL_LEVELS; l++) {
        w->occupied[l] = 0;
        for (int s = 0; s < COS_WHEEL_SLOTS; s++) {
            cos_list_init(&w->slot[l][s]);
        }
    }
}

static void place(struct cos_wheel *w, struct cos_timer *t)
{
    int64_t tick = tick_ceil(t->deadline_ns);
    if (tick < w->tick) {
        tick = w->tick;
    }
    uint64_t differ = (uint64_t)(tick ^ w->tick);
    unsigned level =
        differ == 0 ? 0 : (63 - (unsigned)__builtin_clzll(differ)) / COS_WHEEL_SLOT_BITS;
    if (level >= COS_WHEEL_LEVELS) {
        t->level = LEVEL_FAR;
        t->slot = 0;
        cos_list_push_back(&w->far, &t->link);
        return;
    }
    unsigned slot = (unsigned)(tick >> (level * COS_WHEEL_SLOT_BITS)) & (COS_WHEEL_SLOTS - 1);
    t->level = (uint8_t)level;
    t->slot = (uint8_t)slot;
    w->occupied[level] |= UINT64_C(1) << slot;
    cos_list_push_back(&w->slot[level][slot], &t->link);
}

void cos_wheel_arm(struct cos_wheel *w, struct cos_timer *t, int64_t deadline_ns)
{
    COS_ASSERT(!t->armed);
    t->armed = true;
    t->deadline_ns = deadline_ns;
    w->armed++;
    place(w, t);
}

static void forget(struct cos_wheel *w, struct cos_timer *t)
{
    COS_ASSERT(t->armed && w->armed > 0);
    t->armed = false;
    w->armed--;
    cos_list_remove(&t->link);
}

bool cos_wheel_disarm(struct cos_wheel *w, struct cos_timer *t)
{
    if (!t->armed) {
        return false;
    }
    forget(w, t);
    /* A due timer's level and slot are out of date; an empty slot has no bit whatever we came for. */
    if (t->level < COS_WHEEL_LEVELS && cos_list_empty(&w->slot[t->level][t->slot])) {
        w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
    }
    return true;
}

static void visit_all(const struct cos_list *list, void (*visit)(struct cos_timer *t))
{
    for (struct cos_list *node = list->next; node != list; node = node->next) {
        visit(COS_CONTAINER_OF(node, struct cos_timer, link));
    }
}

void cos_wheel_each(const struct cos_wheel *w, void (*visit)(struct cos_timer *t))
{
    for (unsigned l = 0; l < COS_WHEEL_LEVELS; l++) {
        for (uint64_t left = w->occupied[l]; left != 0; left &= left - 1) {
            visit_all(&w->slot[l][__builtin_ctzll(left)], visit);
        }
    }
    visit_all(&w->far, visit);
}

/* The first tick of the next occupied slot, and which one it is; INT64_MAX when all are empty. */
static int64_t next_event(const struct cos_wheel *w, unsigned *level, unsigned *slot)
{
    for (unsigned l = 0; l < COS_WHEEL_LEVELS; l++) {
        if (w->occupied[l] != 0) {
            /* Slots before the current digit are empty, so the lowest bit is the next in time. */
            unsigned shift = l * COS_WHEEL_SLOT_BITS;
            *level = l;
            *slot = (unsigned)__builtin_ctzll(w->occupied[l]);
            int64_t above = w->tick >> (shift + COS_WHEEL_SLOT_BITS);
            return (above << COS_WHEEL_SLOT_BITS | (int64_t)*slot) << shift;
        }
    }
    *level = LEVEL_FAR;
    *slot = 0;
    return cos_list_empty(&w->far) ? INT64_MAX : (w->tick | RANGE_MASK) + 1;
}

int64_t cos_wheel_next(const struct cos_wheel *w)
{
    unsigned level, slot;
    int64_t tick = next_event(w, &level, &slot);
    return tick == INT64_MAX ? INT64_MAX : tick_ns(tick);
}

/* Moves all nodes of `from` to the end of `to` without touching those in between. */
static void splice_back(struct cos_list *to, struct cos_list *from)
{
    if (cos_list_empty(from)) {
        return;
    }
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    cos_list_init(from);
}

void cos_wheel_expire(struct cos_wheel *w, int64_t now_ns, struct cos_list *due)
{
    int64_t now = tick_floor(now_ns);
    if (now < w->tick) {
        return;
    }
    for (;;) {
        unsigned level, slot;
        int64_t tick = next_event(w, &level, &slot);
        if (tick > now) {
            break;
        }
        COS_INVARIANT(tick >= w->tick);
        w->tick = tick;
        struct cos_list *from = level == LEVEL_FAR ? &w->far : &w->slot[level][slot];
        if (level != LEVEL_FAR) {
            w->occupied[level] &= ~(UINT64_C(1) << slot);
        }
        if (level == 0) {
            splice_back(due, from);
            continue;
        }
        struct cos_list sorting;
        cos_list_init(&sorting);
        splice_back(&sorting, from);
        struct cos_list *node;
        while ((node = cos_list_pop_front(&sorting)) != NULL) {
            place(w, COS_CONTAINER_OF(node, struct cos_timer, link));
        }
    }
    w->tick = now;
}

struct cos_timer *cos_wheel_pop_due(struct cos_wheel *w, struct cos_list *due)
{
    if (cos_list_empty(due)) {
        return NULL;
    }
    struct cos_timer *t = COS_CONTAINER_OF(due->next, struct cos_timer, link);
    forget(w, t);
    return t;
}
