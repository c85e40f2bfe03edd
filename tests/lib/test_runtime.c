/* The runtime's life: creation, hosts' loops, posts and calls from outside, stop, destruction, and failing memory. */
#include <dirent.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "run.h"

static cosched_runtime *create(int workers, uv_loop_t *loop)
{
    cosched_config c = {.struct_size = sizeof c, .workers = workers};
    cosched_runtime *rt = NULL;
    EXPECT_EQ(cosched_runtime_create(&rt, &c, loop), 0);
    return rt;
}

static int entries(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    EXPECT(d != NULL);
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

START_TEST(a_second_runtime_is_refused_while_one_lives)
{
    cosched_runtime *rt = create(run_workers[_i], NULL), *second;
    cosched_config c = {.struct_size = sizeof c};
    EXPECT_EQ(cosched_runtime_create(&second, &c, NULL), -EBUSY);
    EXPECT(second == NULL);
    EXPECT_EQ(cosched_run(&c, run_return, NULL), -EBUSY);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    EXPECT_EQ(run_config(&c, run_return, (void *)3), 3);
    EXPECT_EQ(cosched_runtime_destroy(NULL), 0);
}

END_TEST

START_TEST(bad_configurations_are_refused)
{
    cosched_config good = {.struct_size = sizeof good},
                   bad[6] = {good, good, good, good, good, good};
    bad[0].struct_size = 0;
    bad[1].struct_size = sizeof good + 8;
    bad[2].workers = COSCHED_WORKERS_MAX + 1;
    bad[3].workers = -2;
    bad[4].stack_size = SIZE_MAX;
    bad[5].flags = 0x100;
    for (int i = 0; i < 6; i++) {
        cosched_runtime *rt;
        EXPECT_EQ(cosched_runtime_create(&rt, &bad[i], NULL), -EINVAL);
        EXPECT_EQ(cosched_run(&bad[i], run_return, NULL), -EINVAL);
    }
}

END_TEST

static int64_t mixed_work(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++) {
        run_join(run_spawn(run_return, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN));
    }
    EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), 0);
    run_join(run_spawn(run_return, NULL, COSCHED_BLOCKING));
    return cosched_sleep_until(cosched_in_ns(1));
}

START_TEST(fifty_lives_leak_no_thread_and_no_descriptor)
{
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    /* ThreadSanitizer starts up to two of its own, when it likes. */
    int threads = entries("/proc/self/task") + 2 * RUN_TSAN;
    EXPECT_EQ(run_config(&c, mixed_work, NULL), 0); /* what is made once for the process */
    int fds = entries("/proc/self/fd");
    for (int i = 0; i < RUN_SIZE(50, 20, 10); i++) {
        EXPECT_EQ(run_config(&c, mixed_work, NULL), 0);
    }
    EXPECT_EQ(entries("/proc/self/fd"), fds);
    UNTIL_SPIN(entries("/proc/self/task") <= threads); /* detached ones take a moment to vanish */
}

END_TEST

static atomic_int ran;

static int64_t count_post(void *arg)
{
    atomic_fetch_add(&ran, 1);
    return run_return(arg);
}

static int64_t sum_copied(void *arg)
{
    int32_t v[8];
    memcpy(v, arg, sizeof v);
    atomic_fetch_add(&ran, v[0] + v[7]);
    return 0;
}

START_TEST(posts_run_and_the_loop_ends_when_no_task_lives)
{
    cosched_runtime *rt = create(run_workers[_i], NULL);
    ran = 0;
    int32_t v[8] = {40, 0, 0, 0, 0, 0, 0, 2};
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, sum_copied, v, sizeof v), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, sum_copied, v, sizeof v), 0);
    memset(v, 0xff, sizeof v);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, count_post, NULL, 0), 0);
    EXPECT_EQ(cosched_runtime_loop(rt), 0);
    EXPECT_EQ(ran, 85);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_BLOCKING, count_post, NULL, 0), -EINVAL);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_INHERIT, count_post, NULL, 0), -EINVAL);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, count_post, v, COSCHED_ARG_MAX + 1), -EINVAL);
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, count_post, NULL, 0), -ESHUTDOWN);
    EXPECT_EQ(cosched_runtime_call(rt, COSCHED_WORKER, count_post, NULL, NULL),
              -EDEADLK); /* this thread is MAIN */
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

