/* Counters and levels: what they count, and how they are asked for. */
#include "run.h"

SCENARIO(counters_follow_what_tasks_do)
{
    cosched_stats a = run_stats();
    EXPECT_EQ(a.tasks_live, 1);
    EXPECT(a.main_slices >= 1);
    for (int i = 0; i < 10; i++) {
        run_join(run_spawn(run_return, NULL, i % 2 ? COSCHED_MAIN : COSCHED_WORKER));
    }
    cosched_hop(COSCHED_WORKER);
    cosched_hop(COSCHED_MAIN);
    cosched_yield();
    cosched_stats b = run_stats();
    EXPECT_EQ(b.spawned - a.spawned, 10);
    EXPECT_EQ(b.completed - a.completed, 10);
    EXPECT_EQ(b.hops_to_worker - a.hops_to_worker, 1);
    EXPECT_EQ(b.hops_to_main - a.hops_to_main, 1);
    EXPECT_EQ(b.yields - a.yields, 1);
    EXPECT(b.switches > a.switches);
    EXPECT(b.main_slices > a.main_slices);
    EXPECT_EQ(b.tasks_live, 1);
    EXPECT(b.tasks_peak >= 1);
    EXPECT(b.stacks_in_use >= 1);
    EXPECT(b.stack_bytes >= (uint64_t)64 * 1024);
}

static int64_t sleep_ten_minutes(void *arg)
{
    (void)arg;
    return cosched_sleep_until(cosched_in_ms(600000));
}

SCENARIO(levels_go_up_and_down)
{
    cosched_task t[100];
    for (int i = 0; i < 100; i++) {
        t[i] = run_spawn(sleep_ten_minutes, NULL, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    EXPECT_EQ(run_stats().tasks_live, 101);
    UNTIL(run_stats().timers == 100);
    EXPECT_EQ(run_stats().stacks_in_use, 101);
    for (int i = 0; i < 100; i++) {
        cosched_cancel(t[i]);
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    EXPECT_EQ(run_stats().tasks_live, 1);
    EXPECT(run_stats().tasks_peak >= 101);
    UNTIL(run_stats().stacks_in_use == 1);
}

SCENARIO(a_refused_spawn_counts_nothing)
{
    cosched_stats a = run_stats();
    cosched_attr bad = {.struct_size = sizeof bad, .affinity = COSCHED_BLOCKING};
    for (int i = 0; i < 10; i++) {
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, run_return, NULL, &bad), -EINVAL);
    }
    EXPECT_EQ(run_stats().spawned, a.spawned);
    EXPECT_EQ(run_stats().tasks_live, a.tasks_live);
}

SCENARIO(an_older_callers_smaller_struct_is_filled_and_no_byte_more)
{
    struct {
        cosched_stats stats;
        unsigned char guard[16];
    } small;

    memset(&small, 0xa5, sizeof small);
    small.stats.struct_size = offsetof(cosched_stats, switches);
    EXPECT_EQ(cosched_stats_get(cosched_runtime_self(), &small.stats), 0);
    EXPECT_EQ(small.stats.tasks_live, 1);
    EXPECT_EQ(small.stats.struct_size, offsetof(cosched_stats, switches));
    EXPECT_EQ(small.stats.switches, UINT64_C(0xa5a5a5a5a5a5a5a5));
    small.stats.struct_size = 0;
    EXPECT_EQ(cosched_stats_get(cosched_runtime_self(), &small.stats), -EINVAL);
    small.stats.struct_size = sizeof small.stats + 1;
    EXPECT_EQ(cosched_stats_get(cosched_runtime_self(), &small.stats), -EINVAL);
    EXPECT_EQ(cosched_stats_get(NULL, &small.stats), -EINVAL);
}

static int64_t busy_until_seen(void *arg)
{
    UNTIL(atomic_load((atomic_int *)arg) > 0);
    return 0;
}

SCENARIO_ON(2, work_of_workers_is_told_by_worker)
{
    atomic_int go = 0;
    cosched_task t[8];
    for (int i = 0; i < 8; i++) {
        t[i] = run_spawn(busy_until_seen, &go, COSCHED_WORKER);
    }
    UNTIL(run_stats().worker[0].slices > 0 &&
          run_stats().worker[1].slices > 0); /* the second found its way to work */
    go = 1;
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    cosched_stats s = run_stats();
    EXPECT(s.worker[0].steals + s.worker[1].steals + s.injector_popped >
           0); /* MAIN made them; they came over somehow */
    EXPECT_EQ(s.worker[2].slices, 0);
}

static void *read_for_a_while(void *arg)
{
    cosched_stats s = {.struct_size = sizeof s}, last = s;
    for (int i = 0; i < 2000; i++) {
        EXPECT_EQ(cosched_stats_get(arg, &s), 0);
        EXPECT(s.spawned >= last.spawned && s.completed >= last.completed &&
               s.switches >= last.switches);
        last = s;
    }
    return NULL;
}

SCENARIO(a_foreign_thread_reads_counters_that_only_grow)
{
    pthread_t t;
    EXPECT_EQ(pthread_create(&t, NULL, read_for_a_while, cosched_runtime_self()), 0);
    for (int i = 0; i < 2000; i++) {
        run_join(run_spawn(run_return, NULL, i % 16 == 0 ? COSCHED_WORKER : COSCHED_INHERIT));
        if (i % 100 == 0) {
            run_join(run_spawn(run_return, NULL, COSCHED_BLOCKING));
        }
    }
    EXPECT_EQ(pthread_join(t, NULL), 0);
}

RUN_MAIN("stats", EACH(counters_follow_what_tasks_do), EACH(levels_go_up_and_down),
         EACH(a_refused_spawn_counts_nothing),
         EACH(an_older_callers_smaller_struct_is_filled_and_no_byte_more),
         ONCE(work_of_workers_is_told_by_worker),
         EACH(a_foreign_thread_reads_counters_that_only_grow))
