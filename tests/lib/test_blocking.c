/* Threads that may block: the pool behind cosched_blocking, and tasks that own a thread. */
#include "run.h"
#include "sched/blocking.h"

static atomic_int inside, ran;
static atomic_bool leave;

static int64_t stay_inside(void *arg)
{
    atomic_fetch_add(&inside, 1);
    UNTIL_SPIN(leave);
    return run_return(arg);
}

static int64_t ask_pool(void *arg)
{
    int64_t result = 0;
    int rc = cosched_blocking(&result, stay_inside, arg);
    return rc < 0 ? rc : result;
}

SCENARIO(the_pool_grows_to_as_many_threads_as_are_asked_for)
{
    cosched_task t[20];
    inside = 0;
    leave = false;
    for (intptr_t i = 0; i < 20; i++) {
        t[i] = run_spawn(ask_pool, (void *)i, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    UNTIL(inside == 20); /* all at once: none of them can leave */
    EXPECT(run_stats().blocking_threads >= 20);
    leave = true;
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
    EXPECT_EQ(run_stats().blocking_queued, 0);
}

static int64_t limited_body(void *arg)
{
    (void)arg;
    cosched_task t[10];
    for (intptr_t i = 0; i < 10; i++) {
        t[i] = run_spawn(ask_pool, (void *)i, COSCHED_MAIN);
    }
    UNTIL(inside == 2 && run_stats().blocking_queued == 8);
    EXPECT_EQ(run_stats().blocking_threads, 2);
    for (int i = 0; i < 10; i++) { /* the queued ones have not started: they can be taken back */
        cosched_cancel(t[i]);
    }
    int canceled = 0;
    UNTIL(run_stats().blocking_queued == 0);
    leave = true;
    for (int i = 0; i < 10; i++) {
        int64_t r = run_join(t[i]);
        EXPECT(r == i || r == -ECANCELED);
        canceled += r == -ECANCELED;
    }
    EXPECT_EQ(canceled, 8);
    EXPECT_EQ(inside, 2); /* fn never ran for the others */
    return 0;
}

START_TEST(the_limit_holds_and_what_waits_is_cancelled_before_it_starts)
{
    cosched_config c = {.struct_size = sizeof c, .workers = 1, .blocking_max = 2};
    EXPECT_EQ(run_config(&c, limited_body, NULL), 0);
}

END_TEST

static int64_t calls_inside(void *arg)
{
    cosched_runtime *rt = arg;
    cosched_task t = {1, 1};
    cosched_scope s;
    cosched_group g;
    cosched_event e;
    cosched_event_init(&e);
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), -EPERM);
    EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_call(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), -EPERM);
    EXPECT_EQ(cosched_scope_begin(&s, COSCHED_NEVER, 0), -EPERM);
    EXPECT_EQ(cosched_group_init(&g, NULL), -EPERM);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NOW), -EPERM);
    EXPECT_EQ(cosched_self().index, 0);
    EXPECT_EQ(cosched_where(), COSCHED_INHERIT);
    EXPECT_EQ(cosched_stack_left(), 0);
    EXPECT(!cosched_cancelled());
    EXPECT(cosched_runtime_self() == NULL);
    int64_t result = 0; /* what any thread may do works */
    EXPECT_EQ(cosched_runtime_call(rt, COSCHED_WORKER, run_return, (void *)6, &result), 0);
    EXPECT_EQ(result, 6);
    char big[512 * 1024]; /* a thread's stack, not a task's */
    memset(big, 1, sizeof big);
    return big[sizeof big / 2];
}

SCENARIO(inside_the_pool_one_is_not_in_a_task)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_blocking(&result, calls_inside, cosched_runtime_self()), 0);
    EXPECT_EQ(result, 1);
    EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), 0);
}

SCENARIO(a_started_call_is_waited_for_even_when_cancelled)
{
    inside = 0;
    leave = false;
    cosched_task t = run_spawn(ask_pool, (void *)8, COSCHED_WORKER);
    UNTIL(inside == 1);
    cosched_cancel(t);
    EXPECT_EQ(cosched_await(&t, NULL, cosched_in_ms(1)), -ETIMEDOUT);
    leave = true;
    EXPECT_EQ(run_join(t), 8);
}

static int64_t count_run(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&ran, 1);
}

static int64_t many_small(void *arg)
{
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(cosched_blocking(NULL, count_run, arg), 0);
    }
    return 0;
}

