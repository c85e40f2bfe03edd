/* cosched_after, _at, _every and their tokens.
 *
 * Each is a detached task that has not started: it waits in a wheel, without a stack, until its time (cos_task_start_at). A
 * token is the handle of that task; its control block is type-stable, so a token may be used for ever, on any thread.
 *
 * A single run whose attributes a control block has room for needs nothing else: the task is the run, and `joining` says whether
 * a cancel may still stop it. The others have a record, and runs are children of the task (repeat.h). Drawing of its `state`:
 *
 *     ARMED ── its time (its task) ──▶ RUNNING ── end of a run (its task) ──▶ ARMED …
 *       └── cancel ──▶ STOPPED ◀── cancel, interval only ──┘
 *
 * The record goes when the task has ended, after its generation has: who holds the lock of its scope and has seen the
 * generation may use the record. */
#include "sync/later.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "sched/armed.h"
#include "sched/failure.h"
#include "sched/runtime.h"
#include "sched/scopes.h"
#include "sched/spawn.h"
#include "sync/repeat.h"

#define INTERVAL_FLAGS ((uint32_t)(COSCHED_STOP_ON_ERROR | COSCHED_BACK_OFF))
#define RETRY_NS_MAX   COS_NS_PER_S

enum state { ARMED, RUNNING, STOPPED };

struct later {
    struct cos_group link;      /* first: told by cos_task_complete */
    struct cosched_runtime *rt; /* const, like all but the state */
    COS_ATOMIC(uint32_t)
    state;            /* enum state; acq_rel: a cancel that stops it sees what the last run did */
    int64_t when;     /* at: wall clock; every: its first run; after: unused */
    int64_t interval; /* every; else 0 */
    cosched_overrun overrun;
    uint32_t flags; /* COSCHED_STOP_ON_ERROR, COSCHED_BACK_OFF */
    struct cos_repeat run;
};

/* --- when ------------------------------------------------------------------------------------------------- */

struct clocks {
    int64_t now, wall;
};

/* Read close to each other, the monotonic one first: what lies between makes a task look too early, never too late, and times of
 * the wall clock come in their order. */
static struct clocks read_clocks(void)
{
    struct clocks c;
    for (int tries = 0;; tries++) {
        c.now = cos_clock_now();
        c.wall = cos_later_wall();
        if (tries == 4 || cos_clock_now() - c.now < COS_NS_PER_MS / 4) {
            return c;
        }
    }
}

static int64_t look(int64_t at_ns)
{
    struct clocks c = read_clocks();
    return cos_later_look(at_ns, c.wall, c.now);
}

/* The same for who arms it. What has just passed waits in its place, too, so that it comes before what has passed after it. */
static int64_t first_look(int64_t at_ns)
{
    struct clocks c = read_clocks();
    int64_t deadline = cos_later_look(at_ns, c.wall, c.now), ago;
    if (deadline == COSCHED_NOW && !__builtin_sub_overflow(c.wall, at_ns, &ago) &&
        ago < COS_NS_PER_S && ago < c.now) {
        deadline = c.now - ago;
    }
    return deadline;
}

/* --- the task --------------------------------------------------------------------------------------------- */

static bool move(struct later *l, enum state from, enum state to)
{
    uint32_t seen = from;
    return cos_atomic_cas(&l->state, &seen, to, acq_rel, relaxed);
}

/* Nobody awaits a run: its error is reported. A panic was, when it happened. */
static void report(const struct later *l, int64_t result)
{
    if (result >= 0 || result == -ENOTRECOVERABLE || (result == -ECANCELED && cosched_cancelled())) {
        return;
    }
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_self(&e);
    cosched_failure failure = {
        .struct_size = sizeof failure,
        .task = cos_task_handle(f->current),
        .name = l->run.attr.name,
        .fn = l->run.fn,
        .affinity = l->run.attr.affinity,
        .result = result,
    };
    cos_failure_report(e, &failure);
}

/* The task has just been given a slice, and its run is what that is for: though it was the last of a turn, the run does not
 * step back behind later times. (An interval that is behind yields between its runs, so this keeps nobody out.) */
static void keep_slice(void)
{
    struct cos_exec *e;
    (void)cos_fiber_self(&e);
    e->budget = e->budget > 0 ? e->budget : 1;
}

/* One run, as soon as there is room for a task. 0 and its result, RUNNING still; -ECANCELED: no run. */
static int run_once(struct later *l, int64_t *result)
{
    for (int64_t pause = COS_NS_PER_MS;; pause *= 2) {
        if (cosched_cancelled() || !move(l, ARMED, RUNNING)) {
            return -ECANCELED;
        }
        keep_slice();
        if (cos_repeat_run(&l->run, result) == 0) {
            report(l, *result);
            return 0;
        }
        if (!move(l, RUNNING, ARMED)) {
            return -ECANCELED;
        }
        pause = pause < RETRY_NS_MAX ? pause : RETRY_NS_MAX;
        cosched_sleep_until(cosched_in_ns(pause)); /* cancelled: found above */
    }
}

static int64_t after_body(void *arg)
{
    int64_t result = 0;
    int rc = run_once(arg, &result);
    return rc < 0 ? rc : result;
}

