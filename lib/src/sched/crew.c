/* cosched_blocking and its threads; see crew.h. Requests lie on the asking tasks' stacks: a task that gives up takes its
 * request back under the mutex, or waits for it when it runs. Functions here run in tasks, but for those that say "crew". */
#include "sched/crew.h"

#include <errno.h>

#include "arch/futex.h"
#include "base/clock.h"
#include "sched/blocking.h"
#include "sched/event.h"
#include "sched/events.h"
#include "sched/fork.h"
#include "sched/runtime.h"
#include "sched/thread.h"

/* An idle process has no threads here, and no wake-ups. Relaxed: a number by itself. */
static COS_ATOMIC(int64_t) idle_ns = 10 * COS_NS_PER_S;

struct request {
    struct cos_list link;  /* in the line of its class */
    struct cos_list calls; /* in crew.calls */
    cosched_blocking_class *class;
    cosched_fn fn;
    void *arg;
    int64_t result;
    int64_t since; /* it was made; from its start: it was started */
    cosched_task task;
    bool running;
    cosched_event done;
};

/* The private part of a class. Zeroed is ready, and so it is again when no call is under way. */
struct line {
    struct cos_list ready; /* in crew.ready */
    struct cos_list queue; /* requests that wait, oldest first */
    uint32_t queued, running;
};

COS_STATIC_ASSERT(sizeof(struct line) <= sizeof((cosched_blocking_class){0}.private_),
                  "cosched_blocking_class is too small");

/* A thread without work, on its own stack. */
struct idler {
    struct cos_list link;
    COS_ATOMIC(uint32_t) called; /* futex word: release by the caller, acquire by the thread */
};

void cos_crew_idle_ns(int64_t ns)
{
    cos_atomic_store(&idle_ns, ns, relaxed);
}

int cos_crew_init(struct cos_crew *c, uint32_t limit)
{
    int rc = pthread_mutex_init(&c->mutex, NULL);
    rc = rc != 0 ? rc : pthread_cond_init(&c->gone, NULL);
    cos_list_init(&c->ready);
    cos_list_init(&c->calls);
    cos_list_init(&c->idle);
    c->limit = limit != 0 ? limit : COS_CREW_LIMIT_DEFAULT;
    c->plain = (cosched_blocking_class){.name = "blocking", .limit = c->limit};
    cos_arch_fpenv_save(&c->fpenv);
    return -rc;
}

void cos_crew_levels(struct cos_crew *c, uint64_t *threads, uint64_t *queued)
{
    pthread_mutex_lock(&c->mutex);
    *threads = c->threads;
    *queued = c->queued;
    pthread_mutex_unlock(&c->mutex);
}

/* --- lines; under the mutex ------------------------------------------------------------------------------- */

static struct line *line_of(cosched_blocking_class *class)
{
    struct line *l = (struct line *)(void *)class->private_;
    if (l->queue.next == NULL) {
        cos_list_init(&l->queue);
        cos_list_init(&l->ready);
    }
    return l;
}

/* How many of those that wait may start. */
static uint32_t startable(const struct cos_crew *c, const cosched_blocking_class *class,
                          const struct line *l)
{
    uint32_t limit = class->limit < c->limit ? class->limit : c->limit;
    uint32_t room = limit - l->running;
    return l->queued < room ? l->queued : room;
}

/* Changes the numbers of a line, and what follows from them. */
static void line_change(struct cos_crew *c, cosched_blocking_class *class, int queued, int running)
{
    struct line *l = line_of(class);
    uint32_t before = startable(c, class, l);
    l->queued += (uint32_t)queued;
    l->running += (uint32_t)running;
    uint32_t after = startable(c, class, l);
    c->queued += (uint32_t)queued;
    c->busy += (uint32_t)running;
    c->due += after - before;
    if (after == 0) {
        cos_list_remove(&l->ready);
    } else if (cos_list_empty(&l->ready)) {
        cos_list_push_back(&c->ready, &l->ready);
    }
}

/* The oldest request of the class whose turn it is; the class goes to the end of the row. NULL: nothing may start. */
static struct request *take(struct cos_crew *c)
{
    struct cos_list *node = cos_list_pop_front(&c->ready);
    if (node == NULL) {
        return NULL;
    }
    struct line *l = COS_CONTAINER_OF(node, struct line, ready);
    struct request *r = COS_CONTAINER_OF(l->queue.next, struct request, link);
    cos_list_remove(&r->link);
    r->running = true;
    r->since = cos_clock_now();
    line_change(c, r->class, -1, 1);
    return r;
}

/* --- the crew -------------------------------------------------------------------------------------------- */

/* Under the mutex, which it lets go meanwhile. False: this thread shall end. */
static bool fall_idle(struct cos_crew *c)
{
    struct idler me = {.called = 0};
    if (c->quitting) {
        return false;
    }
    cos_list_push_front(&c->idle, &me.link);
    pthread_mutex_unlock(&c->mutex);
    int64_t until = cos_clock_add(cos_clock_now(), cos_atomic_load(&idle_ns, relaxed));
    int rc = 0;
    while (cos_atomic_load(&me.called, acquire) == 0 && rc != -ETIMEDOUT) {
        rc = cos_futex_wait(&me.called, 0, until);
    }
    pthread_mutex_lock(&c->mutex);
    cos_list_remove(&me.link);
    /* Work may be due that no thread could be started for. */
    return cos_atomic_load(&me.called, relaxed) != 0 || c->due > 0;
}

