/* See marks.h. */
#include "sched/marks.h"

#include <errno.h>
#include <string.h>

#include "arch/lock.h"
#include "arch/sanitizer.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "sched/runtime.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define PLACES_MAX 256 /* the last is for all that come later: fn NULL */

struct cos_marks {
    struct cos_lock lock; /* guards the rest */
    uint32_t used;
    cosched_stack_mark at[PLACES_MAX];
};

struct cos_marks *cos_marks_create(void)
{
    return cos_alloc(sizeof(struct cos_marks));
}

void cos_marks_destroy(struct cos_marks *m)
{
    cos_free(m);
}

/* The lowest word that is not zero; `top` if there is none. */
static const char *lowest_used(const struct cos_stack *stack, const char *top)
{
    const uint64_t *at = (const uint64_t *)(const void *)stack->lo;
    const uint64_t *end = (const uint64_t *)(const void *)top;
#if COS_ASAN
    /* Frames that never returned left their poison. */
    __asan_unpoison_memory_region(stack->lo, (size_t)(stack->hi - stack->lo));
#endif
    while (at < end && *at == 0) {
        at++;
    }
    return (const char *)at;
}

static void clear_from(const struct cos_stack *stack, const char *lowest)
{
    memset(stack->lo + (lowest - stack->lo), 0, (size_t)(stack->hi - lowest));
}

void cos_marks_clear(const struct cos_stack *stack)
{
    clear_from(stack, lowest_used(stack, stack->hi));
}

/* Under the lock. */
static cosched_stack_mark *place_of(struct cos_marks *m, cosched_fn fn, const char *name)
{
    for (uint32_t i = 0; i < m->used; i++) {
        if (m->at[i].fn == fn) {
            return &m->at[i];
        }
    }
    if (m->used < PLACES_MAX) {
        bool last = m->used == PLACES_MAX - 1;
        m->at[m->used] = (cosched_stack_mark){.fn = last ? NULL : fn, .name = last ? NULL : name};
        m->used++;
    }
    return &m->at[m->used - 1];
}

void cos_marks_take(struct cos_marks *m, const struct cos_stack *stack, const char *top,
                    cosched_fn fn, const char *name)
{
    const char *lowest = lowest_used(stack, top);
    uint64_t bytes = (uint64_t)(top - lowest);
    cos_lock_acquire(&m->lock);
    cosched_stack_mark *place = place_of(m, fn, name);
    place->tasks++;
    place->bytes = bytes > place->bytes ? bytes : place->bytes;
    cos_lock_release(&m->lock);
    clear_from(stack, lowest);
}

/* Under the lock: into a sorted row of `n` at most. */
static void insert(cosched_stack_mark *out, size_t *n, size_t max, const cosched_stack_mark *mark)
{
    size_t at = *n;
    while (at > 0 && out[at - 1].bytes < mark->bytes) {
        at--;
    }
    if (at == max) {
        return;
    }
    *n += *n < max ? 1 : 0;
    memmove(&out[at + 1], &out[at], (*n - 1 - at) * sizeof *out);
    out[at] = *mark;
}

int cosched_stack_marks(cosched_runtime *rt, cosched_stack_mark *out, size_t max)
{
    if (rt == NULL || rt->marks == NULL || (out == NULL && max > 0)) {
        return -EINVAL;
    }
    struct cos_marks *m = rt->marks;
    size_t n = 0;
    cos_lock_acquire(&m->lock);
    for (uint32_t i = 0; i < m->used; i++) {
        insert(out, &n, max, &m->at[i]);
    }
    int places = (int)m->used;
    cos_lock_release(&m->lock);
    return places;
}
