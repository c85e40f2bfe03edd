/* Spawning: arguments, attributes, limits, and what a task that starts cancelled sees. */
#include "run.h"

static int64_t sum(void *arg)
{
    const int32_t *v = arg;
    return v[0] + v[1];
}

SCENARIO(result_error_and_large_result_come_back)
{
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)(intptr_t)42, COSCHED_WORKER)), 42);
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)(intptr_t)-ENOENT, COSCHED_WORKER)), -ENOENT);
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)INTPTR_MAX, COSCHED_MAIN)), INT64_MAX);
}

struct big {
    char text[4096];
    size_t length;
};

static int64_t fill_big(void *arg)
{
    struct big *b = arg;
    memset(b->text, 'x', sizeof b->text);
    b->length = sizeof b->text;
    return 0;
}

SCENARIO(a_result_that_is_no_number_travels_through_arg)
{
    struct big *b = calloc(1, sizeof *b);
    EXPECT_EQ(run_join(run_spawn(fill_big, b, COSCHED_WORKER)), 0);
    EXPECT_EQ(b->length, sizeof b->text);
    EXPECT_EQ(b->text[4095], 'x');
    free(b);
}

SCENARIO(small_argument_is_copied_at_the_spawn)
{
    static const size_t sizes[] = {8, COSCHED_ARG_MAX};
    for (size_t i = 0; i < 2; i++) {
        for (int affinity = COSCHED_INHERIT; affinity <= COSCHED_WORKER; affinity++) {
            int32_t v[COSCHED_ARG_MAX / 4] = {40, 2};
            cosched_attr attr = *run_at((cosched_affinity)affinity);
            attr.arg_size = sizes[i];
            cosched_task t;
            EXPECT_EQ(cosched_spawn(&t, sum, v, &attr), 0);
            memset(v, 0xff, sizeof v); /* it has not run yet, or does not care */
            EXPECT_EQ(run_join(t), 42);
        }
    }
}

SCENARIO_ON(1, bad_attributes_are_refused_and_start_nothing)
{
    const cosched_attr good = {.struct_size = sizeof good};
    cosched_attr bad[10];
    for (size_t i = 0; i < 10; i++) {
        bad[i] = good;
    }
    bad[0].struct_size = 0;
    bad[1].struct_size = sizeof good + 1;
    bad[2].arg_size = COSCHED_ARG_MAX + 1;
    bad[3].affinity = COSCHED_BLOCKING; /* without PINNED */
    bad[4].affinity = (cosched_affinity)(COSCHED_BLOCKING + 1);
    bad[5].flags = 0x80;
    bad[6].timeout_ns = -1;
    bad[7].stack_size = SIZE_MAX;
    bad[8].flags = 0x8000; /* a flag of the library's own */
    bad[9].arg_size = SIZE_MAX;
    uint64_t live = run_stats().tasks_live;
    for (size_t i = 0; i < 10; i++) {
        cosched_task t = {7, 7};
        EXPECT_EQ(cosched_spawn(&t, run_return, NULL, &bad[i]), -EINVAL);
        EXPECT_EQ(cosched_spawn(NULL, run_return, NULL, &bad[i]), -EINVAL);
    }
    EXPECT_EQ(run_stats().tasks_live, live);
}

SCENARIO(an_older_callers_shorter_attributes_mean_defaults_for_the_rest)
{
    struct {
        cosched_attr attr;
    } old = {
        {.struct_size = offsetof(cosched_attr, flags), .affinity = COSCHED_WORKER, .flags = 0xffff}};

    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, run_return, (void *)7, &old.attr), 0);
    EXPECT_EQ(run_join(t), 7);
}

static int64_t where_am_i(void *arg)
{
    (void)arg;
    return (int64_t)cosched_where();
}

static int64_t spawner_of_inherit(void *arg)
{
    (void)arg;
    return run_join(run_spawn(where_am_i, NULL, COSCHED_INHERIT));
}

SCENARIO(child_inherits_the_place_of_its_parent)
{
    EXPECT_EQ(run_join(run_spawn(spawner_of_inherit, NULL, COSCHED_WORKER)), COSCHED_WORKER);
    EXPECT_EQ(run_join(run_spawn(spawner_of_inherit, NULL, COSCHED_MAIN)), COSCHED_MAIN);
}

static int64_t mark_and_sleep(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(cancelled_before_its_start_it_still_runs_and_its_first_wait_says_so)
{
    for (int parked = 0; parked < 2;
         parked++) { /* run inline by who awaits it, and in its own turn */
        atomic_int ran = 0;
        int64_t result = 0;
        cosched_task t =
            run_spawn(mark_and_sleep, &ran, COSCHED_MAIN); /* MAIN is us: it cannot have started */
        cosched_cancel(t);
        EXPECT_EQ(cosched_await(&t, &result, parked ? cosched_in_ms(60000) : COSCHED_NEVER), 0);
        EXPECT_EQ(result, -ECANCELED);
        EXPECT_EQ(ran, 1);
    }
}

SCENARIO(skip_if_canceled_does_not_run_when_cancelled_before_its_start)
{
    atomic_int ran = 0;
    cosched_attr attr = *run_at(COSCHED_MAIN);
    attr.flags = COSCHED_SKIP_IF_CANCELED;
    for (int inline_await = 0; inline_await < 2; inline_await++) {
        cosched_task t;
        int64_t result = 0;
        EXPECT_EQ(cosched_spawn(&t, mark_and_sleep, &ran, &attr), 0);
        cosched_cancel(t);
        EXPECT_EQ(cosched_await(&t, &result, inline_await ? COSCHED_NEVER : cosched_in_ms(60000)),
                  0);
        EXPECT_EQ(result, -ECANCELED);
    }
    EXPECT_EQ(ran, 0);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, run_return, (void *)3, &attr), 0);
    EXPECT_EQ(run_join(t), 3); /* the flag alone skips nothing */
}