SCENARIO(many_small_calls_all_run_once)
{
    cosched_task t[16];
    ran = 0;
    for (int i = 0; i < 16; i++) {
        t[i] = run_spawn(many_small, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 16; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(ran, 1600);
}

/* --- tasks that own a thread -------------------------------------------------------------------------------- */

struct ends {
    cosched_chan *to, *from;
    pthread_t thread;
};

static int64_t echo(void *arg)
{
    struct ends *e = arg;
    pthread_t me = run_thread();
    EXPECT(!pthread_equal(me, e->thread));
    EXPECT_EQ(cosched_where(), COSCHED_BLOCKING);
    EXPECT(cosched_stack_left() > (size_t)500 * 1024);
    int64_t v, n = 0;
    while (cosched_chan_recv(e->to, &v, COSCHED_NEVER) == 0) {
        EXPECT(pthread_equal(run_thread(), me));
        EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_BLOCKING);
        EXPECT_EQ(cosched_where(), COSCHED_BLOCKING);
        EXPECT_EQ(cosched_call(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER), -EPERM);
        EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1)), 0);
        cosched_yield();
        v++;
        EXPECT_EQ(cosched_chan_send(e->from, &v, COSCHED_NEVER), 0);
        n++;
    }
    return n;
}

SCENARIO(a_blocking_task_owns_a_thread_and_talks_over_channels)
{
    struct ends e = {.thread = run_thread()};
    EXPECT_EQ(cosched_chan_create(&e.to, sizeof(int64_t), 1), 0);
    EXPECT_EQ(cosched_chan_create(&e.from, sizeof(int64_t), 1), 0);
    cosched_task t = run_spawn(echo, &e, COSCHED_BLOCKING);
    for (int64_t i = 0; i < 200; i++) {
        int64_t v = -1;
        EXPECT_EQ(cosched_chan_send(e.to, &i, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_chan_recv(e.from, &v, COSCHED_NEVER), 0);
        EXPECT_EQ(v, i + 1);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    }
    cosched_chan_close(e.to);
    EXPECT_EQ(run_join(t), 200);
    cosched_chan_unref(e.to);
    cosched_chan_unref(e.from);
    UNTIL(run_stats().tasks_live == 1); /* its executor's counts are not lost with it */
}

static int64_t parent_with_thread(void *arg)
{
    (void)arg;
    int64_t worker =
        run_join(run_spawn(run_return, (void *)1, COSCHED_INHERIT)); /* INHERIT there means WORKER */
    int64_t main = run_join(run_spawn(run_return, (void *)2, COSCHED_MAIN));
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_spawn(&g, run_until_canceled, NULL, NULL), 0);
    EXPECT_EQ(cosched_group_join(&g, cosched_in_ms(1)), -ETIMEDOUT);
    run_spawn(run_until_canceled, NULL, COSCHED_WORKER); /* left to be cancelled at our end */
    return worker + main;
}

SCENARIO(a_blocking_task_has_children_groups_and_timers)
{
    cosched_task t[8];
    for (int i = 0; i < 8; i++) {
        t[i] = run_spawn(parent_with_thread, NULL, COSCHED_BLOCKING);
    }
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(run_join(t[i]), 3);
    }
    UNTIL(run_stats().tasks_live == 1);
}

SCENARIO(a_blocking_task_is_cancelled_in_its_wait)
{
    for (int i = 0; i < 50; i++) {
        cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_BLOCKING);
        if (i % 2) {
            cosched_yield();
        }
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
}

static int64_t wait_and_end(void *arg)
{
    return cosched_event_wait(arg, COSCHED_NEVER);
}

/* The waker's last step may come after the task, and with it its thread, has ended. */
SCENARIO(a_blocking_task_ends_as_soon_as_it_is_woken)
{
    for (int i = 0; i < RUN_SIZE(500, 200, 100); i++) {
        cosched_event e;
        cosched_event_init(&e);
        cosched_task t = run_spawn(wait_and_end, &e, COSCHED_BLOCKING);
        for (int k = 0; k < i % 20; k++) {
            cosched_yield();
        }
        cosched_event_set(&e);
        EXPECT_EQ(run_join(t), 0);
    }
}

SCENARIO(threads_for_blocking_tasks_are_limited)
{
    cosched_task t[COS_OWN_THREADS_MAX + 1];
    int rc = 0, n = 0;
    while (n <= COS_OWN_THREADS_MAX &&
           (rc = cosched_spawn(&t[n], run_until_canceled, NULL, run_at(COSCHED_BLOCKING))) == 0) {
        n++;
    }
    EXPECT_EQ(n, COS_OWN_THREADS_MAX);
    EXPECT_EQ(rc, -EAGAIN);
    EXPECT_EQ(t[n].index, 0);
    for (int i = 0; i < n; i++) {
        cosched_cancel(t[i]);
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    UNTIL(run_stats().tasks_live == 1);
}

RUN_MAIN("blocking", EACH(the_pool_grows_to_as_many_threads_as_are_asked_for),
         ONCE(the_limit_holds_and_what_waits_is_cancelled_before_it_starts),
         EACH(inside_the_pool_one_is_not_in_a_task),
         EACH(a_started_call_is_waited_for_even_when_cancelled), EACH(many_small_calls_all_run_once),
         EACH(a_blocking_task_owns_a_thread_and_talks_over_channels),
         EACH(a_blocking_task_has_children_groups_and_timers),
         EACH(a_blocking_task_is_cancelled_in_its_wait),
         EACH(a_blocking_task_ends_as_soon_as_it_is_woken),
         ONCE(threads_for_blocking_tasks_are_limited))
