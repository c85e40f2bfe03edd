/* Giving the memory of idle stacks back: once, about a second after the last work, by whoever is about to sleep. */
#ifndef COS_SCHED_TRIM_H
#define COS_SCHED_TRIM_H
#include "sched/exec.h"

/* Called before a sleep: trims when it is time. Returns when the sleeper, if it watches for everybody, wants to be awake for
 * that again; INT64_MAX: never. An idle process is not woken for it twice. */
int64_t cos_trim_before_sleep(struct cos_exec *e, int64_t now);
#endif
