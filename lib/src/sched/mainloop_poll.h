/* Descriptors that MAIN's poll watches, by their edges.
 *
 * They lie in an epoll instance of their own, and that lies in the loop under one uv_poll. So a descriptor is added and
 * removed by any thread, once, for both directions; and one that is ready is reported once, not again and again while its
 * task waits for its turn, as uv_poll would. */
#ifndef COS_SCHED_MAINLOOP_POLL_H
#define COS_SCHED_MAINLOOP_POLL_H
#include <stdint.h>

struct cosched_runtime;
struct cos_poll_set; /* of a runtime */
struct uv_loop_s;
struct uv_handle_s;

struct cos_polled {
    void (*ready)(struct cos_polled *p, uint32_t events); /* const; on MAIN, from its loop: EPOLL… */
    void (*release)(struct cos_polled *p); /* const; on MAIN: no event can name it any more */
    struct cos_polled *next_dead;          /* removed, not released yet */
};

/* Any thread, while the runtime lives. 0: `ready` is called at each edge from now on, the first one if there is something
 * already. -EEXIST: this very descriptor is watched; -EPERM: of a kind that is always ready; -ENOMEM, -ENOSPC. */
int cos_poll_set_add(struct cos_polled *p, int fd);
/* Any thread; fd is still open, and was added. `release` comes later. */
void cos_poll_set_remove(struct cos_polled *p, int fd);

/* For mainloop.c, on MAIN's thread or before there is one. 0: the handle is there, which mainloop.c gives the runtime as
 * its data, starts and closes; an error leaves nothing in the loop. Edges of wake_fd only end the poll. */
int cos_poll_set_init(struct cosched_runtime *rt, struct uv_loop_s *loop, int wake_fd);
struct uv_handle_s *cos_poll_set_handle(struct cos_poll_set *set);
void cos_poll_set_start(struct cos_poll_set *set);
void cos_poll_set_bury(struct cos_poll_set *set); /* releases what was removed */
void cos_poll_set_fini(struct cos_poll_set *set); /* after the handle was closed; NULL is fine */
#endif
