/* See fork.h. Costs nothing but at a fork. */
#include "sched/fork.h"

#include <pthread.h>

#include "sched/current.h"
#include "sched/runtime.h"

static bool child; /* written by the only thread of a new process */

/* Async-signal-safe, as every thing that is done here must be. */
static void in_child(void)
{
    if (cos_runtime() != NULL) {
        cos_exec_set_current(NULL);
        child = true;
    }
}

static void watch(void)
{
    (void)pthread_atfork(NULL, NULL, in_child); /* no memory: forks go unnoticed */
}

void cos_fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, watch);
}

bool cos_fork_is_child(void)
{
    return child;
}