static int64_t at_body(void *arg)
{
    const struct later *l = arg;
    int64_t next;
    while ((next = look(l->when)) != COSCHED_NOW) {
        if (cosched_sleep_until(next) < 0) {
            return -ECANCELED;
        }
    }
    return after_body(arg);
}

static int64_t every_body(void *arg)
{
    struct later *l = arg;
    uint32_t failures = 0;
    for (int64_t planned = l->when;;) {
        int64_t result = 0;
        int rc = cosched_sleep_until(planned);
        rc = rc < 0 ? rc : run_once(l, &result);
        if (rc < 0) {
            return rc;
        }
        failures = result < 0 ? failures + (failures < COS_LATER_STEPS_LOG2) : 0;
        bool stop = result < 0 && (l->flags & COSCHED_STOP_ON_ERROR) != 0;
        if (stop || !move(l, RUNNING, ARMED)) {
            return result;
        }
        int64_t steps = (l->flags & COSCHED_BACK_OFF) != 0 ? cos_later_steps(failures) : 1;
        int64_t now = cos_clock_now();
        planned = cos_later_next(planned, l->interval, steps, l->overrun, now);
        if (planned <= now) {
            cosched_yield(); /* without a wait between two runs, others have their turn */
        }
    }
}

/* Its task has ended and its handle is stale. */
static void later_done(struct cos_group *link, int64_t result)
{
    (void)result;
    struct later *l = COS_CONTAINER_OF(link, struct later, link);
    struct cosched_runtime *rt = l->rt;
    cos_free(l);
    cos_roots_remove(rt);
}

/* --- making and stopping ------------------------------------------------------------------------------------ */

/* As cos_repeat_init, but for the flags that only an interval has. */
static int read_run(struct later *l, cosched_fn fn, const void *arg, const cosched_attr *given)
{
    cosched_attr a = {.struct_size = sizeof a};
    if (given != NULL) {
        if (given->struct_size == 0 || given->struct_size > sizeof a) {
            return -EINVAL;
        }
        memcpy(&a, given, given->struct_size);
        a.struct_size = sizeof a;
    }
    if (l->interval > 0) {
        l->flags = a.flags & INTERVAL_FLAGS;
        a.flags &= ~INTERVAL_FLAGS;
    }
    return l->flags == INTERVAL_FLAGS ? -EINVAL : cos_repeat_init(&l->run, fn, arg, &a);
}

static int make_task(struct cos_task **out, struct cos_exec *e, const struct cos_fiber *f,
                     struct later *l, cosched_fn body)
{
    cosched_attr host = cos_repeat_host(&l->run);
    uint8_t inherit = f->affinity == COSCHED_BLOCKING ? COSCHED_WORKER : f->affinity;
    int rc = cos_task_make(out, e, &e->rt->root, inherit, body, l, &host);
    if (rc == 0) {
        struct cos_task *t = *out;
        t->group = &l->link;
        cos_task_make_detached(t);
    }
    return rc;
}

/* Detached and counted: makes it wait, or submits it. */
static void let_go(cosched_token *out, struct cos_exec *e, struct cos_task *t, int64_t deadline)
{
    cos_roots_add(e->rt);
    if (out != NULL) {
        cosched_task handle = cos_task_handle(t);
        *out = (cosched_token){handle.index, handle.generation};
    }
    COS_COUNT(e, spawned);
    if (deadline == COSCHED_NOW) {
        cos_submit(e, t);
    } else {
        cos_task_start_at(e->rt, e, t, deadline);
    }
}

/* A copy of an argument has no place beside the timer, nor a timeout beside the number of the wheel. */
static bool needs_record(const cosched_attr *attr)
{
    return attr != NULL && (attr->struct_size != sizeof *attr || attr->arg_size > 0 ||
                            attr->timeout_ns != 0 || attr->affinity == COSCHED_BLOCKING);
}

/* A single run, without a record. */
static int start_run(cosched_token *out, int64_t deadline, cosched_fn fn, void *arg,
                     const cosched_attr *attr)
{
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL || fn == NULL) {
        return f == NULL ? -EPERM : -EINVAL;
    }
    struct cos_task *t;
    uint8_t inherit = f->affinity == COSCHED_BLOCKING ? COSCHED_WORKER : f->affinity;
    int rc = cos_task_make(&t, e, &e->rt->root, inherit, fn, arg, attr);
    if (rc == 0) {
        t->flags |= COSCHED_NO_HELP | COS_TASK_ARMED;
        cos_atomic_store(&t->joining, COS_JOINING_TOKEN, relaxed); /* published with the token */
        cos_task_make_detached(t);
        let_go(out, e, t, deadline);
    }
    return rc;
}

