/* A runtime from its creation to its destruction (DESIGN D23). What it does in between is runtime_run.c. */
#include "sched/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch/fence.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/hooks.h"
#include "base/ticks.h"
#include "sched/cpus.h"
#include "sched/current.h"
#include "sched/fork.h"
#include "sched/thread.h"

static COS_ATOMIC(struct cosched_runtime *) the_runtime; /* release when complete, acquire by readers */

struct cosched_runtime *cos_runtime(void)
{
    return cos_atomic_load(&the_runtime, acquire);
}

uint32_t cosched_version(void)
{
    return COSCHED_VERSION;
}

int64_t cosched_now(void)
{
    return cos_clock_now();
}

int64_t cosched_in_ms(int64_t ms)
{
    int64_t ns;
    if (__builtin_mul_overflow(ms, COS_NS_PER_MS, &ns)) {
        return ms > 0 ? COSCHED_NEVER : 1;
    }
    return cos_clock_add(cos_clock_now(), ns);
}

int64_t cosched_in_ns(int64_t ns)
{
    return cos_clock_add(cos_clock_now(), ns);
}

/* --- creation -------------------------------------------------------------------------------------------- */

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t index)
{
    (void)ctx;
    return &cos_task_at(index)->link;
}

#define TESTER (uint32_t)(COSCHED_ALWAYS_OWN | COSCHED_ALWAYS_INLINE)

static int read_config(cosched_config *out, const cosched_config *config)
{
    *out = (cosched_config){.struct_size = sizeof *out, .workers = -1};
    if (config != NULL) {
        if (config->struct_size == 0 || config->struct_size > sizeof *out) {
            return -EINVAL;
        }
        memcpy(out, config, config->struct_size);
    }
    if (out->workers < -1 || out->workers > COSCHED_WORKERS_MAX ||
        out->stack_size > COS_STACK_BYTES_MAX / 2 || out->tasks_max > cos_tasks_capacity() ||
        (out->flags & ~(uint32_t)(COSCHED_REPORT_OVERFLOW | COSCHED_MEASURE_STACKS |
                                  COSCHED_WATCH_SLICES | TESTER)) != 0 ||
        (out->flags & TESTER) == TESTER || (unsigned)out->main_help > COSCHED_HELP_ALWAYS ||
        out->slice_main_ns < 0 || out->slice_worker_ns < 0) {
        return -EINVAL;
    }
    if (out->workers == -1) {
        int32_t cpus = cos_effective_cpus();
        out->workers = cpus > 2 ? cpus - 1 : 1;
        out->workers = out->workers > COSCHED_WORKERS_MAX ? COSCHED_WORKERS_MAX : out->workers;
    }
    return 0;
}

static struct cos_exec *make_exec(struct cosched_runtime *rt, enum cos_exec_kind kind, uint32_t id)
{
    struct cos_exec *e = cos_alloc_aligned(_Alignof(struct cos_exec), sizeof *e);
    if (e != NULL && cos_exec_init(e, rt, kind, id) < 0) { /* it cleans up after itself */
        cos_free_aligned(e);
        e = NULL;
    }
    rt->execs[id] = e;
    return e;
}

static int start_workers(struct cosched_runtime *rt)
{
    int rc = 0;
    for (uint32_t i = 0; i < rt->workers && rc == 0; i++) {
        rc = cos_thread_start(&rt->worker_threads[i], 0, cos_worker_main, rt->execs[i + 1]);
        rt->worker_threads_started += rc == 0 ? 1 : 0;
    }
    return rc;
}

static void join_workers(struct cosched_runtime *rt)
{
    cos_atomic_store(&rt->quitting, 1, release); /* pairs with the acquire in the workers' loops */
    cos_parker_wake_all(&rt->parker);
    for (uint32_t i = 0; i < rt->worker_threads_started; i++) {
        pthread_join(rt->worker_threads[i], NULL);
    }
    rt->worker_threads_started = 0;
}

/* Withdrawn hops that nobody came to. No thread runs any more. */
static void drop_leftovers(struct cosched_runtime *rt)
{
    uint32_t index;
    for (uint32_t i = 0; i <= rt->workers; i++) {
        cos_exec_drop_leftovers(rt->execs[i]);
    }
    while ((index = cos_injector_pop(&rt->injector)) != 0 ||
           (index = cos_help_front(&rt->help)) != 0 || (index = cos_lines_rest(rt->main)) != 0 ||
           (rt->workers > 0 && (index = cos_lines_rest(rt->execs[1])) != 0)) {
        COS_ASSERT(cos_task_at(index)->kind == COS_TASK_HOP);
        cos_task_free(&rt->main->tasks, cos_task_at(index));
    }
}

static void free_execs(struct cosched_runtime *rt)
{
    for (uint32_t i = 0; i < COS_EXECS_MAX; i++) {
        if (rt->execs[i] != NULL) {
            cos_exec_fini(rt->execs[i]);
            cos_free_aligned(rt->execs[i]);
        }
    }
}

