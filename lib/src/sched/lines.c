/* See lines.h. The lines are injectors: first in, first out, any thread, and a push needs no memory. */
#include "sched/lines.h"

#include <string.h>

#include "sched/exec.h"
#include "sched/task.h"

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t index)
{
    (void)ctx;
    return &cos_task_at(index)->link;
}

int cos_lines_init(struct cos_lines *l)
{
    cos_atomic_store(&l->waiting, 0, relaxed);
    int rc = cos_injector_init(&l->high, COS_INJECTOR_CAPACITY_LOG2, link_of, NULL);
    return rc < 0 ? rc : cos_injector_init(&l->low, COS_INJECTOR_CAPACITY_LOG2, link_of, NULL);
}

void cos_lines_fini(struct cos_lines *l)
{
    cos_injector_fini(&l->high);
    cos_injector_fini(&l->low);
}

void cos_lines_push(struct cos_lines *l, struct cos_task *t)
{
    bool high = (t->flags & COS_TASK_HIGH) != 0;
    cos_atomic_add(&l->waiting, 1, relaxed);
    cos_injector_push(high ? &l->high : &l->low, t->index);
}

static uint32_t pop(struct cos_lines *l, struct cos_injector *line)
{
    uint32_t index = cos_injector_pop(line);
    if (index != 0) {
        cos_atomic_sub(&l->waiting, 1, relaxed);
    }
    return index;
}

static uint32_t take_low(struct cos_exec *e)
{
    uint32_t index = pop(e->lines, &e->lines->low);
    if (index != 0) {
        e->low_passed = 0;
    }
    return index;
}

uint32_t cos_lines_take(struct cos_exec *e)
{
    struct cos_lines *l = e->lines;
    uint32_t index = 0;
    if (cos_injector_depth(&l->low) == 0) {
        e->low_passed = 0;
    } else if (e->low_passed >= COS_LOW_TURNS) {
        index = take_low(e);
    } else {
        e->low_passed++;
    }
    if (index == 0 && e->high_run < COS_HIGH_RUN) {
        index = pop(l, &l->high);
        e->high_run = index != 0 ? e->high_run + 1 : 0;
    } else if (index == 0) {
        e->high_run = 0; /* a turn for the others */
    }
    return index;
}

uint32_t cos_lines_rest(struct cos_exec *e)
{
    uint32_t index = pop(e->lines, &e->lines->high);
    return index != 0 ? index : take_low(e);
}
