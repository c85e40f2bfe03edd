/* Once: fn runs one time, nobody goes on before it has, and all get its result. */
#include "test_sync.h"

struct shared {
    cosched_once once;
    cosched_event go;
    atomic_int runs;
    int made; /* plain: published by the once */
};

static int64_t make(void *arg)
{
    struct shared *s = arg;
    atomic_fetch_add(&s->runs, 1);
    cosched_yield();
    cosched_hop(cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN);
    s->made = 4711;
    return 42;
}

static int64_t get(void *arg)
{
    struct shared *s = arg;
    int64_t result = 0;
    EXPECT_EQ(cosched_once_run(&s->once, &result, make, s, COSCHED_NEVER), 0);
    EXPECT_EQ(s->made, 4711);
    return result;
}

SCENARIO(many_callers_one_run)
{
    for (int round = 0; round < RUN_SIZE(200, 60, 30); round++) {
        struct shared s = {.runs = 0};
        cosched_task t[12];
        for (int i = 0; i < 12; i++) {
            t[i] = run_spawn(get, &s, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        for (int i = 0; i < 12; i++) {
            EXPECT_EQ(run_join(t[i]), 42);
        }
        EXPECT_EQ(s.runs, 1);
        EXPECT_EQ(cosched_once_run(&s.once, NULL, make, &s, COSCHED_NOW), 0);
        EXPECT_EQ(s.runs, 1);
    }
}

static int64_t call_again(void *arg)
{
    struct shared *s = arg;
    return cosched_once_run(&s->once, NULL, make, s, COSCHED_NEVER);
}

static int64_t end_with_a_tail(void *arg)
{
    return cosched_tail(make, arg);
}

SCENARIO(fn_is_a_call_it_may_fail_end_with_a_tail_and_not_wait_for_itself)
{
    struct shared s = {.runs = 0}, t = {.runs = 0};
    int64_t result = 0;
    EXPECT_EQ(cosched_once_run(&s.once, &result, call_again, &s, COSCHED_NEVER), 0);
    EXPECT_EQ(result, -EDEADLK);
    EXPECT_EQ(cosched_once_run(&s.once, &result, make, &s, COSCHED_NEVER), 0);
    EXPECT_EQ(result, -EDEADLK); /* it has run, and failed */
    EXPECT_EQ(cosched_once_run(&t.once, &result, end_with_a_tail, &t, COSCHED_NEVER), 0);
    EXPECT_EQ(result, 42);
    EXPECT_EQ(t.made, 4711);
}

START_TEST(it_is_for_tasks)
{
    struct shared s = {.runs = 0};
    EXPECT_EQ(cosched_once_run(&s.once, NULL, make, &s, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(s.runs, 0);
}

END_TEST

static int64_t make_when_told(void *arg)
{
    struct shared *s = arg;
    cosched_event_wait_always(&s->go);
    return make(s);
}

static int64_t get_slowly(void *arg)
{
    struct shared *s = arg;
    int64_t result = 0;
    int rc = cosched_once_run(&s->once, &result, make_when_told, s, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

SCENARIO(waiters_may_give_up_the_runner_goes_on)
{
    struct shared s = {.runs = 0};
    cosched_task runner = sync_spawn_and_let_wait(get_slowly, &s);
    cosched_task gone = sync_spawn_and_let_wait(get_slowly, &s),
                 kept = sync_spawn_and_let_wait(get_slowly, &s);
    EXPECT_EQ(cosched_once_run(&s.once, NULL, make, &s, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_once_run(&s.once, NULL, make, &s, cosched_in_ms(2)), -ETIMEDOUT);
    cosched_cancel(gone);
    EXPECT_EQ(run_join(gone), -ECANCELED);
    cosched_cancel(runner); /* fn decides what that means; here: nothing */
    cosched_event_set(&s.go);
    EXPECT_EQ(run_join(kept), 42);
    EXPECT_EQ(run_join(runner), 42);
    EXPECT_EQ(s.runs, 1);
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct shared *s = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        int64_t result = 0;
        if (!storm_gave_up(cosched_once_run(&s->once, &result, make, s, storm_deadline(t)))) {
            EXPECT_EQ(result, 42);
            EXPECT_EQ(s->made, 4711);
        }
        storm_pause(t);
    }
    return 0;
}

SCENARIO(in_a_storm_it_runs_at_most_once)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(150, 40, 20); round++) {
        struct shared s = {.runs = 0};
        storm_round(storm, &s, &rng);
        EXPECT_EQ(get(&s), 42);
        EXPECT_EQ(s.runs, 1);
    }
}

RUN_MAIN("once", EACH(many_callers_one_run),
         EACH(fn_is_a_call_it_may_fail_end_with_a_tail_and_not_wait_for_itself),
         ONCE(it_is_for_tasks), EACH(waiters_may_give_up_the_runner_goes_on),
         EACH(in_a_storm_it_runs_at_most_once))
