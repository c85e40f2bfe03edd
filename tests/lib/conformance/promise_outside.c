/* Threads that are not the runtime's: those it may block, those that post, call and wait, and what each call answers there. */
#include <cosched/io.h>

#include "promise.h"

/* --- the blocking pool ---------------------------------------------------------------------------------------------- */

static atomic_int inside;
static sem_t leave;

static int64_t blocks(void *arg)
{
    atomic_fetch_add(&inside, 1);
    EXPECT_EQ(sem_wait(&leave), 0);
    return run_return(arg);
}

static int64_t asks_pool(void *arg)
{
    int64_t result = 0;
    int rc = cosched_blocking(&result, blocks, arg);
    return rc < 0 ? rc : result;
}

static void open_doors(int n)
{
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(sem_post(&leave), 0);
    }
}

enum { CALLS = 24, LIMIT = 3 };

PROMISE(the_pool_grows_as_calls_come_and_blocks_no_executor)
{
    cosched_task t[CALLS];
    inside = 0;
    EXPECT_EQ(sem_init(&leave, 0, 0), 0);
    for (intptr_t i = 0; i < CALLS; i++) {
        t[i] = run_spawn(asks_pool, (void *)i, promise_place(i));
    }
    UNTIL(inside == CALLS); /* all at once: none can leave */
    EXPECT(run_stats().blocking_threads >= CALLS);
    for (intptr_t i = 0; i < 20; i++) {
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)i, promise_place(i))), i);
    }
    open_doors(CALLS);
    for (int i = 0; i < CALLS; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
    EXPECT_EQ(sem_destroy(&leave), 0);
}

static int64_t limited(void *arg)
{
    cosched_task t[CALLS];
    int canceled = 0;
    (void)arg;
    for (intptr_t i = 0; i < CALLS; i++) {
        t[i] = run_spawn(asks_pool, (void *)i, promise_place(i));
    }
    UNTIL(inside == LIMIT && run_stats().blocking_queued == CALLS - LIMIT);
    for (int i = 0; i < CALLS; i++) {
        cosched_cancel(t[i]);
    }
    UNTIL(run_stats().blocking_queued == 0); /* what had not begun is taken back … */
    open_doors(LIMIT);                       /* … what had is waited for */
    for (int i = 0; i < CALLS; i++) {
        int64_t result = run_join(t[i]);
        EXPECT(result == i || result == -ECANCELED);
        canceled += result == -ECANCELED;
    }
    EXPECT_EQ(canceled, CALLS - LIMIT);
    EXPECT_EQ(inside, LIMIT);
    return 0;
}

START_TEST(the_pool_keeps_its_limit_and_a_call_that_waits_can_be_cancelled)
{
    cosched_config c = {
        .struct_size = sizeof c, .workers = promise_workers[_i], .blocking_max = LIMIT};
    inside = 0;
    EXPECT_EQ(sem_init(&leave, 0, 0), 0);
    EXPECT_EQ(run_config(&c, limited, NULL), 0);
    EXPECT_EQ(sem_destroy(&leave), 0);
}

END_TEST

/* --- foreign threads --------------------------------------------------------------------------------------------------- */

enum { THREADS = 5, STEPS = 60 };

static cosched_runtime *rt;
static cosched_chan *requests;
static atomic_int posted, gone;

static int64_t doubles(void *arg)
{
    cosched_yield();
    return 2 * run_return(arg);
}

static int64_t counts_post(void *arg)
{
    atomic_fetch_add(&posted, 1);
    return run_return(arg);
}

static void *foreign(void *arg)
{
    int64_t me = (intptr_t)arg;
    for (int64_t i = 0; i < STEPS; i++) {
        int64_t result = 0, v = me * STEPS + i;
        EXPECT_EQ(cosched_runtime_post(rt, promise_place(i), counts_post, NULL, 0), 0);
        EXPECT_EQ(cosched_runtime_call(rt, promise_place(i), doubles, (void *)(intptr_t)v, &result),
                  0);
        EXPECT_EQ(result, 2 * v); /* it waited */
        UNTIL_SPIN(cosched_chan_send(requests, &v, COSCHED_NOW) == 0);
    }
    atomic_fetch_add(&gone, 1);
    return NULL;
}

PROMISE(a_foreign_thread_posts_calls_and_waits)
{
    pthread_t thread[THREADS];
    int64_t sum = 0, n = THREADS * STEPS;
    rt = cosched_runtime_self();
    posted = gone = 0;
    EXPECT_EQ(cosched_chan_create(&requests, sizeof(int64_t), 4), 0);
    for (intptr_t i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_create(&thread[i], NULL, foreign, (void *)i), 0);
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t v = 0;
        EXPECT_EQ(cosched_chan_recv(requests, &v, COSCHED_NEVER), 0);
        sum += v;
    }
    EXPECT_EQ(sum, n * (n - 1) / 2);
    for (int i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    }
    cosched_chan_unref(requests);
    promise_alone();
    EXPECT_EQ(posted, n);
}

/* --- what each call answers outside a task ------------------------------------------------------------------------------- */

