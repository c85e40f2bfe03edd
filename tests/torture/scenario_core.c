/* Runtimes, tasks, calls, threads. */
#include <pthread.h>
#include <uv.h>

#include "torture.h"

int64_t torture_nothing(void *arg)
{
    (void)arg;
    return 0;
}

void torture_run(int workers, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers};
    NOTE(cosched_run(&config, fn, NULL));
}

const cosched_attr *torture_at(cosched_affinity where)
{
    static const cosched_attr attrs[] = {
        {.struct_size = sizeof(cosched_attr)},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_MAIN},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_WORKER},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_BLOCKING, .flags = COSCHED_PINNED},
    };
    return &attrs[where];
}

cosched_task torture_spawn(cosched_fn fn, void *arg, cosched_affinity where)
{
    cosched_task t = {0, 0};
    NOTE(cosched_spawn(&t, fn, arg, torture_at(where)));
    return t;
}

int64_t torture_join(cosched_task *t)
{
    int64_t result = 0;
    if (t->index == 0) {
        return -ESTALE;
    }
    NOTE(cosched_await(t, &result, COSCHED_NEVER));
    return NOTE(result);
}

/* --- runtimes ------------------------------------------------------------------------------------------------ */

static void own_loop(int workers)
{
    torture_run(workers, torture_nothing);
}

static void all_cpus(int workers)
{
    (void)workers;
    NOTE(cosched_run(NULL, torture_nothing, NULL));
}

static void overflow_report(int workers)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = workers, .flags = COSCHED_REPORT_OVERFLOW};
    NOTE(cosched_run(&config, torture_nothing, NULL));
}

static void mark_closed(void *data)
{
    *(bool *)data = true;
}

