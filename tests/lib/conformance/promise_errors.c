/* An error of a task that nobody awaits is counted and never ends the process. (The hook that is told: test_hooks.) */
#include "promise.h"

static atomic_int failed;

static int64_t fails(void *arg)
{
    atomic_fetch_add(&failed, 1);
    if ((intptr_t)arg % 2) {
        cosched_yield();
    }
    return -1 - (int64_t)(intptr_t)arg;
}

static int64_t fails_with_children(void *arg)
{
    for (int i = 0; i < 4; i++) {
        run_spawn(fails, (void *)(intptr_t)i, promise_place(i));
    }
    return fails(arg);
}

enum { MANY = 500 };

PROMISE(errors_of_tasks_that_nobody_awaits_are_counted_and_nothing_ends)
{
    cosched_stats before = run_stats();
    failed = 0;
    for (intptr_t i = 0; i < MANY; i++) {
        EXPECT_EQ(cosched_spawn(NULL, fails, (void *)i, run_at(promise_place(i))), 0);
        EXPECT_EQ(
            cosched_runtime_post(cosched_runtime_self(), promise_place(i), fails, (void *)i, 0), 0);
        EXPECT_EQ(cosched_after(NULL, i % 3, fails, (void *)i, run_at(promise_place(i))), 0);
        cosched_task t = run_spawn(fails, (void *)i, promise_place(i + 1));
        cosched_detach(&t);
    }
    EXPECT_EQ(cosched_spawn(NULL, fails, NULL, run_at(COSCHED_BLOCKING)), 0);
    EXPECT_EQ(run_join(run_spawn(fails_with_children, (void *)6, COSCHED_WORKER)), -7);
    promise_alone();
    EXPECT_EQ(failed, 4 * MANY + 1 + 5);
    cosched_stats after = run_stats();
    EXPECT(after.completed - before.completed >= 4 * MANY + 1 + 5);
    EXPECT_EQ(after.spawned - before.spawned, after.completed - before.completed);
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)5, COSCHED_WORKER)), 5);
}

static int64_t leaves_failures(void *arg)
{
    for (intptr_t i = 0; i < 20; i++) {
        EXPECT_EQ(cosched_spawn(NULL, fails, (void *)i, run_at(promise_place(i))), 0);
    }
    return (intptr_t)arg;
}

START_TEST(the_error_of_a_whole_run_is_its_result)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    failed = 0;
    EXPECT_EQ(run_config(&c, leaves_failures, (void *)(intptr_t)-EIO), -EIO);
    EXPECT_EQ(run_config(&c, leaves_failures, (void *)3), 3);
    EXPECT_EQ(failed, 40); /* cancelled before its start a task still runs */
}

END_TEST

PROMISE_MAIN("promise_errors", ALL(errors_of_tasks_that_nobody_awaits_are_counted_and_nothing_ends),
             ALL(the_error_of_a_whole_run_is_its_result))
