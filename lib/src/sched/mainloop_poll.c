/* See mainloop_poll.h. Events name objects by address, and those go only on MAIN, after the events that were read
 * before they were removed have been looked at. */
#include "sched/mainloop_poll.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "sched/fork.h"
#include "sched/mainloop.h"
#include "sched/runtime.h"

#define EVENTS 512 /* a turn; what is left is still there in the next */

/* EPOLLRDHUP and EPOLLPRI: a short read proves that nothing is left, save where one of them came. */
#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

struct cos_poll_set {
    uv_poll_t poll;
    int fd;                               /* const: the epoll instance */
    COS_ATOMIC(struct cos_polled *) dead; /* pushed by any thread, taken as a whole by MAIN */
    COS_ATOMIC(uint32_t) watched;         /* objects added and not removed */
    struct epoll_event events[EVENTS];    /* MAIN only */
};

int cos_poll_set_add(struct cos_polled *p, int fd)
{
    struct cos_poll_set *set = cos_runtime()->loop.polled;
    struct epoll_event event = {.events = EDGES, .data.ptr = p};
    if (epoll_ctl(set->fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        return -errno;
    }
    (void)cos_atomic_add(&set->watched, 1, relaxed); /* relaxed: read when all threads are gone */
    return 0;
}

void cos_poll_set_remove(struct cos_polled *p, int fd)
{
    struct cosched_runtime *rt = cos_runtime();
    struct cos_poll_set *set = rt->loop.polled;
    if (cos_fork_is_child()) { /* the epoll instance is the parent's, too, and goes on watching for it */
        p->release(p);
        return;
    }
    struct epoll_event unused = {0};
    /* Closing alone would not do: another descriptor may share the open file. */
    int rc = epoll_ctl(set->fd, EPOLL_CTL_DEL, fd, &unused);
    COS_ASSERT(rc == 0 && "somebody else closed a descriptor of io/");
    (void)cos_atomic_sub(&set->watched, 1, relaxed);
    struct cos_polled *first = cos_atomic_load(&set->dead, relaxed);
    do {
        p->next_dead = first;
        /* release: pairs with the acquire in bury; the object and its removal are over. */
    } while (!cos_atomic_cas(&set->dead, &first, p, release, relaxed));
    if (first == NULL && !cos_mainloop_on_thread(rt)) {
        cos_mainloop_ring(rt); /* so that memory does not wait for the next event */
    }
}

void cos_poll_set_bury(struct cos_poll_set *set)
{
    if (cos_atomic_load(&set->dead, relaxed) == NULL) { /* relaxed: a hint, asked each turn */
        return;
    }
    /* acquire: pairs with the release in remove. */
    struct cos_polled *p = cos_atomic_exchange(&set->dead, NULL, acquire);
    while (p != NULL) {
        struct cos_polled *next = p->next_dead;
        p->release(p);
        p = next;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct cosched_runtime *rt = poll->data;
    struct cos_poll_set *set = rt->loop.polled;
    cos_mainloop_away(rt);
    int n = epoll_wait(set->fd, set->events, EVENTS, 0); /* EINTR: the next turn asks again */
    for (int i = 0; i < n; i++) {
        struct cos_polled *p = set->events[i].data.ptr;
        if (p != NULL) { /* NULL: the waker */
            p->ready(p, set->events[i].events);
        }
    }
}

/* An epoll instance that watches the waker. */
static int make_set(int wake_fd)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(fd, EPOLL_CTL_ADD, wake_fd, &event) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

int cos_poll_set_init(struct cosched_runtime *rt, struct uv_loop_s *loop, int wake_fd)
{
    struct cos_poll_set *set = cos_alloc(sizeof *set);
    if (set == NULL) {
        return -ENOMEM;
    }
    set->fd = make_set(wake_fd);
    int rc = set->fd < 0 ? set->fd : uv_poll_init(loop, &set->poll, set->fd);
    if (rc < 0) {
        if (set->fd >= 0) {
            close(set->fd);
        }
        cos_free(set);
        return rc;
    }
    rt->loop.polled = set;
    return 0;
}

void cos_poll_set_start(struct cos_poll_set *set)
{
    uv_poll_start(&set->poll, UV_READABLE, on_poll);
}

struct uv_handle_s *cos_poll_set_handle(struct cos_poll_set *set)
{
    return (uv_handle_t *)&set->poll;
}

void cos_poll_set_fini(struct cos_poll_set *set)
{
    if (set == NULL) {
        return;
    }
    cos_poll_set_bury(set);
    COS_ASSERT(cos_atomic_load(&set->watched, relaxed) == 0 && "an I/O object was left open");
    close(set->fd);
    cos_free(set);
}
