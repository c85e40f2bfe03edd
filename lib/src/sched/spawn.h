/* Making tasks. */
#ifndef COS_SCHED_SPAWN_H
#define COS_SCHED_SPAWN_H
#include "sched/exec.h"

struct cosched_runtime;

/* Checks attr and makes a control block below `parent`; not yet submitted. e NULL outside executors. affinity: what INHERIT
 * means. 0, -EINVAL, -EAGAIN. */
int cos_task_make(struct cos_task **out, struct cos_exec *e, struct cos_scope *parent, uint8_t inherit, cosched_fn fn,
                  void *arg, const cosched_attr *attr);
/* Makes it run. On failure (-EAGAIN, -ENOMEM: a thread for a BLOCKING task) it was freed. */
int cos_task_start(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t);
#endif
