/* What every executor does: queues, submission, choosing the next task. Loops are elsewhere (worker.c, mainloop.c,
 * blocking.c). Called on executor threads; cos_submit from any thread. */
#include "sched/exec.h"

#include <errno.h>
#include <unistd.h>

#include "arch/glance.h"
#include "base/clock.h"
#include "sched/armed.h"
#include "sched/branch.h"
#include "sched/current.h"
#include "sched/events.h"
#include "sched/finish.h"
#include "sched/help.h"
#include "sched/hop.h"
#include "sched/park.h"
#include "sched/runtime.h"
#include "sched/spawn.h"

#define LONGEST_TURN_MS 100

/* Of executors whose line is their own business: never changed. */
static struct cos_parker nobody_sleeps;

int cos_exec_init(struct cos_exec *e, struct cosched_runtime *rt, enum cos_exec_kind kind,
                  uint32_t id)
{
    e->kind = kind;
    e->child_what = kind == COS_EXEC_OWN
                        ? UINT32_MAX
                        : cos_task_what(kind == COS_EXEC_WORKER ? COSCHED_WORKER : COSCHED_MAIN);
    e->parker = kind == COS_EXEC_WORKER ? &rt->parker : &nobody_sleeps;
    e->id = id;
    e->rt = rt;
    e->lines = &rt->lines[kind];
    e->rng = UINT64_C(0x9E3779B97F4A7C15) * (id + 1);
    e->watching = INT64_MAX;
    e->trim_look_at = INT64_MAX;
    e->allowance = e->budget = COS_EXEC_BUDGET;
    cos_inbox_init(&e->inbox);
    cos_timers_init(&e->timers, cos_clock_now());
    cos_stack_cache_init(&e->stacks);
    int rc = cos_deque_init(&e->deque, COS_DEQUE_CAPACITY_LOG2);
    rc = rc == 0 && kind != COS_EXEC_OWN ? cos_trace_ring_init(&e->trace) : rc;
    if (rc < 0) {
        cos_exec_fini(e);
    }
    return rc;
}

/* Blocks of hops that were withdrawn while they stood in a queue. Nothing else can be left at the end. */
static void drop_leftovers(struct cos_exec *e, struct cos_deque *d)
{
    uint32_t index;
    while ((index = cos_deque_take_bottom_owner(d)) != 0) {
        COS_ASSERT(cos_task_at(index)->kind == COS_TASK_HOP);
        cos_task_free(&e->tasks, cos_task_at(index));
    }
}

void cos_exec_drop_leftovers(struct cos_exec *e)
{
    cos_exec_drain_inbox(e);
    drop_leftovers(e, &e->deque);
}

void cos_exec_fini(struct cos_exec *e)
{
    cos_stack_cache_fini(&e->stacks);
    cos_task_cache_flush(&e->tasks);
    cos_deque_fini(&e->deque);
    cos_trace_ring_fini(&e->trace);
}

void cos_exec_thread_begin(struct cos_exec *e)
{
    cos_exec_set_current(e);
    cos_context_init_thread(&e->loop);
    cos_atomic_store(&e->tid, (int32_t)gettid(), relaxed);
    if ((e->rt->flags & (COSCHED_REPORT_OVERFLOW | COSCHED_WATCH_SLICES)) != 0) {
        cos_overflow_thread_init(&e->overflow); /* without it an overflow is only not named */
    }
    if (e->rt->slices.on) {
        cos_glance_allow();
    }
}

void cos_exec_thread_end(struct cos_exec *e)
{
    cos_overflow_thread_fini(&e->overflow);
    cos_context_fini(&e->loop);
    cos_exec_set_current(NULL);
}

void cos_counters_add(struct cos_counters *sum, const struct cos_counters *one)
{
    COS_ATOMIC(uint64_t) *to = &sum->slices;
    const COS_ATOMIC(uint64_t) *from = &one->slices;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) { /* nothing but counters */
        cos_atomic_store(
            &to[i], cos_atomic_load(&to[i], relaxed) + cos_atomic_load(&from[i], acquire), relaxed);
    }
}

