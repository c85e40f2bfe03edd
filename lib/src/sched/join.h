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
/* For who waits for several: puts f's name into the join word, which an end exchanges for DONE and a wake. 0; 1: t has ended
 * already; -ESTALE; -EBUSY: another task awaits it. Before the first one `joining` says COS_JOINING_ANY and the wait has begun. */
int cos_join_enlist(struct cos_fiber *f, struct cos_task *t, uint32_t generation);
/* Takes it out again, if it is there. */
void cos_join_withdraw(struct cos_fiber *f, struct cos_task *t, uint32_t generation);
/* By who is not t's parent, before it changes the join word from NONE. False: the parent awaits t, inline. */
bool cos_join_stranger(struct cos_task *t);
/* Is t one of the tasks that run, inline, on f's very stack? They cannot end before f's current task does. */
bool cos_join_of_itself(const struct cos_fiber *f, const struct cos_task *t);
/* Wakes the waiter of t, which has just become DONE. t may be gone already. */
void cos_join_wake(struct cos_exec *e, uint32_t waiter, cosched_task ended);
#endif
