/* Hops: a task that moves between executors keeps its stack, its identity and its place in the order of things. */
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"

static pthread_t main_thread;

SCENARIO(hop_goes_there_and_says_where_it_was)
{
    main_thread = run_thread();
    cosched_task self = cosched_self();
    int local = 1;
    for (int i = 0; i < 500; i++) {
        EXPECT_EQ(cosched_hop(COSCHED_WORKER), COSCHED_MAIN);
        EXPECT_EQ(cosched_where(), COSCHED_WORKER);
        EXPECT(run_stats().workers == 0 || !pthread_equal(run_thread(), main_thread));
        local++;
        EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_WORKER);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
        EXPECT(pthread_equal(run_thread(), main_thread));
    }
    EXPECT_EQ(local, 501);
    EXPECT_EQ(cosched_self().generation, self.generation);
    EXPECT_EQ(run_stats().hops_to_worker, 500);
    EXPECT_EQ(run_stats().hops_to_main, 500);
}

SCENARIO(hop_to_where_it_is_or_to_nowhere_does_nothing)
{
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_MAIN);
    EXPECT_EQ(cosched_hop(COSCHED_INHERIT), COSCHED_MAIN);
    EXPECT_EQ(cosched_hop(COSCHED_BLOCKING), COSCHED_MAIN);
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    EXPECT_EQ(run_stats().hops_to_main, 0);
}

static int64_t hop_when_canceled(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    for (int i = 0; i < 10; i++) {
        cosched_hop(i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        EXPECT_EQ(cosched_where(), i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    return run_return(arg);
}

SCENARIO(a_cancelled_task_can_still_hop)
{
    cosched_task t = run_spawn(hop_when_canceled, (void *)3, COSCHED_WORKER);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), 3);
}

static int64_t many_hops(void *arg)
{
    int n = (int)(intptr_t)arg;
    char frame[256];
    memset(frame, n, sizeof frame);
    for (int i = 0; i < 200; i++) {
        cosched_hop(i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        if (i % 2 == 0) {
            EXPECT(pthread_equal(run_thread(), main_thread));
        }
        if (i % 5 == n % 5) {
            cosched_yield();
        }
        EXPECT_EQ(frame[i], (char)n);
    }
    return n;
}

SCENARIO(many_tasks_hop_back_and_forth)
{
    main_thread = run_thread();
    cosched_task t[32];
    for (intptr_t i = 0; i < 32; i++) {
        t[i] = run_spawn(many_hops, (void *)i, i % 3 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 32; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
}

static atomic_bool arrived;

static int64_t hop_to_main(void *arg)
{
    (void)arg;
    cosched_hop(COSCHED_MAIN);
    arrived = true;
    return 1;
}

SCENARIO_ON(2, hop_to_a_busy_main_waits_and_cannot_be_withdrawn)
{
    cosched_task t = run_spawn(hop_to_main, NULL, COSCHED_WORKER);
    UNTIL_SPIN(run_stats().hops_to_main ==
               1); /* MAIN is this thread: it is not let in before we wait */
    cosched_cancel(t);
    EXPECT(!arrived);
    EXPECT_EQ(run_join(t), 1);
    EXPECT(arrived);
}

RUN_MAIN("hop", EACH(hop_goes_there_and_says_where_it_was),
         EACH(hop_to_where_it_is_or_to_nowhere_does_nothing), EACH(a_cancelled_task_can_still_hop),
         EACH(many_tasks_hop_back_and_forth), ONCE(hop_to_a_busy_main_waits_and_cannot_be_withdrawn))
