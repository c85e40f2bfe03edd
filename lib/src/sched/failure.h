/* Failures that nobody would hear of: counted, and told to the user's hook. */
#ifndef COS_SCHED_FAILURE_H
#define COS_SCHED_FAILURE_H
#include "sched/exec.h"

/* An error that nobody awaits. Not while a lock is held; the hook may take its time. On an executor. */
void cos_failure_report(struct cos_exec *e, const cosched_failure *failure);
/* The end of a task that nobody joins: reported if it is a failure. t is still the caller's. */
void cos_failure_of_root(struct cos_exec *e, const struct cos_task *t, int64_t result);

/* Calls a hook, which is outside of all tasks: what it calls answers -EPERM instead of suspending the one it reports. */
void cos_hook_call(void (*call)(void *arg), void *arg);
#endif
