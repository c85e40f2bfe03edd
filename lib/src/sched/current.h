/* The only thread-local of libcosched: which executor this thread is.
 *
 * A worker pointer never survives a suspension: the task may wake on another thread, and a compiler that had
 * computed the thread-local's address would go on using the old one (FACTS 2). So nobody names the variable:
 * these two functions are opaque, live in a file of their own, and are called again after every switch. */
#ifndef COS_SCHED_CURRENT_H
#define COS_SCHED_CURRENT_H

struct cos_exec;

/* The executor of the calling thread; NULL on threads that are none. */
struct cos_exec *cos_exec_current(void);
void cos_exec_set_current(struct cos_exec *e);
#endif
