/* See mainloop.h. Everything here but cos_mainloop_ring runs on MAIN's thread. */
#include "sched/mainloop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/ticks.h"
#include "sched/current.h"
#include "sched/events.h"
#include "sched/mainloop_poll.h"
#include "sched/runtime.h"
#include "sched/trim.h"

#define TURN_NS INT64_C(250000) /* D8: ready fibers for at most so long, then poll (I4) */
#define HANDLES 4

struct cos_uv {
    uv_loop_t own;
    uv_prepare_t prepare;
    uv_idle_t idle;
    uv_timer_t timer;
    int64_t armed_for;     /* what the timer is set to; INT64_MAX: not armed */
    int64_t turn_deadline; /* cos_mainloop_turn waits no longer */
    bool held;             /* the poll is referenced: tasks live */
    bool closing;
    uv_handle_t *handles[HANDLES]; /* initialised: `open` of them, to be closed */
    int open;                      /* handles not closed yet */
    void (*done)(void *data);
    void *done_data;
};

/* Keeps the loop alive exactly while tasks live. */
static void hold_loop(struct cosched_runtime *rt)
{
    struct cos_uv *u = rt->loop.uv;
    bool hold = cos_atomic_load(&rt->roots, acquire) != 0;
    if (hold != u->held && !u->closing) {
        u->held = hold;
        if (hold) {
            uv_ref(cos_poll_set_handle(rt->loop.polled));
        } else {
            uv_unref(cos_poll_set_handle(rt->loop.polled));
        }
    }
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all: the poll does not wait */
}

void cos_mainloop_away(struct cosched_runtime *rt)
{
    if (rt->loop.away_since == 0) {
        rt->loop.away_since = cos_ticks_now();
        cos_event_awake(rt->main);
    }
}

