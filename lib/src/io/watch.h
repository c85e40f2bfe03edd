/* A watch: a source on a descriptor, in MAIN's poll set (sched/mainloop_poll.h).
 *
 * The first operation that has to wait adds the descriptor, and it stays there: later waits cost no system call. */
#ifndef COS_IO_WATCH_H
#define COS_IO_WATCH_H
#include "io/source.h"
#include "sched/mainloop_poll.h"

struct cos_watch {
    struct cos_source source;
    struct cos_polled polled;
    COS_ATOMIC(uint32_t) added; /* 1: somebody has added the descriptor, or is about to */
    COS_ATOMIC(uint32_t)
    ended; /* 1: an event told of an end, an error or urgent data; see cos_watch_doze */
    uint32_t wakers[COS_SIDES]; /* const: the EPOLL… that are news for each side */
    int fd;                     /* const */
    int watched_fd;             /* who adds: fd, or a duplicate when that is watched already */
    bool owns_fd;               /* const: closed with the watch */
};

/* w is the first member of a block from cos_alloc, which is freed when the watch has been disposed of. */
void cos_watch_init(struct cos_watch *w, int fd, bool owns_fd);

/* After a try in vain: waits until there is news. 0: try again. A wait that fails answers 0, too, so that what had come by
 * then wins; the reason is the answer of the next call: -ETIMEDOUT, -ECANCELED (at once when the source was shut),
 * -ENOMEM … */
int cos_watch_wait(struct cos_op *op, int64_t deadline);
/* The same before the first try, after one that took all there was: it would find nothing, as long as no news came. Does
 * nothing where that is not sure. */
void cos_watch_doze(struct cos_op *op, int64_t deadline);
/* Adds the descriptor, for those who wait by cos_op_wait_any. 0, -ENOMEM … */
int cos_watch_add(struct cos_watch *w);
#endif