static void *crew_main(void *arg)
{
    struct cos_crew *c = arg;
    cos_arch_fpenv_restore(&c->fpenv);
    pthread_mutex_lock(&c->mutex);
    do {
        struct request *r;
        while ((r = take(c)) != NULL) {
            pthread_mutex_unlock(&c->mutex);
            cos_event_blocking(r->task, r->fn, true);
            r->result = r->fn(r->arg);
            COS_ASSERT(!cos_fork_is_child() && "a forked child ends by exec or _exit");
            cos_event_blocking(r->task, r->fn, false);
            pthread_mutex_lock(&c->mutex);
            cos_list_remove(&r->calls);
            line_change(c, r->class, 0, -1);
            pthread_mutex_unlock(&c->mutex);
            cosched_event_set(&r->done); /* r is gone from here on, and its class may be */
            pthread_mutex_lock(&c->mutex);
        }
    } while (fall_idle(c));
    c->threads--;
    pthread_cond_broadcast(&c->gone);
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Under the mutex. */
static void call_idler(struct cos_crew *c)
{
    struct cos_list *node = cos_list_pop_front(&c->idle);
    if (node != NULL) {
        /* It leaves its frame under the mutex, after us. */
        struct idler *i = COS_CONTAINER_OF(node, struct idler, link);
        cos_atomic_store(&i->called, 1, release);
        cos_futex_wake(&i->called, 1);
    }
}

void cos_crew_fini(struct cos_crew *c)
{
    pthread_mutex_lock(&c->mutex);
    COS_ASSERT(c->queued == 0 && c->busy == 0);
    c->quitting = true;
    while (!cos_list_empty(&c->idle)) {
        call_idler(c);
    }
    while (c->threads > 0) {
        pthread_cond_wait(&c->gone, &c->mutex);
    }
    pthread_mutex_unlock(&c->mutex);
    pthread_cond_destroy(&c->gone);
    pthread_mutex_destroy(&c->mutex);
}

size_t cos_crew_calls(struct cos_crew *c, struct cos_crew_call *out, size_t max)
{
    size_t n = 0;
    pthread_mutex_lock(&c->mutex);
    for (struct cos_list *node = c->calls.next; node != &c->calls; node = node->next) {
        const struct request *r = COS_CONTAINER_OF(node, struct request, calls);
        if (n < max) {
            out[n] = (struct cos_crew_call){r->fn, r->class->name, r->task, r->since, r->running};
        }
        n++;
    }
    pthread_mutex_unlock(&c->mutex);
    return n;
}

/* --- the asking task --------------------------------------------------------------------------------------- */

static void take_back(struct cos_crew *c, struct request *r)
{
    cos_list_remove(&r->link);
    cos_list_remove(&r->calls);
    line_change(c, r->class, -1, 0);
}

/* 0, or the error when there is no thread at all to run it. */
static int enqueue(struct cos_crew *c, struct request *r)
{
    int rc = 0;
    pthread_mutex_lock(&c->mutex);
    cos_list_push_back(&line_of(r->class)->queue, &r->link);
    cos_list_push_back(&c->calls, &r->calls);
    line_change(c, r->class, 1, 0);
    /* Threads that are neither busy nor idle are on their way, each for one that is due. */
    if (c->due > c->threads - c->busy) {
        c->threads++;
        rc = cos_thread_start(NULL, COS_BLOCKING_STACK_BYTES, crew_main, c);
        if (rc < 0 && --c->threads > 0) {
            rc = 0; /* one of the others will come to it */
        }
        if (rc < 0) {
            take_back(c, r);
        }
    } else {
        call_idler(c);
    }
    pthread_mutex_unlock(&c->mutex);
    return rc;
}

static bool withdraw(struct cos_crew *c, struct request *r)
{
    pthread_mutex_lock(&c->mutex);
    bool waiting = !r->running;
    if (waiting) {
        take_back(c, r);
    }
    pthread_mutex_unlock(&c->mutex);
    return waiting;
}

int cosched_blocking_in(cosched_blocking_class *class, int64_t *result, cosched_fn fn, void *arg,
                        int64_t deadline)
{
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_current(&e);
    if (f == NULL) {
        return -EPERM;
    }
    if (class != NULL && class->limit == 0) {
        return -EINVAL;
    }
    if (cos_scope_canceled(f->scope, &f->base->scope)) {
        return -ECANCELED;
    }
    int64_t now = cos_clock_now();
    if (deadline <= now) {
        return -ETIMEDOUT;
    }
    struct cos_crew *c = &e->rt->blocking.crew;
    struct request r = {.class = class != NULL ? class : &c->plain,
                        .fn = fn,
                        .arg = arg,
                        .since = now,
                        .task = cos_task_handle(f->current)};
    cosched_event_init(&r.done);
    int rc = enqueue(c, &r);
    if (rc < 0) {
        return rc;
    }
    unsigned why = COS_PARK_FOR(COSCHED_FOR_BLOCKING);
    rc = cos_event_wait(&r.done, (uintptr_t)r.fn, deadline, why);
    if (rc < 0) {
        if (withdraw(c, &r)) {
            return rc;
        }
        cos_event_wait_always(&r.done, (uintptr_t)r.fn, why);
    }
    if (result != NULL) {
        *result = r.result;
    }
    return 0;
}

int cosched_blocking(int64_t *result, cosched_fn fn, void *arg)
{
    return cosched_blocking_in(NULL, result, fn, arg, COSCHED_NEVER);
}
