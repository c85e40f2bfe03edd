/* See watch.h. Edges are news: who waits again has tried in vain since, or the wait ends at once. */
#include "io/watch.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "io/sys.h"

static struct cos_watch *watch_of(struct cos_source *s)
{
    return COS_CONTAINER_OF(s, struct cos_watch, source);
}

static void release(struct cos_polled *p)
{
    cos_free(COS_CONTAINER_OF(p, struct cos_watch, polled));
}

static void dispose(struct cos_source *s)
{
    struct cos_watch *w = watch_of(s);
    int fd = w->owns_fd ? w->fd : -1, duplicate = w->watched_fd != w->fd ? w->watched_fd : -1;
    /* relaxed: nobody else uses it any more, which `state` has told. */
    if (cos_atomic_load(&w->added, relaxed) != 0) {
        cos_poll_set_remove(&w->polled, w->watched_fd); /* w may be gone */
    } else {
        cos_free(w);
    }
    if (duplicate >= 0) {
        cos_sys_close(duplicate);
    }
    if (fd >= 0) {
        cos_sys_close(fd);
    }
}

/* On MAIN, from its loop. */
static void ready(struct cos_polled *p, uint32_t events)
{
    struct cos_watch *w = COS_CONTAINER_OF(p, struct cos_watch, polled);
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) {
        cos_atomic_store(&w->ended, 1, relaxed); /* before the news: they publish it */
    }
    /* The waker of a side must not look at w afterwards: but this is MAIN, where its memory goes. */
    for (int side = 0; side < COS_SIDES; side++) {
        if ((events & w->wakers[side]) != 0) {
            cos_source_wake(&w->source, (enum cos_side)side);
        }
    }
}

void cos_watch_init(struct cos_watch *w, int fd, bool owns_fd)
{
    cos_source_init(&w->source, dispose);
    w->source.object = (uint64_t)fd;
    w->polled = (struct cos_polled){.ready = ready, .release = release};
    cos_atomic_init(&w->added, 0);
    cos_atomic_init(&w->ended, 0);
    w->wakers[COS_READ_SIDE] = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR;
    w->wakers[COS_WRITE_SIDE] = EPOLLOUT | EPOLLHUP | EPOLLERR;
    w->fd = w->watched_fd = fd;
    w->owns_fd = owns_fd;
}

int cos_watch_add(struct cos_watch *w)
{
    uint32_t none = 0;
    /* relaxed: whoever adds needs nothing of the others; an operation that finds it added waits for events or, when adding
     * failed, for the news below. */
    if (!cos_atomic_cas(&w->added, &none, 1, relaxed, relaxed)) {
        return 0;
    }
    int rc = cos_poll_set_add(&w->polled, w->fd);
    if (rc == -EEXIST) { /* epoll knows a descriptor once: cosched_poll on one of a stream */
        int duplicate = cos_sys_duplicate(w->fd);
        rc = duplicate < 0 ? duplicate : cos_poll_set_add(&w->polled, duplicate);
        if (rc == 0) {
            w->watched_fd = duplicate;
        } else if (duplicate >= 0) {
            cos_sys_close(duplicate);
        }
    }
    if (rc < 0) {
        cos_atomic_store(&w->added, 0, relaxed);
        cos_source_wake(&w->source, COS_READ_SIDE); /* the other side's wait learns of it, too */
        cos_source_wake(&w->source, COS_WRITE_SIDE);
    }
    return rc;
}

int cos_watch_wait(struct cos_op *op, int64_t deadline)
{
    if (op->why < 0) {
        return op->why;
    }
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT; /* it was tried a moment ago */
    }
    op->why = cos_watch_add(watch_of(op->source));
    if (op->why == 0) {
        op->why = cos_op_wait(op, deadline);
    }
    return cos_op_is_shut(op) ? -ECANCELED : 0;
}

void cos_watch_doze(struct cos_op *op, int64_t deadline)
{
    struct cos_watch *w = watch_of(op->source);
    /* acquire: pairs with cos_source_wake, for `ended`. News that come after this end the wait. */
    if (cos_atomic_load(&op->source->side[op->side].word, acquire) == 0 &&
        cos_atomic_load(&w->added, relaxed) != 0 && cos_atomic_load(&w->ended, relaxed) == 0 &&
        !cos_io_expired(deadline)) {
        op->why = cos_op_wait(op, deadline);
    }
}
