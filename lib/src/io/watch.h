/* A watch: a source on a descriptor, through uv_poll.
 *
 * The uv handle is made by the first operation that has to wait, and stays armed afterwards: a conversation that waits
 * again and again costs no epoll_ctl. Once a callback finds nobody waiting for what it reports, that side is disarmed.
 * So epoll may look at a descriptor that nobody waits for, once. */
#ifndef COS_IO_WATCH_H
#define COS_IO_WATCH_H
#include <uv.h>

#include "io/source.h"

struct cos_watch {
    struct cos_source source;
    uv_poll_t poll;       /* MAIN only, like the next three */
    bool opened;          /* poll is initialised: it must be closed before this memory goes */
    int armed;            /* UV_READABLE, UV_WRITABLE: what uv reports now */
    int wants[COS_SIDES]; /* what wakes each side, since it waited first */
    int fd;               /* const */
    bool owns_fd;         /* const: closed with the watch */
};

/* w is the first member of a block from cos_alloc, which is freed when the watch has been disposed of. */
void cos_watch_init(struct cos_watch *w, int fd, bool owns_fd);

/* After a try in vain: waits until one of the events may be there. 0: try again. A wait that fails answers 0, too, so that
 * what had come by then wins; the reason is the answer of the next call: -ETIMEDOUT, -ECANCELED (at once when the source
 * was shut), -EBUSY (somebody else waits for this descriptor), -ENOMEM … */
int cos_watch_wait(struct cos_op *op, int events, int64_t deadline);
#endif
