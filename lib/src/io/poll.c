/* cosched_poll: a watch for the length of one call, on a descriptor of the caller's. What is ready already needs none:
 * poll(2) is asked first, and it answers for regular files, too, which epoll refuses. */
#include "io/poll.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "io/sys.h"
#include "io/watch.h"
#include "sched/park.h"

#define STREAK 64 /* ready at once so many times, by anybody: let others run */

static COS_ATOMIC(uint32_t) at_once; /* a hint */

static int ready_or_wait(struct cos_watch *w, int events, int64_t deadline)
{
    struct cos_op op;
    /* One side does for both kinds: nobody else knows this watch. */
    int rc = cos_op_begin(&op, &w->source, COS_READ_SIDE);
    if (rc < 0) {
        cos_source_close(&w->source);
        return rc;
    }
    w->wakers[COS_READ_SIDE] |= (events & COSCHED_WRITABLE) != 0 ? (uint32_t)EPOLLOUT : 0;
    w->wakers[COS_WRITE_SIDE] = 0;
    int ready = 0;
    while (ready == 0) {
        rc = cos_watch_wait(&op, deadline);
        ready = rc < 0 ? rc : cos_sys_ready(w->fd, events);
    }
    cos_source_close(&w->source); /* the end disposes of it */
    cos_op_end(&op);
    return ready;
}

static int wait_on(int fd, int events, int64_t deadline, unsigned reason, uint64_t object)
{
    int ready = cos_sys_ready(fd, events);
    if (ready != 0) {
        if (ready > 0 && deadline != COSCHED_NOW &&
            cos_atomic_add(&at_once, 1, relaxed) % STREAK == STREAK - 1) {
            cosched_yield();
        }
        return ready;
    }
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    struct cos_watch *w = cos_alloc(sizeof *w);
    if (w == NULL) {
        return -ENOMEM;
    }
    cos_watch_init(w, fd, false);
    w->source.reason = reason;
    w->source.object = object;
    return ready_or_wait(w, events, deadline);
}

int cos_poll_wait(int fd, int events, int64_t deadline)
{
    return wait_on(fd, events, deadline, COS_PARK_FOR(COSCHED_FOR_IO), (uint64_t)fd);
}

int cos_poll_wait_process(int pidfd, pid_t pid, int64_t deadline)
{
    return wait_on(pidfd, COSCHED_READABLE, deadline, COS_PARK_FOR(COSCHED_FOR_PROCESS),
                   (uint64_t)pid);
}

int cosched_poll(int fd, int events, int64_t deadline)
{
    int rc = cos_io_allowed();
    if (rc == 0 && (events == 0 || (events & ~(COSCHED_READABLE | COSCHED_WRITABLE)) != 0)) {
        rc = -EINVAL;
    }
    rc = rc == 0 ? cos_sys_set_nonblocking(fd) : rc;
    return rc == 0 ? cos_poll_wait(fd, events, deadline) : rc;
}