/* --- what only this thread may run -------------------------------------------------------------------- */

/* A full queue that cannot grow leaves the task in the inbox, which needs no memory. */
static void push_ready(struct cos_exec *e, struct cos_task *t)
{
    if (COS_UNLIKELY((t->flags & COS_TASK_PRIORITY) != 0) && e->kind == COS_EXEC_MAIN) {
        cos_lines_push(e->lines, t);
    } else if (COS_UNLIKELY(cos_deque_push_owner(&e->deque, t->index) < 0)) {
        cos_inbox_push(&e->inbox, &t->inbox);
    }
}

void cos_exec_drain_inbox(struct cos_exec *e)
{
    struct cos_inbox_node *node = cos_inbox_drain(&e->inbox);
    while (node != NULL) {
        /* read before the task may run and wait elsewhere */
        struct cos_inbox_node *next = node->next;
        struct cos_task *t = COS_CONTAINER_OF(node, struct cos_task, inbox);
        const struct cos_fiber *f = cos_task_fiber(t);
        if (f != NULL) {
            cos_fiber_warm(f, f->ctx.sp);
        }
        push_ready(e, t);
        node = next;
    }
}

/* --- submission ------------------------------------------------------------------------------------- */

static void submit_inbox(struct cos_exec *to, struct cos_task *t)
{
    /* before the push: the task may end, and its executor serve another */
    bool own = to->kind == COS_EXEC_OWN;
    if (!cos_inbox_push(&to->inbox, &t->inbox)) {
        return; /* who found it empty rings */
    }
    if (own) {
        cos_own_thread_wake(to);
    } else if (cos_doorbell_ring_needed(&to->rt->bell)) {
        cos_mainloop_ring(to->rt);
    }
}

/* A worker keeps what it makes in its own deque, where it can claim it back and others steal it. Everybody else hands over
 * through the injector: a steal costs a heavy fence, and MAIN never takes a WORKER task back. */
static void submit_worker(struct cosched_runtime *rt, struct cos_exec *e, struct cos_task *t)
{
    bool keep = e != NULL && e->kind == COS_EXEC_WORKER;
    if (COS_UNLIKELY((t->flags & COS_TASK_PRIORITY) != 0)) {
        cos_lines_push(&rt->lines[COS_EXEC_WORKER], t);
    } else if (!keep || cos_deque_push_owner(&e->deque, t->index) < 0) {
        cos_injector_push(&rt->injector, t->index);
    }
    if (e == NULL || e->kind != COS_EXEC_WORKER || cos_parker_pushed(&rt->parker)) {
        cos_parker_notify(&rt->parker);
    }
}

void cos_submit(struct cos_exec *e, struct cos_task *t)
{
    struct cosched_runtime *rt = cos_runtime();
    const struct cos_fiber *f = cos_task_fiber(t);
    if (f == NULL && t->kind == COS_TASK_BODY) {
        cos_event_spawn(t);
    }
    uint8_t affinity = f != NULL ? f->affinity : t->affinity;
    if (affinity == COSCHED_BLOCKING) {
        COS_ASSERT(f != NULL && f->home != NULL &&
                   "its first run needs no submission: it comes with its thread");
        if (e != NULL && e == f->home) {
            push_ready(e, t);
        } else {
            submit_inbox(f->home, t);
        }
    } else if (!cos_runs_on_main(rt, affinity)) {
        submit_worker(rt, e, t);
    } else if (e != NULL && e->kind == COS_EXEC_MAIN) {
        push_ready(e, t);
    } else {
        submit_inbox(rt->main, t);
    }
}

