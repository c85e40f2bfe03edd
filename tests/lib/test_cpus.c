/* How many CPUs there are for us, and how many workers follow from that. */
#include "run.h"
#include "sched/cpus.h"

static void bind_to(int n)
{
    cpu_set_t all, some;
    EXPECT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
    CPU_ZERO(&some);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < n; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &some);
        }
    }
    EXPECT_EQ(sched_setaffinity(0, sizeof some, &some), 0);
}

START_TEST(never_more_than_the_affinity_mask_and_at_least_one)
{
    cpu_set_t set;
    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    EXPECT(cos_effective_cpus() >= 1 && cos_effective_cpus() <= CPU_COUNT(&set));
    bind_to(1);
    EXPECT_EQ(cos_effective_cpus(), 1);
}

END_TEST

static int64_t count_workers(void *arg)
{
    (void)arg;
    return (int64_t)run_stats().workers;
}

START_TEST(default_workers_leave_a_cpu_for_main)
{
    int32_t cpus = cos_effective_cpus();
    int64_t expected = cpus - 1 < 1                     ? 1
                       : cpus - 1 > COSCHED_WORKERS_MAX ? COSCHED_WORKERS_MAX
                                                        : cpus - 1;
    cosched_config c = {.struct_size = sizeof c, .workers = -1};
    EXPECT_EQ(run_config(&c, count_workers, NULL), expected);
    EXPECT_EQ(run_config(NULL, count_workers, NULL), expected);
    bind_to(1);
    EXPECT_EQ(run_config(NULL, count_workers, NULL), 1);
}

END_TEST

START_TEST(as_many_workers_as_can_be_asked_for)
{
    cosched_config c = {.struct_size = sizeof c, .workers = COSCHED_WORKERS_MAX};
    EXPECT_EQ(run_config(&c, count_workers, NULL), COSCHED_WORKERS_MAX);
}

END_TEST

RUN_MAIN("cpus", ONCE(never_more_than_the_affinity_mask_and_at_least_one),
         ONCE(default_workers_leave_a_cpu_for_main), ONCE(as_many_workers_as_can_be_asked_for))