enum { STORM_THREADS = 8, STORM_POSTS = 300 };

static cosched_runtime *storm_rt;
static atomic_int storm_done, storm_ran;

static int64_t storm_body(void *arg)
{
    (void)arg;
    cosched_yield();
    return atomic_fetch_add(&storm_ran, 1);
}

static void *storm(void *arg)
{
    int me = (int)(intptr_t)arg;
    for (int i = 0; i < STORM_POSTS; i++) {
        cosched_affinity to = (i + me) % 2 ? COSCHED_WORKER : COSCHED_MAIN;
        if (i % 10 == 0) {
            int64_t result = -1;
            EXPECT_EQ(cosched_runtime_call(storm_rt, to, storm_body, NULL, &result), 0);
            EXPECT(result >= 0);
        } else {
            EXPECT_EQ(cosched_runtime_post(storm_rt, to, storm_body, NULL, 0), 0);
        }
    }
    atomic_fetch_add(&storm_done, 1);
    return NULL;
}

SCENARIO(a_storm_of_posts_and_calls_from_eight_threads)
{
    storm_rt = cosched_runtime_self();
    storm_done = storm_ran = 0;
    pthread_t t[STORM_THREADS];
    for (intptr_t i = 0; i < STORM_THREADS; i++) {
        EXPECT_EQ(pthread_create(&t[i], NULL, storm, (void *)i), 0);
    }
    UNTIL(storm_ran == STORM_THREADS * STORM_POSTS);
    for (int i = 0; i < STORM_THREADS; i++) {
        EXPECT_EQ(pthread_join(t[i], NULL), 0);
    }
    UNTIL(run_stats().tasks_live == 1);
}

SCENARIO(a_call_from_inside_would_wait_for_itself)
{
    int64_t result = 4;
    EXPECT_EQ(cosched_runtime_call(cosched_runtime_self(), COSCHED_WORKER, run_return, NULL, &result),
              -EDEADLK);
    EXPECT_EQ(result, 4);
    EXPECT_EQ(cosched_runtime_loop(cosched_runtime_self()), -EBUSY);
    EXPECT(cosched_runtime_stop(cosched_runtime_self(), COSCHED_NOW) < 0);
    EXPECT_EQ(cosched_runtime_destroy(cosched_runtime_self()), -EBUSY);
}

START_TEST(stop_cancels_what_is_left_at_its_deadline_and_counts_it)
{
    cosched_runtime *rt = create(run_workers[_i], NULL);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(cosched_runtime_post(rt, i % 2 ? COSCHED_WORKER : COSCHED_MAIN,
                                       run_until_canceled, NULL, 0),
                  0);
        EXPECT_EQ(
            cosched_runtime_post(rt, i % 2 ? COSCHED_WORKER : COSCHED_MAIN, run_return, NULL, 0), 0);
    }
    EXPECT_EQ(cosched_runtime_destroy(rt), -EBUSY);
    cosched_stats s = {.struct_size = sizeof s};
    do { /* the others have ended, however long a busy machine takes */
        EXPECT(cosched_runtime_run_expired(rt, COS_NS_PER_MS) >= 0);
        EXPECT_EQ(cosched_stats_get(rt, &s), 0);
    } while (s.tasks_live > 10);
    int64_t deadline = cosched_in_ms(5);
    EXPECT_EQ(cosched_runtime_stop(rt, deadline), 10);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

struct looper {
    cosched_runtime *rt;
    int rc;
};

static void *loop_thread(void *arg)
{
    struct looper *l = arg;
    l->rc = cosched_runtime_loop(l->rt);
    return NULL;
}

