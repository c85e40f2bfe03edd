/* Starting a thread of the runtime. */
#ifndef COS_SCHED_THREAD_H
#define COS_SCHED_THREAD_H
#include <pthread.h>
#include <stddef.h>

/* Every signal but those that a fault raises in its own thread is blocked there: ordinary signals belong to the loop's
 * thread. out NULL: nobody joins it. stack_bytes 0: the system's default. 0 or a negative errno. */
int cos_thread_start(pthread_t *out, size_t stack_bytes, void *(*entry)(void *), void *arg);
#endif