/* The host has a timer of its own, which must go on whatever becomes of the runtime. */
static void on_host_timer(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void host_loop(int workers)
{
    uv_loop_t loop;
    if (NOTE(uv_loop_init(&loop)) < 0) {
        return;
    }
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_host_timer, 0, 0);
    cosched_config config = {.struct_size = sizeof config, .workers = workers};
    cosched_runtime *rt = NULL;
    if (NOTE(cosched_runtime_create(&rt, &config, &loop)) == 0) {
        NOTE(cosched_runtime_post(rt, COSCHED_WORKER, torture_nothing, NULL, 0));
        NOTE(cosched_runtime_post(rt, COSCHED_MAIN, torture_nothing, NULL, 0));
        uv_run(&loop, UV_RUN_DEFAULT);
        NOTE(cosched_runtime_stop(rt, COSCHED_NEVER));
        bool closed = false;
        cosched_runtime_close(rt, mark_closed, &closed);
        while (!closed) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        NOTE(cosched_runtime_destroy(rt));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    NOTE(uv_loop_close(&loop));
}

static int64_t once_of_stacks(void *arg)
{
    cosched_task t = torture_spawn(torture_nothing, arg, COSCHED_WORKER);
    torture_join(&t);
    return 0;
}

/* In a process of its own: what is decided or reserved once. */
static void first(int workers)
{
    torture_run(workers, once_of_stacks);
}

/* --- tasks --------------------------------------------------------------------------------------------------- */

static int64_t at_both(void *arg)
{
    cosched_task t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = torture_spawn(torture_nothing, arg, i % 2 == 0 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 4; i++) {
        torture_join(&t[i]);
    }
    NOTE(cosched_spawn(NULL, torture_nothing, NULL, torture_at(COSCHED_WORKER)));
    cosched_attr limited = {.struct_size = sizeof limited, .timeout_ns = 1000000000};
    cosched_task l = {0, 0};
    NOTE(cosched_spawn(&l, torture_nothing, NULL, &limited));
    torture_join(&l);
    cosched_attr large = {.struct_size = sizeof large, .stack_size = (size_t)300 * 1024};
    NOTE(cosched_spawn(&l, torture_nothing, NULL, &large));
    torture_join(&l);
    return 0;
}

static void spawn_await(int workers)
{
    torture_run(workers, at_both);
}

static int64_t go_on(void *arg)
{
    int depth = *(int *)arg - 1;
    int64_t result = 0;
    cosched_affinity where = cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
    int rc = depth == 0 ? 0 : cosched_call(&result, where, go_on, &depth, COSCHED_NEVER);
    return NOTE(rc < 0 ? rc : result);
}

static int64_t to_and_fro(void *arg)
{
    int depth = 8;
    (void)arg;
    go_on(&depth);
    cosched_affinity home = cosched_hop(COSCHED_WORKER);
    cosched_yield();
    cosched_hop(home);
    return 0;
}

static void call_hop(int workers)
{
    torture_run(workers, to_and_fro);
}

static int64_t deeper(void *arg)
{
    volatile char frame[2048];
    int depth = *(int *)arg - 1;
    int64_t result = 0;
    frame[0] = (char)depth;
    int rc = depth == 0 ? 0 : cosched_call(&result, COSCHED_INHERIT, deeper, &depth, COSCHED_NEVER);
    return rc < 0 ? rc : result + frame[0] - (char)depth;
}

static int64_t dive(void *arg)
{
    int depth = 600; /* past the first stack and some segments */
    (void)arg;
    NOTE(deeper(&depth));
    return 0;
}

static void deep(int workers)
{
    torture_run(workers, dive);
}

static int64_t sleep_a_little(void *arg)
{
    (void)arg;
    return NOTE(cosched_sleep_until(cosched_in_ns(200000)));
}

static int64_t many_sleep(void *arg)
{
    cosched_task t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = torture_spawn(sleep_a_little, arg, i == 0 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    cosched_scope scope;
    if (NOTE(cosched_scope_begin(&scope, cosched_in_ns(100000), 0)) == 0) {
        if (cosched_sleep_until(COSCHED_NEVER) != -ECANCELED) {
            NOTE(-EPROTO);
        }
        cosched_scope_end(&scope);
    }
    for (int i = 0; i < 3; i++) {
        torture_join(&t[i]);
    }
    return 0;
}

static void timers(int workers)
{
    torture_run(workers, many_sleep);
}

/* --- threads --------------------------------------------------------------------------------------------------- */

static int64_t on_pool(void *arg)
{
    (void)arg;
    int64_t result = 0;
    int rc = cosched_blocking(&result, torture_nothing, NULL);
    return NOTE(rc < 0 ? rc : result);
}

static int64_t use_pool(void *arg)
{
    cosched_task t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = torture_spawn(on_pool, arg, i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 3; i++) {
        torture_join(&t[i]);
    }
    return 0;
}

static void blocking(int workers)
{
    torture_run(workers, use_pool);
}

static int64_t rest(void *arg)
{
    (void)arg;
    cosched_yield();
    return NOTE(cosched_sleep_until(cosched_in_ns(100000)));
}

static int64_t with_threads(void *arg)
{
    cosched_task t[2];
    for (int i = 0; i < 2; i++) {
        t[i] = torture_spawn(rest, arg, COSCHED_BLOCKING);
    }
    for (int i = 0; i < 2; i++) {
        torture_join(&t[i]);
    }
    NOTE(cosched_spawn(NULL, torture_nothing, NULL, torture_at(COSCHED_BLOCKING)));
    return 0;
}

static void own_thread(int workers)
{
    torture_run(workers, with_threads);
}

static void *from_outside(void *arg)
{
    cosched_runtime *rt = arg;
    int64_t result = 0;
    NOTE(cosched_runtime_post(rt, COSCHED_WORKER, torture_nothing, NULL, 0));
    int rc = cosched_runtime_call(rt, COSCHED_MAIN, torture_nothing, NULL, &result);
    NOTE(rc < 0 ? rc : result);
    return NULL;
}

static void outside(int workers)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers};
    cosched_runtime *rt = NULL;
    if (NOTE(cosched_runtime_create(&rt, &config, NULL)) < 0) {
        return;
    }
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, from_outside, rt);
    NOTE(-rc);
    cosched_runtime_loop(rt);
    if (rc == 0) {
        while (pthread_tryjoin_np(thread, NULL) != 0) {
            cosched_runtime_run_expired(rt, 100000);
        }
    }
    NOTE(cosched_runtime_stop(rt, COSCHED_NEVER));
    NOTE(cosched_runtime_destroy(rt));
}

const struct torture_scenario torture_core[] = {
    {"own_loop", own_loop, 0},
    {"all_cpus", all_cpus, 0},
    {"overflow_report", overflow_report, 0},
    {"host_loop", host_loop, 0},
    {"first", first, TORTURE_FRESH},
    {"spawn_await", spawn_await, 0},
    {"call_hop", call_hop, 0},
    {"deep", deep, 0},
    {"timers", timers, 0},
    {"blocking", blocking, 0},
    {"own_thread", own_thread, 0},
    {"outside", outside, 0},
};
const size_t torture_core_count = sizeof torture_core / sizeof torture_core[0];