START_TEST(stop_from_a_thread_that_is_not_main)
{
    cosched_runtime *rt = create(run_workers[_i], NULL);
    struct looper l = {rt, -1};
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, run_until_canceled, NULL, 0), 0);
    pthread_t t;
    EXPECT_EQ(pthread_create(&t, NULL, loop_thread, &l), 0);
    int64_t where = 0;
    EXPECT_EQ(cosched_runtime_call(rt, COSCHED_MAIN, run_return, (void *)5, &where),
              0); /* it is MAIN now */
    EXPECT_EQ(where, 5);
    EXPECT_EQ(cosched_runtime_loop(rt), -EBUSY);
    cosched_stats s = {.struct_size = sizeof s};
    do { /* the caller is told before its task counts as ended */
        EXPECT_EQ(cosched_stats_get(rt, &s), 0);
    } while (s.tasks_live > 1);
    int stopped = cosched_runtime_stop(rt, COSCHED_NOW);
    EXPECT(stopped == 1 || stopped == 2); /* the last step of that end may be still to come */
    EXPECT_EQ(cosched_runtime_call(rt, COSCHED_WORKER, run_return, NULL, NULL), -ESHUTDOWN);
    EXPECT_EQ(pthread_join(t, NULL), 0);
    EXPECT_EQ(l.rc, 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

static void on_closed(void *data)
{
    *(int *)data += 1;
}

static void close_and_destroy(cosched_runtime *rt, uv_loop_t *loop)
{
    int closed = 0;
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), -EBUSY); /* its handles are open */
    cosched_runtime_close(rt, on_closed, &closed);
    EXPECT_EQ(closed, 0);
    EXPECT_EQ(uv_run(loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(closed, 1);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    EXPECT_EQ(uv_loop_close(loop), 0);
    run_left_nothing();
}

static int64_t sleep_a_little(void *arg)
{
    (void)arg;
    int rc = cosched_sleep_until(cosched_in_ms(2));
    cosched_hop(COSCHED_WORKER);
    run_join(run_spawn(run_return, NULL, COSCHED_MAIN));
    atomic_fetch_add(&ran, 1);
    return rc;
}

START_TEST(a_hosts_loop_ends_when_no_task_lives_and_runs_again)
{
    uv_loop_t loop;
    EXPECT_EQ(uv_loop_init(&loop), 0);
    cosched_runtime *rt = create(run_workers[_i], &loop);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0); /* nothing to live for */
    ran = 0;
    for (int round = 1; round <= 3; round++) {
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, sleep_a_little, NULL, 0), 0);
        EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, sleep_a_little, NULL, 0), 0);
        EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
        EXPECT_EQ(ran, 2 * round);
    }
    close_and_destroy(rt, &loop);
}

END_TEST

static void on_host_timer(uv_timer_t *timer)
{
    int *left = timer->data;
    if (--*left == 0) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

START_TEST(a_hosts_own_handles_go_on_beside_tasks)
{
    uv_loop_t loop;
    uv_timer_t timer;
    int left = 5;
    EXPECT_EQ(uv_loop_init(&loop), 0);
    uv_timer_init(&loop, &timer);
    timer.data = &left;
    uv_timer_start(&timer, on_host_timer, 1, 1);
    cosched_runtime *rt = create(run_workers[_i], &loop);
    ran = 0;
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, sleep_a_little, NULL, 0), 0);
    EXPECT_EQ(uv_run(&loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(left, 0);
    EXPECT_EQ(ran, 1);
    close_and_destroy(rt, &loop);
}

END_TEST

START_TEST(a_host_that_owns_the_frame_pumps)
{
    uv_loop_t loop;
    EXPECT_EQ(uv_loop_init(&loop), 0);
    cosched_runtime *rt = create(run_workers[_i], &loop);
    ran = 0;
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, sleep_a_little, NULL, 0), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, sleep_a_little, NULL, 0), 0);
    while (ran < 2) {
        EXPECT(cosched_runtime_run_expired(rt, 100000) >= 0);
    }
    EXPECT(cosched_runtime_run_expired(rt, 0) >= 0);
    close_and_destroy(rt, &loop);
}

END_TEST

static int64_t end_on_a_worker(void *arg)
{
    EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL, run_at(COSCHED_WORKER)), 0);
    cosched_hop(COSCHED_WORKER);
    return run_return(arg);
}

START_TEST(run_returns_though_its_body_ends_on_a_worker_and_a_detached_task_lives)
{
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, end_on_a_worker, (void *)12), 12);
}

