/* MAIN: the executor on a libuv loop (DESIGN D8). With mainloop_poll.h the only file of the scheduler that knows uv.
 *
 * It uses one prepare (the pump: tasks run before each poll), one idle (armed only while work remains, so that the poll
 * does not wait), one timer (the next deadline) and one poll (mainloop_poll.h) for all descriptors of io/ and for the
 * eventfd that wakes it (uv_async_send's coalescing flag is not a publish fence). I/O callbacks only record and wake; no
 * task ever runs inside one. */
#ifndef COS_SCHED_MAINLOOP_H
#define COS_SCHED_MAINLOOP_H
#include <stdbool.h>
#include <stdint.h>

#include "base/histogram.h"

struct uv_loop_s;
struct cosched_runtime;
struct cos_uv;
struct cos_poll_set;

struct cos_mainloop {
    struct uv_loop_s *loop;      /* borrowed from the host, or owned by uv */
    struct cos_uv *uv;           /* owned: handles */
    struct cos_poll_set *polled; /* owned; see mainloop_poll.h */
    int wake_fd;                 /* eventfd; any thread writes */
    uint64_t away_since; /* ticks: when MAIN's poll returned, as far as it is known; 0: it may be in it. MAIN only */
    struct cos_histogram gaps; /* from a poll to the next, in ticks; MAIN writes */
};

/* What rings MAIN, before any thread that may. 0 or a negative errno; drop it last (-1: there is none). */
int cos_mainloop_make_bell(struct cosched_runtime *rt);
void cos_mainloop_drop_bell(struct cosched_runtime *rt);
int cos_mainloop_init(struct cosched_runtime *rt, struct uv_loop_s *loop_or_null);
/* Starts closing the handles; done(data) from the loop when they are closed (NULL: none). */
void cos_mainloop_close(struct cosched_runtime *rt, void (*done)(void *data), void *data);
bool cos_mainloop_closed(const struct cosched_runtime *rt);
void cos_mainloop_fini(struct cosched_runtime *rt); /* own loop: runs it until closed */

/* One turn: pump, then poll; waits for events only if `wait`, at most until `deadline`. On MAIN's thread, outside tasks. */
void cos_mainloop_turn(struct cosched_runtime *rt, bool wait, int64_t deadline);
/* Ready tasks and due timers, for at most about budget_ns. True: more is ready. */
bool cos_mainloop_pump(struct cosched_runtime *rt, int64_t budget_ns);

/* On MAIN's thread, by whatever its poll calls first: it is not in its poll any more. */
void cos_mainloop_away(struct cosched_runtime *rt);

/* Makes MAIN's poll return. Any thread. */
void cos_mainloop_ring(struct cosched_runtime *rt);

/* This thread is MAIN from now on, if none is; false: another thread is. */
bool cos_mainloop_adopt_thread(struct cosched_runtime *rt);
bool cos_mainloop_on_thread(const struct cosched_runtime *rt);

/* The first task came to live: on MAIN's thread, before the loop is asked whether it is alive. */
void cos_mainloop_keep(struct cosched_runtime *rt);

/* I/O operations hold the loop while they are under way only as tasks do: nothing to call. The loop for io/: */
struct uv_loop_s *cos_mainloop_uv(void);
#endif
