/* Waiting for a task to end. */
#ifndef COS_SCHED_JOIN_H
#define COS_SCHED_JOIN_H
#include "sched/exec.h"

/* 0: t has ended in this generation, and its result may be read. -ESTALE, -EBUSY (somebody else waits), -ETIMEDOUT,
 * -ECANCELED. flags: COS_PARK_…. By the running fiber f; may suspend. */
int cos_join_wait(struct cos_fiber *f, struct cos_task *t, uint32_t generation, int64_t deadline,
                  unsigned flags);
/* The handle of an ended task is used up: its block is free, or its parent will free it. -ESTALE: somebody was faster. */
int cos_join_consume(struct cos_exec *e, struct cos_task *self, struct cos_task *t,
                     uint32_t generation);
/* Wakes the waiter of t, which has just become DONE. t may be gone already. */
void cos_join_wake(struct cos_exec *e, uint32_t waiter, cosched_task ended);
#endif