END_TEST

static int64_t leave_everything(void *arg)
{
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL,
                                run_at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN)),
                  0);
        run_spawn(run_until_canceled, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL, run_at(COSCHED_BLOCKING)), 0);
    return run_return(arg);
}

START_TEST(run_cancels_what_its_body_leaves_alive)
{
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, leave_everything, (void *)(intptr_t)-7), -7);
}

END_TEST

/* Under failing memory each step may fail, with an error that says so; none may crash, hang or leak. */
static int64_t thirsty(void *arg)
{
    (void)arg;
    cosched_task t[4];
    int64_t n = 0;
    for (int i = 0; i < 4; i++) {
        int rc = cosched_spawn(&t[i], run_return, NULL,
                               run_at(i < 3 ? (cosched_affinity)i : COSCHED_BLOCKING));
        EXPECT(rc == 0 || rc == -ENOMEM || rc == -EAGAIN);
        if (rc == 0) {
            int64_t result = 0;
            EXPECT_EQ(cosched_await(&t[i], &result, i % 2 ? COSCHED_NEVER : cosched_in_ms(60000)),
                      0);
            EXPECT(result == 0 || result == -ENOMEM);
            n += result == 0;
        }
    }
    cosched_chan *ch;
    int rc = cosched_chan_create(&ch, 8, 8);
    EXPECT(rc == 0 || rc == -ENOMEM);
    cosched_chan_unref(ch);
    return n;
}

START_TEST(every_failing_allocation_is_an_error_and_nothing_else)
{
    cosched_config c = {.struct_size = sizeof c, .workers = _i};
    int failed = 0, worked = 0;
    for (unsigned n = 1; n <= 60; n++) {
        cos_alloc_fail_at(n);
        int64_t rc = cosched_run(&c, thirsty, NULL);
        cos_alloc_fail_at(0);
        EXPECT(rc == -ENOMEM || (rc >= 0 && rc <= 4));
        failed += rc == -ENOMEM;
        worked += rc == 4;
        run_left_nothing();
    }
    EXPECT(failed >= 5);
    EXPECT(worked >= 1); /* n was counted beyond the last allocation */
}

END_TEST

static int64_t answer(void *arg)
{
    return run_return(arg);
}

START_TEST(without_a_stack_the_first_task_fails_and_nobody_hangs)
{
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    for (unsigned n = 1; n <= 40; n++) { /* one of them is the first stack's */
        cos_alloc_fail_at(n);
        int64_t rc = cosched_run(&c, answer, (void *)9);
        cos_alloc_fail_at(0);
        EXPECT(rc == 9 || rc == -ENOMEM);
    }
}

END_TEST

START_TEST(a_detached_child_that_never_gets_a_stack_is_no_leak)
{
    cosched_config c = {.struct_size = sizeof c};
    cos_stack_set_cap(1);
    EXPECT_EQ(run_config(&c, end_on_a_worker, (void *)1), 1);
    cos_stack_set_cap(0);
}

END_TEST

RUN_MAIN("runtime", EACH(a_second_runtime_is_refused_while_one_lives),
         ONCE(bad_configurations_are_refused), EACH(fifty_lives_leak_no_thread_and_no_descriptor),
         EACH(posts_run_and_the_loop_ends_when_no_task_lives),
         EACH(a_storm_of_posts_and_calls_from_eight_threads),
         EACH(a_call_from_inside_would_wait_for_itself),
         EACH(stop_cancels_what_is_left_at_its_deadline_and_counts_it),
         EACH(stop_from_a_thread_that_is_not_main),
         EACH(a_hosts_loop_ends_when_no_task_lives_and_runs_again),
         EACH(a_hosts_own_handles_go_on_beside_tasks), EACH(a_host_that_owns_the_frame_pumps),
         EACH(run_returns_though_its_body_ends_on_a_worker_and_a_detached_task_lives),
         EACH(run_cancels_what_its_body_leaves_alive),
         {every_failing_allocation_is_an_error_and_nothing_else, 2},
         EACH(without_a_stack_the_first_task_fails_and_nobody_hangs),
         ONCE(a_detached_child_that_never_gets_a_stack_is_no_leak))
