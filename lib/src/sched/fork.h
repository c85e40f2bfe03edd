/* What is left of a runtime in the child of a fork: nothing that works. Only the thread that forked is there, and locks of
 * the others may be held for ever. So that thread forgets that it was an executor, and every call that needs the runtime
 * refuses. Neither vfork nor posix_spawn comes here. */
#ifndef COS_SCHED_FORK_H
#define COS_SCHED_FORK_H
#include <stdbool.h>

/* From now on, for the life of the process. */
void cos_fork_watch(void);
/* This process is the child of one whose runtime lived. */
bool cos_fork_is_child(void);
#endif
