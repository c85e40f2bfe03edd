/* Threads that may block: the crew of cosched_blocking (crew.h), and a thread each for BLOCKING tasks. Never libuv's four. */
#ifndef COS_SCHED_BLOCKING_H
#define COS_SCHED_BLOCKING_H
#include <cosched/cosched.h>

#include <pthread.h>

#include "sched/crew.h"

#define COS_OWN_THREADS_MAX      64
#define COS_BLOCKING_STACK_BYTES ((size_t)1024 * 1024)

struct cosched_runtime;
struct cos_exec;
struct cos_task;

struct cos_blocking {
    pthread_mutex_t mutex; /* guards what follows, but for the crew */
    pthread_cond_t quiet;
    uint32_t own;        /* BLOCKING tasks alive */
    uint64_t own_in_use; /* bit i: executor 1 + COSCHED_WORKERS_MAX + i has a thread */
    struct cos_crew crew;
};

int cos_blocking_init(struct cos_blocking *b, uint32_t threads_max);
/* No task is left: sends the threads home and waits for them. */
void cos_blocking_fini(struct cos_blocking *b);
void cos_blocking_levels(struct cos_blocking *b, uint64_t *threads, uint64_t *queued);

/* A thread for a BLOCKING task that was not published yet. 0 or a negative errno. */
int cos_own_thread_start(struct cosched_runtime *rt, struct cos_task *t);
/* Wakes an executor that sleeps on its own thread, after something was pushed into its inbox. Any thread. */
void cos_own_thread_wake(struct cos_exec *e);
#endif