static void lifecycle_calls(void)
{
    cosched_task t = {5, 1}, none = {0, 0};
    cosched_token token;
    cosched_scope scope;
    cosched_group g;
    int64_t result = 77;
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), -EPERM);
    EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_await_any(&t, 1, &result, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_after(&token, 1, run_return, NULL, NULL), -EPERM);
    EXPECT_EQ(cosched_at(&token, 1, run_return, NULL, NULL), -EPERM);
    EXPECT_EQ(cosched_every(&token, 1, COSCHED_SKIP, run_return, NULL, NULL), -EPERM);
    EXPECT_EQ(cosched_blocking(&result, run_return, NULL), -EPERM);
    EXPECT_EQ(cosched_scope_begin(&scope, COSCHED_NEVER, 0), -EPERM);
    EXPECT_EQ(cosched_group_init(&g, NULL), -EPERM);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_INHERIT);
    EXPECT_EQ(cosched_where(), COSCHED_INHERIT);
    EXPECT_EQ(cosched_self().index, 0);
    EXPECT_EQ(cosched_stack_left(), 0);
    EXPECT_EQ(cosched_tail(run_return, (void *)6), 6);
    EXPECT(!cosched_cancelled());
    EXPECT(cosched_runtime_self() == NULL);
    cosched_yield();
    cosched_cancel(none);
    EXPECT_EQ(result, 77);
}

static void waiting_calls(void)
{
    cosched_mutex m = {0};
    cosched_cond c = {0};
    cosched_sem s = {0};
    cosched_rwlock l = {0};
    cosched_barrier b;
    cosched_once o = {0};
    cosched_wait_group g = {0};
    cosched_event e;
    cosched_chan *ch;
    int v = 3;
    cosched_event_init(&e);
    EXPECT_EQ(cosched_barrier_init(&b, 2), 0);
    EXPECT_EQ(cosched_chan_create(&ch, sizeof v, 1), 0); /* these need no task */
    EXPECT_EQ(cosched_chan_send(ch, &v, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_chan_send(ch, &v, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_select(&(cosched_case){.ch = ch, .recv_into = &v}, 1, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NEVER), -EPERM);
    EXPECT(!cosched_mutex_try(&m));
    EXPECT_EQ(cosched_cond_wait(&c, &m, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_rwlock_read_lock(&l, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_rwlock_write_lock(&l, COSCHED_NEVER), -EPERM);
    EXPECT(!cosched_rwlock_read_try(&l) && !cosched_rwlock_write_try(&l));
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_once_run(&o, NULL, run_return, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_sem_acquire(&s, COSCHED_NEVER), -EPERM);
    EXPECT(!cosched_sem_try(&s));
    cosched_sem_release(&s, 1);
    EXPECT(cosched_sem_try(&s));
    cosched_wait_group_add(&g, 1);
    EXPECT_EQ(cosched_wait_group_wait(&g, COSCHED_NEVER), -EPERM);
    cosched_wait_group_done(&g);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NEVER), -EPERM);
    cosched_event_set(&e);
    cosched_cond_signal(&c);
    cosched_cond_broadcast(&c);
    cosched_chan_unref(ch);
}

static int64_t outside(void *arg)
{
    lifecycle_calls();
    waiting_calls();
    cosched_stream *s = NULL;
    EXPECT_EQ(cosched_connect_unix(&s, "/nowhere", COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_poll(0, COSCHED_READABLE, COSCHED_NEVER), -EPERM);
    return run_return(arg);
}

static void *outside_thread(void *arg)
{
    outside(arg);
    return NULL;
}

START_TEST(outside_tasks_each_call_says_that_it_needs_one)
{
    cosched_runtime *none = NULL;
    outside(NULL); /* without a runtime … */
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    EXPECT_EQ(cosched_runtime_create(&none, &c, NULL), 0);
    outside(NULL); /* … beside one that does not run … */
    EXPECT_EQ(cosched_runtime_destroy(none), 0);
}

END_TEST

PROMISE(a_foreign_thread_and_a_blocking_call_are_outside_tasks)
{
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, outside_thread, NULL), 0);
    int64_t result = 0;
    EXPECT_EQ(cosched_blocking(&result, outside, (void *)4), 0);
    EXPECT_EQ(result, 4);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

static int64_t looks_at_its_stack(void *arg)
{
    size_t left = cosched_stack_left(), below = 0;
    char frame[2048];
    memset(frame, 1, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    EXPECT(left >= 8192); /* of the 16 KiB promised, this frame took some */
    if ((intptr_t)arg > 0) {
        EXPECT_EQ(cosched_call((int64_t *)&below, COSCHED_INHERIT, looks_at_its_stack,
                               (void *)((intptr_t)arg - 1), COSCHED_NEVER),
                  0);
        EXPECT(below < left || below > (64 << 10)); /* deeper, or on a fresh one */
    }
    return (int64_t)left;
}

PROMISE(a_task_knows_how_much_stack_is_left)
{
    EXPECT(run_join(run_spawn(looks_at_its_stack, (void *)100, COSCHED_MAIN)) > 0);
    EXPECT(run_join(run_spawn(looks_at_its_stack, (void *)100, COSCHED_WORKER)) > 0);
}

PROMISE_MAIN("promise_outside", ALL(the_pool_grows_as_calls_come_and_blocks_no_executor),
             ALL(the_pool_keeps_its_limit_and_a_call_that_waits_can_be_cancelled),
             ALL(a_foreign_thread_posts_calls_and_waits),
             ALL(outside_tasks_each_call_says_that_it_needs_one),
             ALL(a_foreign_thread_and_a_blocking_call_are_outside_tasks),
             ALL(a_task_knows_how_much_stack_is_left))
