/* Groups: race, first of n, a limit of how many run at a time, and all policies in a storm (supervised ones: test_supervise.c). */
#include "base/clock.h"
#include "base/rng.h"
#include "run.h"

static uint64_t seed;
static atomic_int begun, ended, canceled, inside, peak;

static cosched_affinity place(int i)
{
    return i % 3 == 0 ? COSCHED_INHERIT : i % 3 == 1 ? COSCHED_MAIN : COSCHED_WORKER;
}

static int64_t sleeper(void *arg)
{
    (void)arg;
    atomic_fetch_add(&begun, 1);
    int rc = cosched_sleep_until(COSCHED_NEVER);
    atomic_fetch_add(&canceled, rc == -ECANCELED);
    atomic_fetch_add(&ended, 1);
    return rc;
}

static void reset(void)
{
    begun = ended = canceled = inside = peak = 0;
}

static cosched_group_attr policy(cosched_policy p)
{
    return (cosched_group_attr){.struct_size = sizeof(cosched_group_attr), .policy = p};
}

static void only_we_live(void)
{
    EXPECT_EQ(run_stats().tasks_live, 1);
}

/* --- race ------------------------------------------------------------------------------------------------- */

SCENARIO(race_returns_what_the_first_returns_and_cancels_the_rest)
{
    static const int64_t results[] = {7, 0, -EIO};
    for (int i = 0; i < 3; i++) {
        cosched_group_attr attr = policy(COSCHED_RACE);
        cosched_group g;
        reset();
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        for (int k = 0; k < 20; k++) {
            EXPECT_EQ(cosched_group_spawn(&g, sleeper, NULL, run_at(place(k))), 0);
        }
        EXPECT_EQ(cosched_group_spawn(&g, run_return, (void *)(intptr_t)results[i],
                                      run_at(COSCHED_WORKER)),
                  0);
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), results[i]);
        EXPECT_EQ(ended, 20);
        EXPECT_EQ(canceled, 20);
        only_we_live();
    }
}

static int64_t returns_and_counts(void *arg)
{
    atomic_fetch_add(&ended, 1);
    return run_return(arg);
}

SCENARIO(race_of_many_has_one_winner)
{
    int n = RUN_SIZE(10000, 2000, 1000), in = 0;
    cosched_group_attr attr = policy(COSCHED_RACE);
    cosched_group g;
    reset();
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    for (int i = 0; i < n; i++) {
        int rc = cosched_group_spawn(&g, returns_and_counts, (void *)(intptr_t)(i + 1),
                                     run_at(place(i)));
        EXPECT(rc == 0 || rc == -ECANCELED); /* decided already */
        in += rc == 0;
    }
    int64_t winner = cosched_group_join(&g, COSCHED_NEVER);
    EXPECT(winner >= 1 && winner <= in);
    EXPECT_EQ(ended, in);
    only_we_live();
}

/* --- the first n ------------------------------------------------------------------------------------------- */

SCENARIO(first_n_counts_successes_only)
{
    cosched_group_attr attr = policy(COSCHED_FIRST_N);
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, &attr), -EINVAL); /* of none */
    attr.first_n = 3;
    reset();
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(cosched_group_spawn(&g, sleeper, NULL, run_at(place(i))), 0);
        EXPECT_EQ(cosched_group_spawn(&g, run_return, (void *)(intptr_t)-EIO, run_at(place(i))), 0);
    }
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(cosched_group_spawn(&g, run_return, (void *)5, run_at(place(i))), 0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 3);
    EXPECT_EQ(canceled, 10);
    EXPECT_EQ(cosched_group_init(&g, &attr), 0); /* too few of them: all run to their end */
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(cosched_group_spawn(&g, run_return, (void *)(intptr_t)(i < 2 ? i : -EIO),
                                      run_at(place(i))),
                  0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 2);
    int n = RUN_SIZE(10000, 2000, 1000), in = 0;
    attr.first_n = (uint32_t)n / 2;
    reset();
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    for (int i = 0; i < n; i++) {
        int rc = cosched_group_spawn(&g, returns_and_counts, NULL, run_at(place(i)));
        EXPECT(rc == 0 || (rc == -ECANCELED && in >= n / 2));
        in += rc == 0;
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), n / 2);
    EXPECT_EQ(ended, in);
    only_we_live();
}