void cos_resubmit(struct cos_exec *e, struct cos_task *t)
{
    if (e->kind != COS_EXEC_WORKER || (t->flags & COS_TASK_PRIORITY) != 0 ||
        cos_deque_push_owner(&e->deque, t->index) < 0) {
        cos_submit(e, t);
    } else if (e->running != NULL && cos_parker_pushed(&e->rt->parker)) {
        cos_parker_notify(
            &e->rt->parker); /* another task runs here now: t is work for a sleeper (I3) */
    }
}

static bool belongs_here(const struct cos_exec *e, const struct cos_fiber *f)
{
    if (f->affinity == COSCHED_BLOCKING) {
        return f->home == e;
    }
    return cos_runs_on_main(e->rt, f->affinity) ? e->kind == COS_EXEC_MAIN
                                                : e->kind == COS_EXEC_WORKER;
}

void cos_submit_next(struct cos_exec *e, struct cos_task *t)
{
    if (e != NULL && e->next == 0 && e->budget > 0 && (t->flags & COS_TASK_PRIORITY) == 0 &&
        belongs_here(e, cos_task_fiber(t))) {
        e->next = t->index;
    } else {
        cos_submit(e, t);
    }
}

/* --- testers' modes ---------------------------------------------------------------------------------- */

void cos_submit_tested(struct cos_exec *e, const struct cos_fiber *f, struct cos_task *t)
{
    if ((f->traits & COS_FIBER_INLINE) != 0) {
        cos_atomic_store(&t->link, e->held, relaxed); /* it is in no queue */
        e->held = t->index;
    } else if ((f->traits & COS_FIBER_OWN) == 0 || (t->flags & COS_TASK_PRIORITY) != 0) {
        cos_submit(e, t);
    } else if (cos_runs_on_main(e->rt, t->affinity)) {
        submit_inbox(e->rt->main, t);
    } else {
        submit_worker(e->rt, NULL, t);
    }
}

bool cos_exec_take_held(struct cos_exec *e, const struct cos_task *t)
{
    uint32_t before = 0;
    for (uint32_t at = e->held; at != 0; at = cos_atomic_load(&cos_task_at(at)->link, relaxed)) {
        if (at == t->index) {
            uint32_t after = cos_atomic_load(&t->link, relaxed);
            if (before == 0) {
                e->held = after;
            } else {
                cos_atomic_store(&cos_task_at(before)->link, after, relaxed);
            }
            return true;
        }
        before = at;
    }
    return false;
}

/* The fiber that made them leaves: oldest first, as without the mode. */
static __attribute__((noinline)) void release_held(struct cos_exec *e)
{
    uint32_t oldest = 0;
    while (e->held != 0) {
        struct cos_task *t = cos_task_at(e->held);
        e->held = cos_atomic_load(&t->link, relaxed);
        cos_atomic_store(&t->link, oldest, relaxed);
        oldest = t->index;
    }
    while (oldest != 0) {
        struct cos_task *t = cos_task_at(oldest);
        oldest = cos_atomic_load(&t->link, relaxed); /* read before it may run */
        cos_submit(e, t);
    }
}

/* --- choosing ---------------------------------------------------------------------------------------- */

#define CHOSEN (UINT32_C(1) << 31) /* in `next`, above every index: its turn has come already */

#define AHEAD_FRAMES \
    ((ptrdiff_t)896) /* from the header down: the frames that a wait left, and room for those of a next one */
#define AHEAD_HEADER ((ptrdiff_t)192) /* what a switch and an end touch of it */

/* Where many wait, each lies on pages of its own that nothing has touched for long. So those who come soon are brought near: the
 * block first, then what it leads to, the fiber with the frames that it goes on from. */
