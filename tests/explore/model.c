/* See model.h. Stands for exec.c, switch.c, fiber.c, current.c, the loops and the clock. */
#include "model.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arch/futex.h"
#include "base/clock.h"
#include "sched/failure.h"
#include "sched/finish.h"
#include "sched/keep.h"

struct cosched_runtime model_rt;
struct cos_exec model_exec[EX_THREADS_MAX];
unsigned model_roots;
bool model_deques;

/* The fiber that each thread plays from the beginning, and the one that it starts tasks on. */
static struct cos_fiber fiber[2 * EX_THREADS_MAX];

static struct player {
    COS_ATOMIC(uint32_t) resumed; /* futex: its fiber may go on */
    int registers;                /* plain data: saved by who leaves, read by who resumes */
    bool away;
} player[2 * EX_THREADS_MAX];

static struct entry {
    COS_ATOMIC(uint32_t) index; /* futex: published like a deque's entry */
} queue[2][4];                  /* of MAIN, of the workers */

static unsigned queued[2], taken[2];
static unsigned acting;
static bool acts;

static unsigned self_id(void)
{
    return acts ? acting : ex_self();
}

void model_act_as(unsigned id)
{
    acts = id < EX_THREADS_MAX;
    acting = id;
}

static void blocks_once(void)
{
    if (cos_task_blocks != NULL) {
        return;
    }
    (void)cos_tasks_reserve();
    for (unsigned i = 0; i < MODEL_TASKS; i++) {
        (void)cos_task_alloc(NULL);
    }
}

void model_setup(void)
{
    blocks_once();
    memset(&cos_task_blocks[1], 0, MODEL_TASKS * sizeof cos_task_blocks[0]);
    for (uint32_t i = 1; i <= MODEL_TASKS; i++) {
        cos_task_at(i)->index = i;
        cos_scope_init(&cos_task_at(i)->scope, NULL, 0);
        cos_atomic_init(&cos_task_at(i)->join, cos_join(7, COS_JOIN_NONE));
    }
    memset(&model_rt, 0, sizeof model_rt);
    memset(model_exec, 0, sizeof model_exec);
    memset(fiber, 0, sizeof fiber);
    memset(player, 0, sizeof player);
    memset(queue, 0, sizeof queue);
    memset(queued, 0, sizeof queued);
    memset(taken, 0, sizeof taken);
    model_roots = 0;
    model_rt.workers = 1;
    model_rt.main = &model_exec[0];
    cos_scope_init(&model_rt.root, NULL, 0);
    for (unsigned i = 0; i < EX_THREADS_MAX; i++) {
        struct cos_exec *e = &model_exec[i];
        e->kind = i == 0 ? COS_EXEC_MAIN : COS_EXEC_WORKER;
        e->child_what = cos_task_what(i == 0 ? COSCHED_MAIN : COSCHED_WORKER);
        e->parker = &model_rt.parker;
        e->id = i;
        e->rt = &model_rt;
        e->budget = 9;
        model_rt.execs[i] = e;
        cos_timers_init(&e->timers, 0);
    }
    model_act_as(EX_THREADS_MAX);
    /* Counters, hints, and the root, which nothing here cancels. */
    for (unsigned i = 0; i < EX_THREADS_MAX; i++) {
        struct cos_exec *e = &model_exec[i];
        if (!model_deques) {
            ex_ignore(e, sizeof *e);
        } else {
            ex_ignore(e, offsetof(struct cos_exec, deque));
            ex_ignore(&e->inbox, sizeof *e - offsetof(struct cos_exec, inbox));
        }
    }
    ex_single_writer(&model_exec[0].deque.bottom, sizeof model_exec[0].deque.bottom, 0);
    ex_ignore(&model_rt, sizeof model_rt);
}

struct cos_task *model_task(uint32_t index, struct cos_task *parent)
{
    struct cos_task *t = cos_task_at(index);
    t->kind = COS_TASK_BODY;
    cos_scope_init(&t->scope, parent != NULL ? &parent->scope : &model_rt.root, 0);
    cos_scope_link(&t->scope);
    if (parent != NULL) {
        cos_kids_add(parent, t);
    }
    return t;
}

struct cos_task *model_task_on(unsigned id, uint32_t index, cosched_affinity affinity)
{
    struct cos_task *t = model_task(index, NULL);
    struct cos_fiber *f = &fiber[id];
    f->base = f->current = t;
    f->scope = &t->scope;
    f->affinity = (uint8_t)affinity;
    t->affinity = (uint8_t)affinity;
    t->fiber = f;
    f->anchor = &t->scope; /* it is linked */
    cos_fiber_rules(f);
    model_exec[id].running = f;
    return t;
}

cosched_task model_handle(const struct cos_task *t)
{
    return (cosched_task){t->index, 7};
}

/* --- executors ------------------------------------------------------------------------------------------------ */

struct cos_exec *cos_exec_current(void)
{
    return &model_exec[self_id()];
}

struct cosched_runtime *cos_runtime(void)
{
    return &model_rt;
}

void model_resume(struct cos_fiber *f)
{
    struct player *p = &player[f - fiber];
    EX_CHECK(p->away); /* twice, or before it left */
    p->away = false;
    ex_data_read(&p->registers);
    cos_atomic_store(&p->resumed, 1, release);
    cos_futex_wake(&p->resumed, 1);
}

