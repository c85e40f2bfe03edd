/* Shutdown with a deadline: waits, then cancels, lets clean up, and says how many were left. (Who they were: test_survivors.) */
#include "promise.h"

enum { TASKS = 24 };

static atomic_int ended, cleaned;
static cosched_event gate[TASKS];

static cosched_runtime *create(int workers)
{
    cosched_config c = {.struct_size = sizeof c, .workers = workers};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &c, NULL), 0);
    ended = cleaned = 0;
    return rt;
}

static void post(cosched_runtime *rt, int i, cosched_fn fn, void *arg)
{
    EXPECT_EQ(cosched_runtime_post(rt, promise_place(i), fn, arg, 0), 0);
}

static int64_t ends_soon(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns((intptr_t)arg)), 0);
    atomic_fetch_add(&ended, 1);
    return 0;
}

START_TEST(stop_waits_for_what_ends_before_its_deadline)
{
    cosched_runtime *rt = create(promise_workers[_i]);
    for (int i = 0; i < TASKS; i++) {
        post(rt, i, ends_soon, (void *)(intptr_t)(i * MS / 10));
    }
    EXPECT_EQ(cosched_runtime_stop(rt, LATEST), 0);
    EXPECT_EQ(ended, TASKS);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, ends_soon, NULL, 0), -ESHUTDOWN);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

static int64_t stays(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    cosched_scope shield; /* a clean-up that has to wait for the other side */
    EXPECT_EQ(cosched_scope_begin(&shield, LATEST, COSCHED_SHIELD), 0);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(MS)), 0);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), 0);
    EXPECT(!cosched_scope_end(&shield));
    atomic_fetch_add(&cleaned, 1);
    return run_return(arg);
}

START_TEST(stop_cancels_the_rest_at_its_deadline_and_waits_for_their_clean_up)
{
    cosched_runtime *rt = create(promise_workers[_i]);
    for (int i = 0; i < TASKS; i++) {
        post(rt, i, stays, NULL);
    }
    int64_t deadline = cosched_in_ms(3);
    EXPECT_EQ(cosched_runtime_stop(rt, deadline), TASKS);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cleaned, TASKS);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

static int64_t arms_and_sleeps(void *arg)
{
    EXPECT_EQ(cosched_every(NULL, HOUR, COSCHED_SKIP, run_return, NULL, NULL), 0);
    EXPECT_EQ(cosched_after(NULL, HOUR, run_return, NULL, NULL), 0);
    return stays(arg);
}

START_TEST(stop_now_ends_what_is_armed_and_what_sleeps)
{
    cosched_runtime *rt = create(promise_workers[_i]);
    post(rt, 0, arms_and_sleeps, NULL);
    while (cosched_runtime_run_expired(rt, MS) >= 0) { /* until it has armed both and sleeps */
        cosched_stats s = {.struct_size = sizeof s};
        EXPECT_EQ(cosched_stats_get(rt, &s), 0);
        if (s.tasks_live == 3) {
            break;
        }
    }
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 3);
    EXPECT_EQ(cleaned, 1);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

static cosched_runtime *looped;

static void *loops(void *arg)
{
    EXPECT_EQ(cosched_runtime_loop(looped), 0);
    return arg;
}

static int64_t waits_at_gate(void *arg)
{
    atomic_fetch_add(&ended, 1);
    int rc = cosched_event_wait(arg, COSCHED_NEVER);
    atomic_fetch_add(&cleaned, rc == -ECANCELED);
    return rc;
}

START_TEST(stop_from_another_thread_counts_those_that_had_to_be_cancelled)
{
    pthread_t main_thread;
    looped = create(promise_workers[_i]);
    for (int i = 0; i < TASKS; i++) {
        cosched_event_init(&gate[i]);
        post(looped, i, waits_at_gate, &gate[i]);
    }
    EXPECT_EQ(pthread_create(&main_thread, NULL, loops, NULL), 0);
    UNTIL_SPIN(ended == TASKS);
    for (int i = 0; i < TASKS / 2; i++) {
        cosched_event_set(&gate[i]);
    }
    cosched_stats s = {.struct_size = sizeof s};
    do { /* those end by themselves */
        EXPECT_EQ(cosched_stats_get(looped, &s), 0);
    } while (s.tasks_live > TASKS - TASKS / 2);
    int stopped = cosched_runtime_stop(looped, COSCHED_NOW);
    EXPECT(stopped >= TASKS - TASKS / 2 && stopped <= TASKS); /* a last step may be to come */
    EXPECT_EQ(cleaned, TASKS - TASKS / 2);
    EXPECT_EQ(pthread_join(main_thread, NULL), 0);
    EXPECT_EQ(cosched_runtime_destroy(looped), 0);
    run_left_nothing();
}

END_TEST

static int64_t detaches_and_ends(void *arg)
{
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(cosched_spawn(NULL, stays, NULL, run_at(promise_place(i))), 0);
    }
    return run_return(arg);
}

START_TEST(a_run_ends_when_its_body_has_and_cancels_what_it_left)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    cleaned = 0;
    EXPECT_EQ(run_config(&c, detaches_and_ends, (void *)4), 4);
    EXPECT_EQ(cleaned, TASKS);
}

END_TEST

PROMISE_MAIN("promise_shutdown", ALL(stop_waits_for_what_ends_before_its_deadline),
             ALL(stop_cancels_the_rest_at_its_deadline_and_waits_for_their_clean_up),
             ALL(stop_now_ends_what_is_armed_and_what_sleeps),
             ALL(stop_from_another_thread_counts_those_that_had_to_be_cancelled),
             ALL(a_run_ends_when_its_body_has_and_cancels_what_it_left))