static int init_parts(struct cosched_runtime *rt, const cosched_config *c)
{
    rt->workers = (uint32_t)c->workers;
    rt->flags = c->flags;
    rt->may_spin = cos_effective_cpus() > 1;
    rt->traits = (c->flags & COSCHED_ALWAYS_OWN) != 0      ? COS_FIBER_OWN
                 : (c->flags & COSCHED_ALWAYS_INLINE) != 0 ? COS_FIBER_INLINE
                                                           : 0;
    cos_help_init(&rt->help, c);
    rt->stack_bytes = c->stack_size != 0 ? cos_stack_bytes_for(c->stack_size) : (size_t)64 * 1024;
    cos_tasks_limit(c->tasks_max != 0 ? c->tasks_max : cos_tasks_capacity());
    cos_scope_init(&rt->root, NULL, 0);
    cos_parker_init(&rt->parker, rt->workers);
    cos_doorbell_init(&rt->bell);
    cos_atomic_store(&rt->watched_until, INT64_MAX, relaxed);
    cos_atomic_store(&rt->trim_at, INT64_MAX, relaxed);
    for (uint32_t i = 0; i <= rt->workers; i++) {
        if (make_exec(rt, i == 0 ? COS_EXEC_MAIN : COS_EXEC_WORKER, i) == NULL) {
            return -ENOMEM;
        }
    }
    rt->main = rt->execs[0];
    if ((c->flags & COSCHED_MEASURE_STACKS) != 0 && (rt->marks = cos_marks_create()) == NULL) {
        return -ENOMEM;
    }
    if (cos_trace_ring_init(&rt->others.ring) < 0) {
        return -ENOMEM;
    }
    int rc = cos_injector_init(&rt->injector, COS_INJECTOR_CAPACITY_LOG2, link_of, NULL);
    rc = rc < 0 ? rc : cos_lines_init(&rt->lines[COS_EXEC_MAIN]);
    rc = rc < 0 ? rc : cos_lines_init(&rt->lines[COS_EXEC_WORKER]);
    return rc < 0 ? rc : cos_blocking_init(&rt->blocking, c->blocking_max);
}

static void free_runtime(struct cosched_runtime *rt)
{
    free_execs(rt);
    cos_mainloop_drop_bell(rt);
    cos_injector_fini(&rt->injector);
    cos_marks_destroy(rt->marks);
    cos_trace_ring_fini(&rt->others.ring);
    cos_lines_fini(&rt->lines[COS_EXEC_MAIN]);
    cos_lines_fini(&rt->lines[COS_EXEC_WORKER]);
    cos_stack_shutdown(); /* -EBUSY: the next runtime goes on with what is mapped */
    cos_free_aligned(rt);
}

static COS_ATOMIC(uint32_t) exists; /* claims the one place; acquire and release around a runtime's life */

int cosched_runtime_create(cosched_runtime **out, const cosched_config *config,
                           struct uv_loop_s *loop_or_null)
{
    cosched_config c;
    *out = NULL;
    int rc = read_config(&c, config);
    if (rc < 0) {
        return rc;
    }
    uint32_t nobody = 0;
    if (!cos_atomic_cas(&exists, &nobody, 1, acquire, relaxed)) {
        return -EBUSY;
    }
    setenv("UV_USE_IO_URING", "0", 0);
    cos_fence_init();
    cos_ticks_init();
    cos_fork_watch();
    struct cosched_runtime *rt = NULL;
    rc = cos_hooks_set(c.hooks);
    rc = rc == 0 ? cos_tasks_reserve() : rc;
    if (rc == 0) {
        rt = cos_alloc_aligned(_Alignof(struct cosched_runtime), sizeof *rt);
        rc = -ENOMEM;
    }
    if (rt != NULL) {
        rt->loop.wake_fd = -1;
        rc = init_parts(rt, &c);
        rc = rc < 0 ? rc
                    : cos_mainloop_make_bell(rt); /* workers may ring as soon as there are any */
    }
    if (rc == 0) {
        rt->host_loop = loop_or_null != NULL;
        cos_atomic_store(&the_runtime, rt, release);
        rc = cos_slices_start(rt, &c);
        rc = rc < 0 ? rc : start_workers(rt);
        /* The last that may fail, because handles on a host's loop cannot be taken back at once. */
        rc = rc < 0 ? rc : cos_mainloop_init(rt, loop_or_null);
        if (rc < 0) {
            join_workers(rt);
            cos_slices_stop(rt);
        } else if ((rt->flags & COSCHED_REPORT_OVERFLOW) != 0) {
            cos_overflow_install(cos_fiber_describe);
        }
    }
    if (rc < 0) {
        cos_atomic_store(&the_runtime, NULL, release);
        if (rt != NULL) {
            free_runtime(rt);
        }
        cos_hooks_drop();
        cos_atomic_store(&exists, 0, release);
        return rc;
    }
    *out = rt;
    return 0;
}

/* --- the end ------------------------------------------------------------------------------------------------ */

void cosched_runtime_close(cosched_runtime *rt, void (*done)(void *data), void *data)
{
    if (!cos_fork_is_child()) { /* the poll set would be the parent's */
        cos_mainloop_close(rt, done, data);
    }
}

int cosched_runtime_destroy(cosched_runtime *rt)
{
    if (rt == NULL) {
        return 0;
    }
    if (cos_fork_is_child()) {
        return -EPERM;
    }
    bool open = rt->host_loop && !cos_mainloop_closed(rt);
    if (cos_fiber_current(NULL) != NULL || cos_atomic_load(&rt->roots, acquire) != 0 || open) {
        return -EBUSY;
    }
    join_workers(rt);
    cos_slices_stop(rt);
    cos_blocking_fini(&rt->blocking);
    drop_leftovers(rt);
    if (cos_mainloop_on_thread(rt)) {
        cos_exec_thread_end(rt->main);
    }
    cos_mainloop_fini(rt);
    cos_overflow_uninstall();
    cos_atomic_store(&the_runtime, NULL, release);
    free_runtime(rt);
    cos_hooks_drop();
    cos_atomic_store(&exists, 0, release);
    return 0;
}