void cos_leave(struct cos_exec *e, cos_commit_fn commit)
{
    struct cos_fiber *f = e->running;
    struct player *p = &player[f - fiber];
    f->commit = commit;
    ex_data_write(&p->registers);
    p->away = true;
    e->running = NULL;
    commit(e, f);
    while (cos_atomic_load(&p->resumed, acquire) == 0) {
        (void)cos_futex_wait(&p->resumed, 0, INT64_MAX);
    }
    cos_atomic_store(&p->resumed, 0, relaxed);
    e->running = f;
}

/* A fiber goes on at once: what happens between queue and executor is the queues' business. What has not started, and
 * hops, go to the queue of where they belong. */
void cos_submit(struct cos_exec *e, struct cos_task *t)
{
    (void)e;
    if (t->kind == COS_TASK_BODY && cos_task_fiber(t) != NULL) {
        model_resume(cos_task_fiber(t));
        return;
    }
    unsigned q = t->affinity == COSCHED_MAIN ? 0 : 1;
    EX_CHECK(queued[q] < 4);
    struct entry *entry = &queue[q][queued[q]++];
    cos_atomic_store(&entry->index, t->index, release);
    if (!acts) {
        cos_futex_wake(&entry->index, 1);
    }
}

void cos_submit_next(struct cos_exec *e, struct cos_task *t)
{
    cos_submit(e, t);
}

void cos_resubmit(struct cos_exec *e, struct cos_task *t)
{
    cos_submit(e, t);
}

struct cos_task *model_take(void)
{
    unsigned q = cos_exec_current()->kind == COS_EXEC_MAIN ? 0 : 1;
    struct entry *entry = &queue[q][taken[q]++];
    uint32_t index;
    while ((index = cos_atomic_load(&entry->index, acquire)) == 0) {
        (void)cos_futex_wait(&entry->index, 0, INT64_MAX);
    }
    return cos_task_at(index);
}

void model_run(struct cos_task *t)
{
    struct cos_exec *e = cos_exec_current();
    struct cos_fiber *f = &fiber[EX_THREADS_MAX + e->id], *before = e->running;
    f->base = t;
    f->affinity = t->affinity;
    f->stack_roomy = NULL; /* there is room */
    e->running = f;
    cos_task_run(e, f, t);
    e->running = before;
}

/* --- stacks, clock, and what these programs never come to ------------------------------------------------ */

/* No program panics. */
int64_t cos_arch_guard(void *arg, int64_t (*fn)(void *), void **sp)
{
    *sp = NULL;
    return fn(arg);
}

int64_t cos_body_run_low(struct cos_fiber *f, struct cos_body *body, cosched_fn fn, void *arg,
                         int *error)
{
    (void)f;
    (void)body;
    (void)fn;
    (void)arg;
    (void)error;
    abort();
}

int64_t cos_body_run_tails(struct cos_fiber *f, struct cos_body *body, int *error)
{
    (void)f;
    (void)body;
    (void)error;
    abort();
}

/* As if no task above were linked: fiber.c's own looks upward first. */
bool cos_fiber_canceled_above(struct cos_fiber *f)
{
    cos_scope_link(f->scope);
    return (cos_atomic_load(&f->scope->flags, acquire) & COS_SCOPE_CANCELED) != 0;
}

/* No program needs a segment or tails. */
int64_t cos_fiber_call_on_segment(struct cos_fiber *f, cosched_fn fn, void *arg, int *error)
{
    (void)f;
    (void)fn;
    (void)arg;
    (void)error;
    abort();
}

int64_t cos_fiber_tails(void *unused)
{
    (void)unused;
    abort();
}

int64_t cos_clock_now(void)
{
    return MODEL_NOW;
}

int64_t cos_clock_coarse(void)
{
    return MODEL_NOW;
}

int64_t cosched_now(void)
{
    return MODEL_NOW;
}

int64_t cosched_in_ns(int64_t ns)
{
    return MODEL_NOW + ns;
}

int64_t cos_clock_add(int64_t a, int64_t b)
{
    return a == INT64_MAX ? a : a + b;
}

/* The testers' modes and the end of a budget belong to the loops. */
bool cos_exec_take_held(struct cos_exec *e, const struct cos_task *t)
{
    (void)e;
    (void)t;
    return false;
}

void cos_exec_turn(struct cos_exec *e)
{
    e->budget = COS_EXEC_BUDGET;
}

/* Nobody fails, and nothing is deferred. */
void cos_failure_of_root(struct cos_exec *e, const struct cos_task *t, int64_t result)
{
    (void)e;
    (void)t;
    (void)result;
}

void cos_failure_report(struct cos_exec *e, const cosched_failure *failure)
{
    (void)e;
    (void)failure;
}

int64_t cos_keep_end(struct cos_fiber *f, struct cos_task *t, int64_t result)
{
    (void)f;
    (void)t;
    return result;
}

void cos_roots_add(struct cosched_runtime *rt)
{
    (void)rt;
    model_roots++;
}

void cos_roots_remove(struct cosched_runtime *rt)
{
    (void)rt;
    model_roots--;
}

void cos_worker_watch(struct cos_exec *e, int64_t deadline)
{
    (void)e;
    (void)deadline;
}

void cos_mainloop_ring(struct cosched_runtime *rt)
{
    (void)rt;
}

int cos_own_thread_start(struct cosched_runtime *rt, struct cos_task *t)
{
    (void)rt;
    (void)t;
    abort();
}