/* Before a poll. One that does not wait (there is more to do) ends as it begins. */
static void measure_gap(struct cosched_runtime *rt, bool waits)
{
    struct cos_mainloop *m = &rt->loop;
    uint64_t now = cos_ticks_now();
    cos_histogram_count_owner(&m->gaps, cos_ticks_between(m->away_since, now));
    m->away_since = waits ? 0 : now;
    if (waits) {
        cos_event_sleep(rt->main);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct cosched_runtime *rt = timer->data;
    cos_mainloop_away(rt);
    rt->loop.uv->armed_for = INT64_MAX; /* the pump that follows fires what is due */
}

void cos_mainloop_ring(struct cosched_runtime *rt)
{
    uint64_t one = 1;
    ssize_t n;
    do {
        n = write(rt->loop.wake_fd, &one, sizeof one); /* never read: each write is an edge */
    } while (n < 0 && errno == EINTR);
}

bool cos_mainloop_pump(struct cosched_runtime *rt, int64_t budget_ns)
{
    struct cos_exec *e = rt->main;
    int64_t start = cos_clock_now();
    int64_t now = start;
    cos_mainloop_away(rt);
    e->turn_end = cos_clock_add(start, budget_ns);
    do {
        int64_t before = now;
        e->budget = e->allowance;
        cos_exec_drain_inbox(e);
        cos_timers_fire(&e->timers, now);
        uint32_t index = cos_exec_take(e);
        if (index == 0 && cos_lines_waiting(e->lines)) {
            index = cos_lines_rest(e);
        }
        if (index == 0) {
            break;
        }
        e->budget--;
        cos_exec_run(e, index);
        now = cos_clock_now();
        cos_exec_turn_took(e, now - before, TURN_NS);
    } while (now - start < budget_ns);
    cos_atomic_store(&e->count.busy_ns,
                     cos_atomic_load(&e->count.busy_ns, relaxed) + (uint64_t)(now - start), relaxed);
    return cos_deque_size(&e->deque) > 0 || !cos_inbox_empty(&e->inbox) ||
           cos_lines_waiting(e->lines);
}

/* Sets the uv timer to the next deadline, rounded up to its milliseconds. */
static void arm_timer(struct cosched_runtime *rt)
{
    struct cos_uv *u = rt->loop.uv;
    int64_t now = cos_clock_now();
    int64_t next = cos_timers_next(&rt->main->timers);
    int64_t look_at = cos_trim_before_sleep(rt->main, now);
    next = look_at < next ? look_at : next;
    int64_t depots_at = cos_trim_depots(rt->main, now);
    next = depots_at < next ? depots_at : next;
    next = rt->help.look_at < next ? rt->help.look_at : next;
    next = u->turn_deadline < next ? u->turn_deadline : next;
    if (next == u->armed_for) {
        return;
    }
    u->armed_for = next;
    if (next == INT64_MAX) {
        uv_timer_stop(&u->timer);
        return;
    }
    int64_t ms = (next - now + COS_NS_PER_MS - 1) / COS_NS_PER_MS;
    uv_update_time(u->timer.loop);
    uv_timer_start(&u->timer, on_timer, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* Before a poll that would sleep: results of hops often come within microseconds. True: something came. */
static bool spin(struct cosched_runtime *rt)
{
    struct cos_exec *e = rt->main;
    if (!rt->may_spin || rt->workers == 0 || !cos_spin_may(&e->spin)) {
        return false;
    }
    int64_t end = cos_clock_now() + COS_SPIN_NS;
    bool paid;
    do {
        for (int i = 0; i < COS_SPIN_LOOKS && cos_inbox_empty(&e->inbox); i++) {
            cos_relax();
        }
        paid = !cos_inbox_empty(&e->inbox);
    } while (!paid && cos_clock_now() < end);
    cos_spin_result(&e->spin, paid);
    return paid;
}

/* The same again and again, while something comes: a poll between two results would cost more than they do. Not beyond the end
 * of the turn: then a poll that does not wait has its turn. True: there is more to do, or may be. */
static bool spin_and_pump(struct cosched_runtime *rt)
{
    int64_t end = rt->main->turn_end;
    bool more = false;
    while (!more && spin(rt)) {
        more = cos_mainloop_pump(rt, TURN_NS) || rt->main->turn_end >= end + TURN_NS;
    }
    return more;
}

/* The pump, before each poll. Announces that MAIN sleeps only when nothing is left to do. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct cosched_runtime *rt = prepare->data;
    struct cos_uv *u = rt->loop.uv;
    if (!cos_mainloop_adopt_thread(rt)) {
        return; /* another thread is MAIN: the host runs this loop in two places */
    }
    cos_doorbell_retract(&rt->bell);
    COS_COUNT(rt->main, polls);
    uint64_t slices = cos_atomic_load(&rt->main->count.slices, relaxed);
    bool more = cos_mainloop_pump(rt, TURN_NS);
    cos_poll_set_bury(rt->loop.polled);
    bool ran = slices != cos_atomic_load(&rt->main->count.slices, relaxed);
    if (!more) { /* it helps when a poll has found nothing either */
        more = ran ? cos_help_wanted(rt) : cos_help_workers(rt);
    }
    if (!more) {
        more = spin_and_pump(rt);
    }
    hold_loop(rt);
    if (!more) {
        cos_doorbell_announce(&rt->bell);
        more = !cos_inbox_empty(&rt->main->inbox);
    }
    if (more) {
        cos_doorbell_retract(&rt->bell);
        uv_idle_start(&u->idle, on_idle);
    } else {
        uv_idle_stop(&u->idle);
        arm_timer(rt);
    }
    measure_gap(rt, !more);
}

static void opened(struct cosched_runtime *rt, void *handle)
{
    struct cos_uv *u = rt->loop.uv;
    u->handles[u->open] = handle;
    u->handles[u->open++]->data = rt;
}

static int open_handles(struct cosched_runtime *rt, uv_loop_t *loop)
{
    struct cos_uv *u = rt->loop.uv;
    /* The only one that can fail, so first: a host's loop would have to run before an opened one were gone. */
    int rc = cos_poll_set_init(rt, loop, rt->loop.wake_fd);
    if (rc < 0) {
        return rc;
    }
    opened(rt, cos_poll_set_handle(rt->loop.polled));
    uv_prepare_init(loop, &u->prepare);
    opened(rt, &u->prepare);
    uv_idle_init(loop, &u->idle);
    opened(rt, &u->idle);
    uv_timer_init(loop, &u->timer);
    opened(rt, &u->timer);
    uv_prepare_start(&u->prepare, on_prepare);
    cos_poll_set_start(rt->loop.polled);
    uv_unref((uv_handle_t *)&u->prepare);
    uv_unref((uv_handle_t *)&u->idle);
    uv_unref((uv_handle_t *)&u->timer);
    u->held = true; /* until the first pump has seen whether tasks live */
    return 0;
}

int cos_mainloop_make_bell(struct cosched_runtime *rt)
{
    rt->loop.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return rt->loop.wake_fd < 0 ? -errno : 0;
}

void cos_mainloop_drop_bell(struct cosched_runtime *rt)
{
    if (rt->loop.wake_fd >= 0) {
        close(rt->loop.wake_fd);
        rt->loop.wake_fd = -1;
    }
}

int cos_mainloop_init(struct cosched_runtime *rt, struct uv_loop_s *loop_or_null)
{
    struct cos_mainloop *m = &rt->loop;
    m->uv = cos_alloc(sizeof *m->uv);
    int rc = m->uv == NULL ? -ENOMEM : 0;
    if (rc == 0 && loop_or_null == NULL) {
        rc = uv_loop_init(&m->uv->own);
    }
    if (rc < 0) {
        cos_free(m->uv);
        return rc;
    }
    m->loop = loop_or_null != NULL ? loop_or_null : &m->uv->own;
    m->uv->armed_for = m->uv->turn_deadline = INT64_MAX;
    rc = open_handles(rt, m->loop);
    if (rc < 0) {
        cos_mainloop_fini(rt);
    }
    return rc;
}

static void on_closed(uv_handle_t *handle)
{
    struct cosched_runtime *rt = handle->data;
    struct cos_uv *u = rt->loop.uv;
    if (--u->open == 0 && u->done != NULL) {
        u->done(u->done_data);
    }
}

void cos_mainloop_close(struct cosched_runtime *rt, void (*done)(void *data), void *data)
{
    struct cos_uv *u = rt->loop.uv;
    if (u->closing) {
        return;
    }
    u->closing = true;
    u->done = done;
    u->done_data = data;
    for (int i = 0; i < u->open; i++) { /* the callbacks come later, from the loop */
        uv_close(u->handles[i], on_closed);
    }
}

bool cos_mainloop_closed(const struct cosched_runtime *rt)
{
    return rt->loop.uv->open == 0;
}

void cos_mainloop_fini(struct cosched_runtime *rt)
{
    struct cos_mainloop *m = &rt->loop;
    if (m->loop == &m->uv->own) {
        if (m->uv->open > 0) {
            cos_mainloop_close(rt, NULL, NULL);
        }
        while (m->uv->open > 0) {
            uv_run(m->loop, UV_RUN_ONCE);
        }
        int rc = uv_loop_close(m->loop);
        COS_ASSERT(rc == 0 && "an I/O object was left open");
    }
    cos_poll_set_fini(m->polled);
    cos_free(m->uv);
    m->uv = NULL;
}

void cos_mainloop_turn(struct cosched_runtime *rt, bool wait, int64_t deadline)
{
    struct cos_uv *u = rt->loop.uv;
    u->turn_deadline = deadline;
    uv_run(rt->loop.loop, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    u->turn_deadline = INT64_MAX;
}

bool cos_mainloop_on_thread(const struct cosched_runtime *rt)
{
    return cos_exec_current() == rt->main;
}

bool cos_mainloop_adopt_thread(struct cosched_runtime *rt)
{
    if (cos_exec_current() == rt->main) {
        return true;
    }
    uint32_t free_for_all = 0;
    /* relaxed: decides who is MAIN; what MAIN reads afterwards came by its inbox or from this thread. */
    if (cos_exec_current() != NULL ||
        !cos_atomic_cas(&rt->main_adopted, &free_for_all, 1, relaxed, relaxed)) {
        return false;
    }
    cos_exec_thread_begin(rt->main);
    return true;
}

void cos_mainloop_keep(struct cosched_runtime *rt)
{
    if (rt->loop.uv != NULL && cos_mainloop_on_thread(rt)) {
        hold_loop(rt);
    }
}

struct uv_loop_s *cos_mainloop_uv(void)
{
    return cos_runtime()->loop.loop;
}
