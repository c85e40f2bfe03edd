/* Children: a pid, and a pidfd where the kernel has one. */
#ifndef COS_IO_PROCESS_H
#define COS_IO_PROCESS_H
#include <stdint.h>
#include <sys/types.h>

/* Waits for a child and reaps it; pidfd < 0: asks by pid, again and again. 0 and *status; -ETIMEDOUT, -ECANCELED, -ECHILD.
 * `reap` replaces cos_sys_reap where something must be excluded meanwhile. */
int cos_child_wait(int (*reap)(void *arg, int *status), void *arg, pid_t pid, int pidfd,
                   int *status, int64_t deadline);
#endif
