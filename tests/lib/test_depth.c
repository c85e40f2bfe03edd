/* Depth and breadth: a million calls and awaits deep, a hundred thousand tasks asleep. Built with -O0 and -O2: the frames differ. */
#include <sys/resource.h>
#include <unistd.h>

#include "emulated.h"
#include "run.h"

static int64_t call_deep(void *arg)
{
    int64_t left = (int64_t)(intptr_t)arg, below = 0;
    if (left == 0) {
        return 0;
    }
    int rc = cosched_call(&below, COSCHED_INHERIT, call_deep, (void *)(intptr_t)(left - 1),
                          COSCHED_NEVER);
    return rc < 0 ? rc : below < 0 ? below : below + 1;
}

static int64_t await_deep(void *arg)
{
    int64_t left = (int64_t)(intptr_t)arg, below = 0;
    if (left == 0) {
        return 0;
    }
    cosched_task t;
    int rc = cosched_spawn(&t, await_deep, (void *)(intptr_t)(left - 1), NULL);
    rc = rc < 0 ? rc : cosched_await(&t, &below, COSCHED_NEVER);
    return rc < 0 ? rc : below < 0 ? below : below + 1;
}

static int64_t invoke_deep(void *arg)
{
    int64_t left = (int64_t)(intptr_t)arg;
    if (left == 0) {
        return 0;
    }
    cosched_branch b[2] = {{.fn = run_return, .arg = (void *)1},
                           {.fn = invoke_deep, .arg = (void *)(intptr_t)(left - 1)}};
    int rc = cosched_invoke(b, 2);
    return rc < 0 ? rc : b[1].result < 0 ? b[1].result : b[0].result + b[1].result;
}

enum { DEPTH = RUN_SIZE(COSCHED_EMULATED ? 100000 : 1000000, 100000, 10000) };

static void deep(cosched_fn fn)
{
    cosched_stats before = run_stats();
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        EXPECT_EQ(run_join(run_spawn(fn, (void *)(intptr_t)DEPTH, (cosched_affinity)affinity)),
                  DEPTH);
    }
    cosched_stats after = run_stats();
    EXPECT(after.calls_stack_grown > before.calls_stack_grown);
    EXPECT_EQ(after.tasks_live, before.tasks_live);
    EXPECT(after.stacks_in_use <= before.stacks_in_use + 1);
}

SCENARIO_ON(_i, a_million_calls_deep)
{
    deep(call_deep);
}

SCENARIO_ON(_i, a_million_awaited_children_deep)
{
    deep(await_deep);
}

SCENARIO_ON(_i, a_million_branches_deep)
{
    deep(invoke_deep);
}

static atomic_int asleep;

static int64_t sleep_in_group(void *arg)
{
    atomic_fetch_add(&asleep, 1);
    return cosched_sleep_until(COSCHED_NEVER) == -ECANCELED ? run_return(arg) : -1;
}

static int64_t wait_on_chan(void *arg)
{
    char v;
    atomic_fetch_add(&asleep, 1);
    return cosched_chan_recv(arg, &v, COSCHED_NEVER) == -EPIPE ? 0 : -1;
}

static int64_t resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    EXPECT(f != NULL && fscanf(f, "%ld %ld", &pages, &resident) == 2);
    fclose(f);
    return (int64_t)resident * (sysconf(_SC_PAGESIZE) / 1024);
}

enum { MANY = RUN_SIZE(COSCHED_EMULATED ? 10000 : 100000, 20000, 5000) };

/* How many stacks of this kind of guard the kernel has room for. */
static int affordable(void)
{
    run_join(run_spawn(run_return, NULL, COSCHED_MAIN)); /* the first stack decides the guard */
    const char *guard = run_stats().stack_guard;
    printf("stack guard: %s\n", guard);
    EXPECT(strcmp(guard, "madvise") == 0 || strcmp(guard, "mprotect") == 0 ||
           strcmp(guard, "canary") == 0);
    /* What an executor keeps at hand is not there for the others: 64 stacks, and the test's own few tasks. */
    int cap = strcmp(guard, "mprotect") == 0 ? (int)COS_STACK_MPROTECT_MAX - 200 : MANY;
    return cap < MANY ? cap : MANY;
}

static void sleeping_crowd(cosched_group *g, int n, cosched_fn fn, void *arg)
{
    asleep = 0;
    int64_t before = resident_kib();
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(cosched_group_spawn(g, fn, arg, run_at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN)), 0);
    }
    UNTIL(asleep == n);
    cosched_stats s = run_stats();
    EXPECT(s.stacks_in_use >= (uint64_t)n);
    EXPECT(s.tasks_live > (uint64_t)n);
#if !RUN_ASAN && !RUN_TSAN
    EXPECT((resident_kib() - before) / n <=
           12); /* a page of stack, the block, page tables: not 64 KiB */
#else
    (void)before;
#endif
}

SCENARIO_ON(_i, a_hundred_thousand_sleep_and_a_cancel_wakes_them)
{
    int n = affordable();
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    sleeping_crowd(&g, n, sleep_in_group, NULL);
    cosched_group_cancel(&g);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

SCENARIO_ON(_i, a_hundred_thousand_wait_and_a_close_wakes_them)
{
    int n = affordable();
    cosched_chan *ch;
    cosched_group g;
    EXPECT_EQ(cosched_chan_create(&ch, 1, 1), 0);
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    sleeping_crowd(&g, n, wait_on_chan, ch);
    cosched_chan_close(ch);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    cosched_chan_unref(ch);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

/* 0 and 1 workers: who runs it and who steals it is the subject of other files. */
RUN_MAIN("depth", {a_million_calls_deep, 2}, {a_million_awaited_children_deep, 2},
         {a_million_branches_deep, 2}, {a_hundred_thousand_sleep_and_a_cancel_wakes_them, 2},
         {a_hundred_thousand_wait_and_a_close_wakes_them, 2})
