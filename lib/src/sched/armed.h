/* Tasks that wait for their start without a stack: what tokens are made of. */
#ifndef COS_SCHED_ARMED_H
#define COS_SCHED_ARMED_H
#include <stdbool.h>
#include <stdint.h>

struct cosched_runtime;
struct cos_exec;
struct cos_task;

/* As cos_task_start for a task below the root, but it starts only at the deadline, or when its scope is cancelled; until then it has no
 * stack, and its scope is not linked: whoever cancels the root goes through the wheels as well (cos_timers_cancel). `arg` must
 * be a pointer (no copy), attr without a timeout, affinity MAIN or WORKER. On an executor. */
void cos_task_start_at(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t,
                       int64_t deadline);
/* Ends that wait, by whoever took the task from its queue: before the first run, or instead of it. False: it has a token, and is
 * not to run: somebody stopped it, or it is cancelled. */
bool cos_task_unarm(struct cos_task *t);
#endif
