/* What MAIN learns of functions that it may help with: from whom, what it keeps, and what it forgets. */
#include "test_help.h"

static atomic_bool enough;

/* Always runnable. */
static int64_t crowd(void *arg)
{
    while (!enough) {
        cosched_yield();
    }
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, the_workers_learn_while_they_are_behind)
{
    enum { N = 64, CROWD = 32 };

    cosched_task members[CROWD], t[N];
    main_thread = run_thread();
    enough = false;
    for (int i = 0; i < CROWD; i++) { /* no worker sleeps */
        members[i] = spawn_with(crowd, NULL, COSCHED_NO_HELP);
    }
    while (cos_help_cost(help(), brief) < 0) {
        for (intptr_t i = 0; i < N; i++) {
            t[i] = spawn_with(brief, (void *)i, 0);
        }
        for (intptr_t i = 0; i < N; i++) {
            EXPECT_EQ(run_join(t[i]), i);
        }
    }
    enough = true;
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ(run_join(members[i]), 0);
    }
    EXPECT(cos_help_cost(help(), brief) < INT64_MAX || RUN_TSAN ||
           RUN_ASAN); /* their price is a start's, too */
}

static int64_t burns(void *arg)
{
    started++;
    on_main += pthread_equal(run_thread(), main_thread) ? 1 : 0;
    int64_t end = cos_clock_cpu() + 2 * COS_HELP_NS;
    while (cos_clock_cpu() < end) {
        RUN_PAUSE();
    }
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, a_function_that_kept_main_too_long_is_never_helped_again)
{
    teach(burns, 1000);
    hold_workers();
    EXPECT_EQ(run_join(spawn_with(burns, (void *)1, 0)), 1);
    EXPECT_EQ(on_main, 1);
    release_workers();
    EXPECT_EQ(cos_help_cost(help(), burns), INT64_MAX);
    teach(burns, 1000);
    EXPECT_EQ(cos_help_cost(help(), burns), INT64_MAX);
    started = on_main = 0;
    expect_left_alone(burns, 0);
}

START_TEST(cost_goes_up_at_once_and_down_by_and_by)
{
    static struct cos_help h;
    for (int i = 1; i < COS_HELP_SEEN; i++) {
        cos_help_learn(&h, brief, 5000, false);
        EXPECT_EQ(cos_help_cost(&h, brief), -1);
    }
    cos_help_learn(&h, brief, 5000, false);
    EXPECT_EQ(cos_help_cost(&h, brief), 5000);
    cos_help_learn(&h, brief, 800000, false);
    EXPECT_EQ(cos_help_cost(&h, brief), 800000);
    int64_t before = 800000;
    int steps = 0;
    for (; cos_help_cost(&h, brief) > 5000; steps++) {
        cos_help_learn(&h, brief, 5000, false);
        EXPECT(cos_help_cost(&h, brief) < before);
        before = cos_help_cost(&h, brief);
    }
    EXPECT(steps > 16 && steps < 64);
    cos_help_learn(&h, brief, INT64_MAX, false);
    EXPECT(cos_help_cost(&h, brief) > COS_HELP_NS && cos_help_cost(&h, brief) < INT64_MAX);
    EXPECT_EQ(cos_help_cost(&h, burns), -1);
}

END_TEST

START_TEST(more_functions_than_fit_are_forgotten_not_mixed_up)
{
    enum { FNS = 4 << COS_HELP_FNS_LOG2 };

    static struct cos_help h;
    for (uintptr_t i = 1; i <= FNS; i++) {
        for (int n = 0; n < COS_HELP_SEEN; n++) {
            cos_help_learn(&h, (cosched_fn)(i * 16), (int64_t)i * 1000, false);
        }
    }
    int known = 0;
    for (uintptr_t i = 1; i <= FNS; i++) {
        int64_t cost = cos_help_cost(&h, (cosched_fn)(i * 16));
        EXPECT(cost == -1 || cost == (int64_t)i * 1000);
        known += cost >= 0 ? 1 : 0;
    }
    EXPECT(known > 0 && known <= 1 << COS_HELP_FNS_LOG2);
}

END_TEST

RUN_MAIN("help_learn", SOME(the_workers_learn_while_they_are_behind),
         SOME(a_function_that_kept_main_too_long_is_never_helped_again),
         ONCE(cost_goes_up_at_once_and_down_by_and_by),
         ONCE(more_functions_than_fit_are_forgotten_not_mixed_up))
