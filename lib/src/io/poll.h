/* Waiting for any descriptor. */
#ifndef COS_IO_POLL_H
#define COS_IO_POLL_H
#include <stdint.h>
#include <sys/types.h>

/* cosched_poll without its checks of the caller (cos_io_allowed) and of the descriptor. */
int cos_poll_wait(int fd, int events, int64_t deadline);
/* The same on a pidfd, by who waits for that process. */
int cos_poll_wait_process(int pidfd, pid_t pid, int64_t deadline);
#endif
