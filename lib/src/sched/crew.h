/* The crew: threads that run what cosched_blocking is given. It grows with need and shrinks when idle.
 *
 * Work is of a class, and each class has a line and a limit of its own: at most so many of its calls run at a time, whatever
 * the others do, so a class can neither starve another nor be starved. There is no limit but the sum of theirs. The classes
 * that may start something are served in turn. The thread that fell idle last is called first, so the others grow old and go. */
#ifndef COS_SCHED_CREW_H
#define COS_SCHED_CREW_H
#include <cosched/cosched.h>

#include <pthread.h>

#include "arch/fpenv.h"
#include "base/list.h"

#define COS_CREW_LIMIT_DEFAULT UINT32_C(64)

struct cos_crew {
    pthread_mutex_t mutex; /* guards everything here, and the private part of every class */
    pthread_cond_t gone;   /* a thread has ended */
    struct cos_list ready; /* lines that may start a request now, in the order of their turns */
    struct cos_list calls; /* struct request, on the asking tasks' stacks; those that run have a start */
    struct cos_list idle; /* threads, the one that fell idle last first */
    uint32_t threads, busy;
    uint32_t queued; /* requests that wait, and */
    uint32_t due;    /* those among them that their limits would let start now */
    uint32_t limit; /* const: of the class of cosched_blocking, and the most that another may have */
    bool quitting;
    struct cos_fpenv fpenv; /* const: of whoever made the runtime; a new thread inherits its starter's */
    cosched_blocking_class plain;
};

int cos_crew_init(struct cos_crew *c, uint32_t limit);
/* No request is left: sends the threads home and waits for them. */
void cos_crew_fini(struct cos_crew *c);
void cos_crew_levels(struct cos_crew *c, uint64_t *threads, uint64_t *queued);

/* A call of cosched_blocking that has not ended, for reports. */
struct cos_crew_call {
    cosched_fn fn;
    const char *class_name; /* borrowed: static storage */
    cosched_task task;      /* who waits for it */
    int64_t since;          /* when fn was started, or when the task began to wait for a thread */
    bool running;
};

/* Copies up to max of them, the oldest first, and returns how many there are. Any thread. */
size_t cos_crew_calls(struct cos_crew *c, struct cos_crew_call *out, size_t max);

/* Tests only: how long a thread stays without work. */
void cos_crew_idle_ns(int64_t ns);
#endif