static inline void foresee(const struct cos_exec *e)
{
    uint32_t far = cos_deque_peek_owner(&e->deque, 7);
    if (COS_LIKELY(far == 0)) {
        return;
    }
    const char *block = (const char *)cos_task_at(far);
    for (size_t i = 0; i < sizeof(struct cos_task); i += COS_CACHE_LINE) {
        __builtin_prefetch(block + i);
    }
    const char *fiber =
        (const char *)cos_task_fiber(cos_task_at(cos_deque_peek_owner(&e->deque, 2)));
    for (ptrdiff_t i = -AHEAD_FRAMES; fiber != NULL && i < AHEAD_HEADER; i += COS_CACHE_LINE) {
        __builtin_prefetch(fiber + i);
    }
}

uint32_t cos_exec_take(struct cos_exec *e)
{
    uint32_t next = e->next;
    uint32_t first = 0;
    if (cos_lines_waiting(e->lines) && (next & CHOSEN) == 0) {
        first = cos_lines_take(e);
    }
    if (next != 0) {
        e->next = 0;
        if (COS_LIKELY(first == 0)) {
            return next & ~CHOSEN;
        }
        cos_submit(e, cos_task_at(next));
    }
    if (first != 0) {
        return first;
    }
    uint32_t index = cos_deque_take_top_owner(&e->deque);
    foresee(e);
    return index;
}

/* t starts now, as the base of a fiber. */
static inline void sample_start(struct cos_exec *e, const struct cos_task *t)
{
    if (COS_UNLIKELY(cos_atomic_load(&e->rt->help.watching, relaxed) != 0)) {
        cos_help_sample_begin(e, t);
    }
}

static inline void sample_stop(struct cos_exec *e)
{
    if (COS_UNLIKELY(e->sample.fn != NULL)) {
        cos_help_sample_end(e);
    }
}

/* An entry is the only right to start or resume. NULL: it was a hop that had been withdrawn, or no stack could be had. */
static struct cos_fiber *resolve(struct cos_exec *e, struct cos_task *t)
{
    if (COS_UNLIKELY(t->kind != COS_TASK_BODY)) {
        if (t->kind == COS_TASK_HOP) {
            return cos_hop_arrive(e, t);
        }
        cos_branch_start(e, t);
    }
    struct cos_fiber *f = cos_task_fiber(t);
    if (f != NULL) {
        return f;
    }
    f = cos_fiber_create(e, t);
    if (f == NULL) {
        if ((t->flags & COS_TASK_FORKED) != 0) {
            cos_branch_leave(t);
        }
        bool off = (t->flags & COS_TASK_ARMED) != 0 && !cos_task_unarm(t);
        cos_task_complete(e, t, off ? -ECANCELED : -ENOMEM);
        e->own_done = true; /* of an own thread: there is nothing else to wait for */
        return NULL;
    }
    f->base = t;
    f->trace = COS_TRACE_FIRST;
    f->affinity = t->affinity;
    f->home = e->kind == COS_EXEC_OWN ? e : NULL;
    sample_start(e, t);
    return f;
}

struct cos_fiber *cos_exec_pick(struct cos_exec *e)
{
    sample_stop(e);
    if (COS_UNLIKELY(e->held != 0)) {
        release_held(e);
    }
    while (e->budget > 0) {
        uint32_t index = cos_exec_take(e);
        if (index == 0) {
            break;
        }
        e->budget--;
        struct cos_fiber *f = resolve(e, cos_task_at(index));
        if (f != NULL) {
            COS_COUNT(e, slices);
            return f;
        }
    }
    return NULL;
}

