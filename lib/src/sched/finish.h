/* The two ends of a task's life on a fiber. */
#ifndef COS_SCHED_FINISH_H
#define COS_SCHED_FINISH_H
#include "sched/exec.h"

/* Runs t's body on the running fiber, closes what it left open, and publishes its end. */
void cos_task_run(struct cos_exec *e, struct cos_fiber *f, struct cos_task *t);

/* Cancelled before its start, and not to run then. */
static inline bool cos_task_skips(const struct cos_fiber *f, struct cos_task *t)
{
    return (t->flags & COSCHED_SKIP_IF_CANCELED) != 0 &&
           cos_scope_canceled(&t->scope, &f->base->scope);
}

/* The end of one that ran inline, when a stranger had asked for its handle before. 0: consumed; -EBUSY: another task has come
 * to await it and gets the result; -ESTALE: one has detached it. */
int cos_task_end_wanted(struct cos_exec *e, struct cos_task *self, struct cos_task *t,
                        uint32_t generation, int64_t value);
/* Publishes the end of a task: wakes its waiter, tells its group, or frees it. Touches neither fiber nor stack. */
void cos_task_complete(struct cos_exec *e, struct cos_task *t, int64_t result);

void cos_kids_sweep(struct cos_task *parent);
void cos_kids_close(struct cos_fiber *f, struct cos_task *self); /* cancels and joins all */
void cos_kids_hint(struct cos_task *parent); /* a stranger consumed one of its kids: sweep now and then */

/* Owner's list of children that are neither awaited nor detached. What the newest says of a newer one means nothing: it has
 * not been written yet, or names one that has gone. */
static inline void cos_kids_link(struct cos_task *parent, struct cos_task *kid, uint32_t index)
{
    uint32_t older = parent->kids;
    cos_atomic_store(&kid->parent, parent->index, relaxed); /* relaxed: the handle is not out yet */
    kid->kid_older = older;
    if (COS_UNLIKELY(older != 0)) {
        cos_task_at(older)->kid_newer = index;
    }
    parent->kids = index;
}

static inline void cos_kids_add(struct cos_task *parent, struct cos_task *kid)
{
    cos_kids_link(parent, kid, kid->index);
    if (COS_UNLIKELY((cos_atomic_load(&parent->scope.flags, relaxed) & COS_SCOPE_SWEEPS) != 0)) {
        cos_kids_sweep(parent);
    }
}

static inline void cos_kids_remove(struct cos_task *parent, struct cos_task *kid)
{
    uint32_t older = kid->kid_older;
    if (COS_LIKELY(parent->kids == kid->index)) {
        parent->kids = older;
    } else {
        cos_task_at(kid->kid_newer)->kid_older = older;
        if (older != 0) {
            cos_task_at(older)->kid_newer = kid->kid_newer;
        }
    }
    cos_atomic_store(&kid->parent, 0, relaxed); /* relaxed: strangers compare it with a generation */
}
#endif
