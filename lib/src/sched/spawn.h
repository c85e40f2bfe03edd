/* Making tasks. */
#ifndef COS_SCHED_SPAWN_H
#define COS_SCHED_SPAWN_H
#include "sched/exec.h"

struct cosched_runtime;

/* Checks attr and makes a control block below `parent`; not yet submitted. e NULL outside executors. affinity: what INHERIT
 * means. 0, -EINVAL, -EAGAIN. */
int cos_task_make(struct cos_task **out, struct cos_exec *e, struct cos_scope *parent,
                  uint8_t inherit, cosched_fn fn, void *arg, const cosched_attr *given);
/* Nobody will join it. Before it is submitted; the caller counts it as a root. */
void cos_task_make_detached(struct cos_task *t);

/* A child that the running task has just made: bound with it, if it is bound to one executor. */
static inline void cos_task_bind(const struct cos_fiber *f, struct cos_task *t)
{
    if (COS_UNLIKELY((f->traits & COSCHED_ONE_EXECUTOR) != 0) && (t->flags & COSCHED_PINNED) == 0) {
        t->affinity = f->affinity;
        t->flags |= COSCHED_ONE_EXECUTOR;
    }
}

/* Makes it run. On failure (-EAGAIN, -ENOMEM: a thread for a BLOCKING task) it was freed. */
int cos_task_start(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t);
/* What was given, completed in *copy if NULL or an older caller's struct is shorter. NULL: invalid. */
const cosched_attr *cos_attr_read(cosched_attr *copy, const cosched_attr *given);
/* cosched_runtime_post, and its private form with a group that is told of the end. */
int cos_post(struct cosched_runtime *rt, cosched_affinity to, cosched_fn fn, const void *arg,
             size_t arg_size, struct cos_group *group);
#endif