/* --- so many at a time -------------------------------------------------------------------------------------- */

static int64_t one_of_few(void *arg)
{
    int now = atomic_fetch_add(&inside, 1) + 1, seen = peak;
    while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now)) {
    }
    for (intptr_t i = (intptr_t)arg; i > 0; i--) {
        cosched_yield();
    }
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&ended, 1);
    return 0;
}

SCENARIO(no_more_than_the_limit_run_at_a_time)
{
    uint64_t rng = seed;
    for (uint32_t limit = 1; limit <= 9; limit += 4) {
        int n = RUN_SIZE(10000, 2000, 1000);
        cosched_group_attr attr = policy(COSCHED_COLLECT);
        attr.max_parallel = limit;
        cosched_group g;
        reset();
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        for (int i = 0; i < n; i++) {
            EXPECT_EQ(cosched_group_spawn(&g, one_of_few, (void *)(intptr_t)cos_rng_below(&rng, 3),
                                          run_at(place((int)cos_rng_below(&rng, 3)))),
                      0);
        }
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        EXPECT_EQ(ended, n);
        EXPECT(peak <= (int)limit && peak > 0);
        only_we_live();
    }
}

static int64_t in_line(void *arg)
{
    EXPECT_EQ(atomic_fetch_add(&ended, 1), *(int *)arg);
    cosched_yield();
    return 0;
}

SCENARIO(those_who_wait_for_their_turn_come_in_order)
{
    cosched_group_attr attr = policy(COSCHED_FAIL_FAST);
    attr.max_parallel = 1;
    cosched_group g;
    reset();
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    for (int i = 0; i < 500; i++) {
        cosched_attr copied = {
            .struct_size = sizeof copied, .arg_size = sizeof i, .affinity = place(i)};
        EXPECT_EQ(cosched_group_spawn(&g, in_line, &i, &copied), 0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(ended, 500);
}

SCENARIO(cancelled_while_most_wait_for_their_turn)
{
    for (int skip = 0; skip < 2; skip++) {
        cosched_group_attr attr = policy(COSCHED_COLLECT);
        attr.max_parallel = 3;
        cosched_attr child = {.struct_size = sizeof child,
                              .affinity = COSCHED_WORKER,
                              .flags = skip ? COSCHED_SKIP_IF_CANCELED : 0};
        cosched_group g;
        reset();
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        for (int i = 0; i < 100; i++) {
            EXPECT_EQ(cosched_group_spawn(&g, sleeper, NULL, &child), 0);
        }
        UNTIL(begun == 3);
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NOW), -ETIMEDOUT);
        EXPECT_EQ(ended, skip ? 3 : 100);
        EXPECT_EQ(canceled, skip ? 3 : 100);
        only_we_live();
    }
}

