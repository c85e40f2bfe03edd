/* Tasks under the explorer: everything of sched/ and sync/ that a program links is the real source; the model stands for
 * what lies below it, executors and stacks.
 *
 * Thread i of a program is executor i. A thread that plays a task stands on that task's fiber from the beginning: when it
 * leaves, its executor performs the commit and the thread sleeps until somebody who took the task from a queue resumes it.
 * Whoever resumes must see the registers that were saved. A thread that plays an executor takes entries from its queue. */
#ifndef COS_TESTS_EXPLORE_MODEL_H
#define COS_TESTS_EXPLORE_MODEL_H
#include "explore.h"
#include "sched/runtime.h"

enum { MODEL_TASKS = 8, MODEL_NOW = 1000 };

extern struct cosched_runtime model_rt;
extern struct cos_exec model_exec[EX_THREADS_MAX];
extern unsigned model_roots; /* detached tasks that live */
extern bool model_deques;    /* set once: executors' deques have thieves, and are looked at */

/* Before each execution. Blocks are 1 … MODEL_TASKS, of generation 7. */
void model_setup(void);
/* A living task of the given block that runs on thread `id`. */
struct cos_task *model_task_on(unsigned id, uint32_t index, cosched_affinity affinity);
/* A living task, unstarted, child of `parent` (or of the root). */
struct cos_task *model_task(uint32_t index, struct cos_task *parent);
cosched_task model_handle(const struct cos_task *t);
/* In setup: the code that follows runs as on that thread. */
void model_act_as(unsigned id);

/* By a thread that plays an executor: the next entry of its queue, which it waits for. May sleep for ever. */
struct cos_task *model_take(void);
/* What an executor does with a fiber that is its to run. */
void model_resume(struct cos_fiber *f);
/* The start of an unstarted task on this thread, to its end. */
void model_run(struct cos_task *t);
#endif