/* deadline COSCHED_NOW: without waiting first. */
static int start(cosched_token *out, const struct later *model, cosched_fn body, int64_t deadline,
                 cosched_fn fn, const void *arg, const cosched_attr *attr)
{
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL) {
        return -EPERM;
    }
    struct later *l = cos_alloc(sizeof *l);
    if (l == NULL) {
        return -ENOMEM;
    }
    *l = *model;
    l->link.child_done = later_done;
    l->rt = e->rt;
    struct cos_task *t;
    int rc = read_run(l, fn, arg, attr);
    rc = rc < 0 ? rc : make_task(&t, e, f, l, body);
    if (rc < 0) {
        cos_free(l);
        return rc;
    }
    let_go(out, e, t, deadline);
    return 0;
}

int cosched_after(cosched_token *out, int64_t delay_ns, cosched_fn fn, void *arg,
                  const cosched_attr *attr)
{
    int64_t deadline = delay_ns > 0 ? cosched_in_ns(delay_ns) : COSCHED_NOW;
    if (!needs_record(attr)) {
        return start_run(out, deadline, fn, arg, attr);
    }
    struct later model = {.interval = 0};
    return start(out, &model, after_body, deadline, fn, arg, attr);
}

int cosched_at(cosched_token *out, int64_t unix_ns, cosched_fn fn, void *arg,
               const cosched_attr *attr)
{
    struct later model = {.when = unix_ns};
    return start(out, &model, at_body, first_look(unix_ns), fn, arg, attr);
}

int cosched_every(cosched_token *out, int64_t interval_ns, cosched_overrun overrun, cosched_fn fn,
                  void *arg, const cosched_attr *attr)
{
    if (interval_ns <= 0 || (unsigned)overrun > COSCHED_DELAY) {
        return -EINVAL;
    }
    struct later model = {.when = cos_clock_now(), .interval = interval_ns, .overrun = overrun};
    return start(out, &model, every_body, COSCHED_NOW, fn, arg, attr);
}

/* Under the lock of its task's scope, its generation seen. */
static bool stop(struct later *l, struct cos_task *t)
{
    uint32_t seen = ARMED;
    for (;;) {
        /* acq_rel: pairs with move(); the last run happened before, and no other begins. */
        if (cos_atomic_cas(&l->state, &seen, STOPPED, acq_rel, acquire)) {
            if (seen == ARMED) {
                cos_scope_cancel_locked(&t->scope, 0); /* it waits, or is about to */
            }
            return true;
        }
        if (seen == STOPPED || (seen == RUNNING && l->interval == 0)) {
            return false;
        }
    }
}

/* The same of a run without a record. */
static bool stop_run(struct cos_task *t)
{
    uint64_t seen = cos_atomic_load(&t->joining, relaxed);
    /* acq_rel: pairs with the exchange in cos_task_unarm: it has not begun, and does not begin. */
    if ((seen & (COS_JOINING_TOKEN | COS_JOINING_STOPPED)) != COS_JOINING_TOKEN ||
        !cos_atomic_cas(&t->joining, &seen, seen | COS_JOINING_STOPPED, acq_rel, relaxed)) {
        return false;
    }
    cos_scope_cancel_locked(&t->scope, 0);
    return true;
}

/* Locks the task that the token names, and answers it, and its record or NULL. NULL without a lock: it has ended, or never was. */
static struct cos_task *lock_named(const cosched_token *token, struct later **record)
{
    struct cos_task *t = cos_task_lookup((cosched_task){token->index, token->generation});
    if (t == NULL) {
        return NULL;
    }
    cos_lock_acquire(&t->scope.lock);
    /* A read-modify-write, acq_rel: see cos_task_recycle and cosched_cancel. */
    uint64_t j = cos_atomic_or(&t->join, 0, acq_rel);
    if (cos_join_generation(j) == token->generation) {
        bool has = t->group != NULL && t->group->child_done == later_done;
        *record = has ? COS_CONTAINER_OF(t->group, struct later, link) : NULL;
        return t;
    }
    cos_lock_release(&t->scope.lock);
    return NULL;
}

bool cosched_token_cancel(const cosched_token *token)
{
    struct later *l;
    struct cos_task *t = lock_named(token, &l);
    if (t == NULL) {
        return false;
    }
    bool stopped = l != NULL ? stop(l, t) : stop_run(t);
    cos_lock_release(&t->scope.lock);
    return stopped;
}

static bool is_valid(const struct later *l, const struct cos_task *t)
{
    if (l == NULL) {
        uint64_t armed = cos_atomic_load(&t->joining, acquire); /* as stop_run() would see it */
        return (armed & (COS_JOINING_TOKEN | COS_JOINING_STOPPED)) == COS_JOINING_TOKEN;
    }
    uint32_t state = cos_atomic_load(&l->state, acquire); /* as stop() would see it */
    return state == ARMED || (state == RUNNING && l->interval > 0);
}

bool cosched_token_valid(const cosched_token *token)
{
    struct later *l;
    struct cos_task *t = lock_named(token, &l);
    if (t == NULL) {
        return false;
    }
    bool valid = is_valid(l, t);
    cos_lock_release(&t->scope.lock);
    return valid;
}

bool cosched_token_drop(cosched_token *token)
{
    cosched_token t = cosched_token_move(token);
    return cosched_token_cancel(&t);
}

cosched_token cosched_token_move(cosched_token *from)
{
    cosched_token t = *from;
    *from = (cosched_token){0, 0};
    return t;
}