SCENARIO(threads_of_their_own_one_after_another)
{
    cosched_group_attr attr = policy(COSCHED_FAIL_FAST);
    attr.max_parallel = 2;
    cosched_group g;
    reset();
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    int n = RUN_SIZE(150, 150, 80);
    for (int i = 0; i < n; i++) { /* more than there are such threads */
        EXPECT_EQ(cosched_group_spawn(&g, one_of_few, NULL,
                                      run_at(i % 3 == 0 ? COSCHED_WORKER : COSCHED_BLOCKING)),
                  0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(ended, n);
    EXPECT(peak <= 2);
}

SCENARIO(a_child_that_is_refused_takes_no_place)
{
    cosched_group_attr attr = policy(COSCHED_RACE);
    attr.max_parallel = 1;
    cosched_attr bad = {.struct_size = sizeof bad, .arg_size = COSCHED_ARG_MAX + 1};
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    EXPECT_EQ(cosched_group_spawn(&g, run_return, NULL, &bad), -EINVAL);
    EXPECT_EQ(cosched_group_spawn(&g, run_return, (void *)9, NULL), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 9);
}

/* --- all of them ---------------------------------------------------------------------------------------------- */

SCENARIO(what_a_group_refuses)
{
    cosched_group g;
    cosched_group_attr attr = policy((cosched_policy)9);
    EXPECT_EQ(cosched_group_init(&g, &attr), -EINVAL);
    attr = policy(COSCHED_SUPERVISE);
    attr.restarts_max = COSCHED_RESTARTS_MAX + 1;
    attr.restart_window_ns = 1;
    EXPECT_EQ(cosched_group_init(&g, &attr), -EINVAL);
    attr.restarts_max = COSCHED_RESTARTS_MAX;
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    cosched_attr bad = {.struct_size = sizeof bad, .flags = 0x8000};
    EXPECT_EQ(cosched_group_spawn(&g, run_return, NULL, &bad), -EINVAL);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    attr.restart_window_ns = -1;
    EXPECT_EQ(cosched_group_init(&g, &attr), -EINVAL);
    attr = policy(COSCHED_SUPERVISE);
    attr.backoff_ns = -1;
    EXPECT_EQ(cosched_group_init(&g, &attr), -EINVAL);
}

/* All policies, limits, results and cancels at random: nobody outlives the join, and each child ends once. */
SCENARIO(storm_of_groups_leaves_nothing)
{
    uint64_t rng = seed;
    for (int round = 0; round < RUN_SIZE(400, 100, 60); round++) {
        cosched_group_attr attr = policy((cosched_policy)cos_rng_below(&rng, 5));
        attr.first_n = 1 + cos_rng_below(&rng, 10);
        attr.max_parallel = cos_rng_below(&rng, 4);
        attr.restarts_max = 1 + cos_rng_below(&rng, 5);
        attr.restart_window_ns = cos_rng_below(&rng, 2) * COS_NS_PER_S;
        cosched_group g;
        reset();
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        int n = (int)cos_rng_below(&rng, 30), in = 0;
        for (int i = 0; i < n; i++) {
            intptr_t result = cos_rng_below(&rng, 3) == 0 ? -EIO : (intptr_t)i;
            bool sleeps = cos_rng_below(&rng, 8) == 0;
            int rc = cosched_group_spawn(&g, sleeps ? sleeper : returns_and_counts, (void *)result,
                                         run_at(place((int)cos_rng_below(&rng, 3))));
            EXPECT(rc == 0 || rc == -ECANCELED);
            in += rc == 0;
            if (cos_rng_below(&rng, 64) == 0) {
                cosched_group_cancel(&g);
            }
        }
        int64_t rc = cosched_group_join(&g, cosched_in_ns(cos_rng_below(&rng, 2000000)));
        EXPECT(rc >= 0 || rc == -ETIMEDOUT || rc == -EIO || rc == -ECANCELED);
        EXPECT(attr.policy == COSCHED_SUPERVISE ? ended >= in : ended == in);
        only_we_live();
    }
}

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        EACH(race_returns_what_the_first_returns_and_cancels_the_rest),
        EACH(race_of_many_has_one_winner),
        EACH(first_n_counts_successes_only),
        EACH(no_more_than_the_limit_run_at_a_time),
        EACH(those_who_wait_for_their_turn_come_in_order),
        EACH(cancelled_while_most_wait_for_their_turn),
        EACH(threads_of_their_own_one_after_another),
        EACH(a_child_that_is_refused_takes_no_place),
        EACH(what_a_group_refuses),
        EACH(storm_of_groups_leaves_nothing),
    };
    return run_suite("group_policy", tests, sizeof tests / sizeof tests[0]);
}