bool cos_exec_next_on(struct cos_exec *e, struct cos_fiber *f)
{
    sample_stop(e);
    /* The loop's turn, a waiter to hand over to, a fiber with settings of its own, a stack to be measured: no reuse. */
    if (e->budget == 0 || e->next != 0 || f->home != NULL || e->rt->marks != NULL) {
        return false;
    }
    uint32_t index = cos_exec_take(e);
    if (index == 0) {
        return false;
    }
    struct cos_task *t = cos_task_at(index);
    if (COS_UNLIKELY(t->kind == COS_TASK_BRANCH)) {
        cos_branch_start(e, t);
    }
    if (t->kind != COS_TASK_BODY || cos_task_fiber(t) != NULL || t->stack_kib != 0 ||
        f->stack.hi - f->stack.lo < (ptrdiff_t)(e->rt->stack_bytes / 2)) {
        e->next = index | CHOSEN; /* the choice that follows takes it from here */
        return false;
    }
    e->budget--;
    COS_COUNT(e, slices);
    f->base = t;
    f->affinity = t->affinity;
    f->pinned = false;
    f->trace = COS_TRACE_FIRST;
    cos_event_slice(e, f, COS_TRACE_ENDED);
    sample_start(e, t);
    return true;
}

/* Down at once and up twofold at most: one short slice among long ones says little. */
void cos_exec_turn_took(struct cos_exec *e, int64_t ns, int64_t turn_ns)
{
    int64_t slices = (int64_t)e->allowance - (int64_t)e->budget + (int64_t)e->renewed;
    e->renewed = 0;
    if (slices > 0) {
        int64_t fit = ns > 0 ? turn_ns * slices / ns : COS_EXEC_BUDGET;
        int64_t most = 2 * (int64_t)e->allowance;
        most = most < COS_EXEC_BUDGET ? most : COS_EXEC_BUDGET;
        e->allowance = fit < 1 ? 1 : (uint32_t)(fit < most ? fit : most);
    }
}

void cos_exec_run(struct cos_exec *e, uint32_t index)
{
    struct cos_fiber *f = resolve(e, cos_task_at(index));
    if (f != NULL) {
        COS_COUNT(e, slices);
        cos_exec_switch_in(e, f);
    }
    if (e->next != 0) { /* set by an ending task just before the budget sent it here */
        struct cos_task *t = cos_task_at(e->next & ~CHOSEN);
        e->next = 0;
        cos_submit(e, t);
    }
}

static void commit_turn(struct cos_exec *e, struct cos_fiber *left)
{
    cos_resubmit(e, left->base);
}

/* A tree of children that are only made and awaited takes its own from the deque's bottom; what lies below them waits for a
 * thief, and a lone worker has none. Each turn that ends for their sake may begin another branch of the tree: turns that grow
 * with the line keep the branches begun to the square root of the time. */
static bool line_waits_long(const struct cos_exec *e, int64_t now)
{
    int64_t waiting =
        cos_deque_size(&e->deque) - 1; /* the child about to be awaited is one of them */
    int64_t turn_ms = waiting < LONGEST_TURN_MS ? waiting : LONGEST_TURN_MS;
    return waiting > 0 && now - e->awake_since >= turn_ms * COS_NS_PER_MS;
}

/* Does anybody want this executor that the running task would keep waiting? Whoever comes from outside gets in line here at
 * once, before the running task does. */
static bool turn_is_wanted(struct cos_exec *e)
{
    int64_t now = cos_clock_now();
    bool wanted = cos_lines_waiting(e->lines) || cos_timers_fire(&e->timers, now) > 0;
    if (!cos_inbox_empty(&e->inbox)) {
        cos_exec_drain_inbox(e);
        wanted = true;
    }
    if (e->kind == COS_EXEC_MAIN) {
        wanted = wanted || now >= e->turn_end;
    } else if (e->kind == COS_EXEC_WORKER) {
        wanted = wanted || cos_injector_depth(&e->rt->injector) != 0 ||
                 cos_atomic_load(&e->rt->help.front, relaxed) != 0 || line_waits_long(e, now);
    }
    return wanted;
}

void cos_exec_turn(struct cos_exec *e)
{
    if (turn_is_wanted(e)) {
        cos_leave(e, commit_turn); /* no budget: nothing follows directly */
        e = cos_exec_current();
        e->budget = e->budget > 0 ? e->budget : 1;
    } else {
        e->renewed += e->allowance;
        e->budget = e->allowance;
    }
}
