/* The functions that switch stacks. None of them, and nothing inlined into them, names a thread-local (arch/context.h). */
#ifndef COS_SCHED_SWITCH_H
#define COS_SCHED_SWITCH_H
#include "sched/exec.h"

/* The first frame of every fiber. */
void cos_fiber_entry(void *message);
#endif
