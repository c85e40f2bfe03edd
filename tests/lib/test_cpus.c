/* How many CPUs there are for us, and how many workers follow from that. */
#include <fcntl.h>

#include "run.h"
#include "sched/cpus.h"

/* What the two files of the cgroup hold, as the library reads them: its fopen is this one. NULL: as they are. */
static const char *fake_cgroup, *fake_max;

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    const char *text = strcmp(path, "/proc/self/cgroup") == 0            ? fake_cgroup
                       : strcmp(path, "/sys/fs/cgroup/a/b/cpu.max") == 0 ? fake_max
                                                                         : NULL;
    if (text != NULL) {
        return *text != '\0' ? fmemopen((void *)(uintptr_t)text, strlen(text), "r")
                             : fdopen(open("/dev/null", O_RDONLY | O_CLOEXEC), "r");
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fdopen(fd, mode) : NULL;
}

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

START_TEST(never_more_than_the_quota_of_the_cgroup)
{
    cpu_set_t set;
    EXPECT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
    int32_t all = CPU_COUNT(&set);
    fake_cgroup = "1:name=systemd:/x\n0::/a/b\n";

    const struct {
        const char *max;
        int32_t cpus;
    } cases[] = {
        {"50000 100000\n", 1}, /* half of one */
        {"100000 100000\n", 1},
        {"100001 100000\n", all < 2 ? all : 2}, /* what is begun counts */
        {"max 100000\n", all},
        {"400000000 100000\n", all},
        {"-1 100000\n", all},
        {"50000 0\n", all},
        {"50000\n", all},
        {"9000000000000000000 1\n", all},
        {"", all},
        {"nonsense\n", all},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake_max = cases[i].max;
        EXPECT_EQ(cos_effective_cpus(), cases[i].cpus);
        EXPECT_EQ(cosched_cpus(), cases[i].cpus);
    }
    fake_cgroup = "1:name=systemd:/x\n"; /* the old kind of cgroup only */
    fake_max = "50000 100000\n";
    EXPECT_EQ(cos_effective_cpus(), all);
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
         ONCE(never_more_than_the_quota_of_the_cgroup), ONCE(default_workers_leave_a_cpu_for_main),
         ONCE(as_many_workers_as_can_be_asked_for))