static int64_t tasks_max_body(void *arg)
{
    int64_t max = (int64_t)(intptr_t)arg;
    cosched_task *tasks = calloc((size_t)max + 1, sizeof *tasks);
    int64_t n = 0;
    int rc;
    while ((rc = cosched_spawn(&tasks[n], run_return, NULL, NULL)) == 0 && n < max) {
        n++;
    }
    EXPECT_EQ(rc, -EAGAIN);
    for (int64_t i = 0; i < n; i++) {
        EXPECT_EQ(run_join(tasks[i]), 0);
    }
    cosched_task again;
    EXPECT_EQ(cosched_spawn(&again, run_return, NULL, NULL), 0); /* there is room again */
    EXPECT_EQ(run_join(again), 0);
    free(tasks);
    return n;
}

START_TEST(spawn_beyond_tasks_max_says_eagain_in_every_runtime)
{
    static const uint32_t limits[] = {1000, 100,
                                      500}; /* the second is below what the first has used */
    for (size_t i = 0; i < 3; i++) {
        cosched_config c = {.struct_size = sizeof c, .tasks_max = limits[i]};
        EXPECT_EQ(run_config(&c, tasks_max_body, (void *)(intptr_t)limits[i]),
                  (int64_t)limits[i] - 1);
    }
}

END_TEST

START_TEST(outside_tasks_spawn_is_refused)
{
    cosched_task t = {1, 1};
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), -EPERM);
}

END_TEST

static int64_t timed_out_child(void *arg)
{
    (void)arg;
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(timeout_of_a_task_cancels_it)
{
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        cosched_attr attr = *run_at((cosched_affinity)affinity);
        attr.timeout_ns = 2000000;
        cosched_task t;
        int64_t began = cosched_now();
        EXPECT_EQ(cosched_spawn(&t, timed_out_child, NULL, &attr), 0);
        EXPECT_EQ(run_join(t), -ECANCELED);
        EXPECT(cosched_now() - began >= 2000000);
    }
}

static int64_t copied_with_timeout(void *arg)
{
    int64_t v;
    memcpy(&v, arg, sizeof v);
    return cosched_sleep_until(cosched_in_ns(1)) == 0 ? v : -1;
}

SCENARIO(timeout_and_copied_argument_go_together)
{
    int64_t v = 1234567;
    cosched_attr attr = *run_at(COSCHED_WORKER);
    attr.timeout_ns = INT64_MAX; /* saturates */
    attr.arg_size = sizeof v;
    attr.stack_size = (size_t)256 * 1024;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, copied_with_timeout, &v, &attr), 0);
    EXPECT_EQ(run_join(t), 1234567);
}

static int64_t stack_left(void *arg)
{
    (void)arg;
    return (int64_t)cosched_stack_left();
}

SCENARIO(stack_size_is_what_the_body_may_use)
{
    static const size_t sizes[] = {1, 4096, 60000, (size_t)1 << 20};
    for (size_t i = 0; i < 4; i++) {
        cosched_attr attr = *run_at(COSCHED_WORKER);
        attr.stack_size = sizes[i];
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, stack_left, NULL, &attr), 0);
        EXPECT(run_join(t) + 1024 >= (int64_t)sizes[i]); /* our own first frames stand on it, too */
    }
    EXPECT(run_join(run_spawn(stack_left, NULL, COSCHED_INHERIT)) >=
           15 * 1024); /* the promise, inline too */
}

RUN_MAIN("spawn", EACH(result_error_and_large_result_come_back),
         EACH(a_result_that_is_no_number_travels_through_arg),
         EACH(small_argument_is_copied_at_the_spawn),
         ONCE(bad_attributes_are_refused_and_start_nothing),
         EACH(an_older_callers_shorter_attributes_mean_defaults_for_the_rest),
         EACH(child_inherits_the_place_of_its_parent),
         EACH(cancelled_before_its_start_it_still_runs_and_its_first_wait_says_so),
         EACH(skip_if_canceled_does_not_run_when_cancelled_before_its_start),
         ONCE(spawn_beyond_tasks_max_says_eagain_in_every_runtime),
         ONCE(outside_tasks_spawn_is_refused), EACH(timeout_of_a_task_cancels_it),
         EACH(timeout_and_copied_argument_go_together), EACH(stack_size_is_what_the_body_may_use))
