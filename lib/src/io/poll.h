/* Waiting for any descriptor. */
#ifndef COS_IO_POLL_H
#define COS_IO_POLL_H
#include <stdint.h>

/* cosched_poll without its checks of the caller (cos_io_allowed) and of the descriptor. */
int cos_poll_wait(int fd, int events, int64_t deadline);
#endif
