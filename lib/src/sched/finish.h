/* The two ends of a task's life on a fiber. */
#ifndef COS_SCHED_FINISH_H
#define COS_SCHED_FINISH_H
#include "sched/exec.h"

/* Runs t's body on the running fiber, closes what it left open, and publishes its end. */
void cos_task_run(struct cos_exec *e, struct cos_fiber *f, struct cos_task *t);
/* The same for an unstarted task whose queue entry the running fiber has just claimed back: as a call on its stack. The
 * handle is consumed with it. 0; -EBUSY: another task has come to await it and gets the result; -ENOMEM: no stack. */
int cos_task_run_inline(struct cos_fiber *f, struct cos_task *t, uint32_t generation,
                        int64_t *result);
/* Publishes the end of a task: wakes its waiter, tells its group, or frees it. Touches neither fiber nor stack. */
void cos_task_complete(struct cos_exec *e, struct cos_task *t, int64_t result);

/* Owner's list of children that are neither awaited nor detached. */
void cos_kids_add(struct cos_task *parent, struct cos_task *kid);
void cos_kids_remove(struct cos_task *parent, struct cos_task *kid);
void cos_kids_sweep(struct cos_task *parent);
void cos_kids_hint(struct cos_task *parent); /* a stranger consumed one of its kids: sweep now and then */
#endif
