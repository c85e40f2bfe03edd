/* See watch.h. Callbacks only wake; they and arming run on MAIN, so neither interrupts the other. */
#include "io/watch.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "io/sys.h"
#include "sched/mainloop.h"

static void on_poll(uv_poll_t *poll, int status, int events);

static struct cos_watch *watch_of(struct cos_source *s)
{
    return COS_CONTAINER_OF(s, struct cos_watch, source);
}

static void on_closed(uv_handle_t *handle)
{
    cos_free(handle->data);
}

static void dispose(struct cos_source *s)
{
    struct cos_watch *w = watch_of(s);
    if (w->opened) {
        /* Takes fd out of epoll at once; only the memory must stay. */
        uv_close((uv_handle_t *)&w->poll, on_closed);
    }
    if (w->owns_fd) {
        cos_sys_close(w->fd);
    }
    if (!w->opened) {
        cos_free(w);
    }
}

void cos_watch_init(struct cos_watch *w, int fd, bool owns_fd)
{
    cos_source_init(&w->source, dispose);
    w->opened = false;
    w->armed = w->wants[COS_READ_SIDE] = w->wants[COS_WRITE_SIDE] = 0;
    w->fd = fd;
    w->owns_fd = owns_fd;
}

static int set_armed(struct cos_watch *w, int events)
{
    int rc = events != 0 ? uv_poll_start(&w->poll, events, on_poll) : uv_poll_stop(&w->poll);
    if (rc == 0) {
        w->armed = events;
    }
    return rc;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct cos_watch *w = poll->data;
    if (status < 0) { /* an error condition: uv has stopped; whoever tries again learns which */
        w->armed = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    int keep = w->armed;
    for (int side = 0; side < COS_SIDES; side++) {
        if ((events & w->wants[side]) != 0 && !cos_source_wake(&w->source, (enum cos_side)side)) {
            keep &= ~w->wants[side];
        }
    }
    if (keep != w->armed) {
        set_armed(w, keep); /* fewer events on a descriptor that is ours: cannot fail */
    }
}

struct eviction {
    int fd;
    bool done;
};

/* Disarms a watch of ours on that descriptor that nobody waits on. */
static void evict(uv_handle_t *handle, void *arg)
{
    struct eviction *v = arg;
    if (handle->type != UV_POLL || uv_is_closing(handle) ||
        ((uv_poll_t *)handle)->poll_cb != on_poll) {
        return;
    }
    struct cos_watch *w = handle->data;
    bool waiting = cos_atomic_load(&w->source.side[COS_READ_SIDE].ticket, relaxed) != 0 ||
                   cos_atomic_load(&w->source.side[COS_WRITE_SIDE].ticket, relaxed) != 0;
    if (w->fd == v->fd && w->armed != 0 && !waiting) {
        set_armed(w, 0);
        v->done = true;
    }
}

static int open_and_arm(struct cos_watch *w, int events)
{
    if (!w->opened) {
        int rc = uv_poll_init(cos_mainloop_uv(), &w->poll, w->fd);
        if (rc < 0) {
            return rc;
        }
        w->opened = true;
        w->poll.data = w;
        uv_unref((uv_handle_t *)&w->poll); /* the task that waits keeps the loop alive */
    }
    return set_armed(w, events);
}

static int arm(struct cos_watch *w, int events)
{
    if ((w->armed & events) == events) {
        return 0;
    }
    int rc = open_and_arm(w, w->armed | events);
    if (rc == UV_EEXIST) { /* uv has one handle a descriptor */
        struct eviction v = {.fd = w->fd};
        uv_walk(cos_mainloop_uv(), evict, &v);
        rc = v.done ? open_and_arm(w, w->armed | events) : -EBUSY;
    }
    return rc;
}

int cos_watch_wait(struct cos_op *op, int events, int64_t deadline)
{
    struct cos_watch *w = watch_of(op->source);
    if (op->why < 0) {
        return op->why;
    }
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT; /* it was tried a moment ago */
    }
    cos_op_to_main(op);
    w->wants[op->side] = events;
    op->why = arm(w, events);
    if (op->why == 0) {
        op->why = cos_op_wait(op, deadline);
    }
    return cos_op_is_shut(op) ? -ECANCELED : 0;
}
