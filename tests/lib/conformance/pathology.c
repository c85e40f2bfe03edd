/* The loads that break schedulers, by name. What must hold is asserted: everything ran, in the end nothing is left, memory
 * comes back, queues are empty. What it cost is printed and gates nothing. */
#include <time.h>

#include "promise.h"

static int64_t began_at;

static void begin(void)
{
    began_at = cosched_now();
}

static int64_t took(void)
{
    int64_t ns = cosched_now() - began_at;
    return ns > 0 ? ns : 1;
}

static void figure(const char *what, double n, const char *unit)
{
    printf("FIGURES %s: workers %u: %.1f %s\n", what, run_stats().workers, n, unit);
}

static void queues_are_empty(void)
{
    promise_alone();
    cosched_stats s = run_stats();
    EXPECT_EQ(s.injector_depth, 0);
    EXPECT_EQ(s.injector_pushed, s.injector_popped);
    EXPECT_EQ(s.main_ready + s.main_inbox, 0);
    EXPECT_EQ(s.timers, 0);
    for (uint32_t i = 0; i < s.workers; i++) {
        EXPECT_EQ(s.worker[i].deque, 0);
    }
    UNTIL(run_stats().stacks_in_use == 1);
}

/* --- allocation storm ------------------------------------------------------------------------------------------------- */

static atomic_int ran;

static int64_t allocates(void *arg)
{
    size_t size = 1 + (size_t)(uintptr_t)arg % 4096;
    char *block = malloc(size);
    cosched_chan *ch;
    EXPECT(block != NULL);
    memset(block, 7, size);
    EXPECT_EQ(cosched_chan_create(&ch, 1 + size % 64, size % 16), 0);
    cosched_yield();
    EXPECT_EQ(block[size - 1], 7);
    cosched_chan_unref(ch);
    free(block);
    atomic_fetch_add(&ran, 1);
    return 0;
}

/* Tasks, stacks, channels and the caller's own blocks, made and dropped as fast as can be, on one thread and freed on others. */
PROMISE(allocation_storm)
{
    enum { AT_ONCE = 200 };

    int rounds = promise_size(RUN_SIZE(40, 10, 4), 2000);
    cosched_task t[AT_ONCE];
    begin();
    ran = 0;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < AT_ONCE; i++) {
            t[i] = run_spawn(allocates, (void *)(uintptr_t)(r * 31 + i * 17), promise_place(i));
        }
        for (int i = 0; i < AT_ONCE; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
        cosched_stats s = run_stats();
        /* those of two rounds, and two magazines of 32 a thread: it does not grow from round to round */
        EXPECT(s.stacks_in_use + s.stacks_cached <= 2 * AT_ONCE + 64 * (s.workers + 1));
    }
    EXPECT_EQ(ran, rounds * AT_ONCE);
    figure("allocation_storm", (double)took() / (double)ran, "ns a task with two blocks");
    queues_are_empty();
}

/* --- one contended mutex ------------------------------------------------------------------------------------------------ */

static cosched_mutex one;
static int64_t under_it;

static int64_t contends(void *arg)
{
    for (intptr_t i = (intptr_t)arg; i > 0; i--) {
        EXPECT_EQ(cosched_mutex_lock(&one, COSCHED_NEVER), 0);
        under_it++;
        if (i % 16 == 0) {
            cosched_yield(); /* held over a suspension: all the others pile up */
        }
        cosched_mutex_unlock(&one);
    }
    atomic_fetch_add(&ran, 1);
    return 0;
}

PROMISE(one_contended_mutex)
{
    enum { TASKS = 100 };

    intptr_t each = promise_size(RUN_SIZE(200, 50, 20), 20000);
    cosched_task t[TASKS];
    begin();
    ran = 0;
    under_it = 0;
    for (int i = 0; i < TASKS; i++) {
        t[i] = run_spawn(contends, (void *)each, promise_place(i));
    }
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(under_it, TASKS * each);
    EXPECT_EQ(ran, TASKS);
    figure("one_contended_mutex", (double)took() / (double)under_it, "ns a lock");
    EXPECT(cosched_mutex_try(&one));
    cosched_mutex_unlock(&one);
    queues_are_empty();
}

/* --- task-switch overhead -------------------------------------------------------------------------------------------------- */

static int64_t yields(void *arg)
{
    for (intptr_t i = (intptr_t)arg; i > 0; i--) {
        cosched_yield();
    }
    atomic_fetch_add(&ran, 1);
    return 0;
}

PROMISE(task_switch_overhead)
{
    enum { TASKS = 64 };

    intptr_t each = promise_size(RUN_SIZE(2000, 500, 100), 100000);
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        cosched_task t[TASKS];
        cosched_stats before = run_stats();
        begin();
        ran = 0;
        for (int i = 0; i < TASKS; i++) {
            t[i] = run_spawn(yields, (void *)each, (cosched_affinity)place);
        }
        for (int i = 0; i < TASKS; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
        EXPECT_EQ(ran, TASKS);
        EXPECT(run_stats().yields - before.yields >= (uint64_t)(TASKS * each));
        figure(place == COSCHED_MAIN ? "task_switch_overhead on MAIN"
                                     : "task_switch_overhead on WORKER",
               (double)took() / (double)(TASKS * each), "ns a switch");
    }
    queues_are_empty();
}

/* --- burst --------------------------------------------------------------------------------------------------------------- */

static int64_t counts(void *arg)
{
    atomic_fetch_add(&ran, 1);
    return run_return(arg);
}

/* Tens of thousands of tasks at one moment, twice: first what a queue can hold, then beyond its ring. */
PROMISE(burst)
{
    int n = promise_size(RUN_SIZE(20000, 10000, 3000), 1000000);
    for (int round = 0; round < 2; round++) {
        begin();
        ran = 0;
        for (int i = 0; i < n; i++) {
            EXPECT_EQ(cosched_spawn(NULL, counts, NULL, run_at(promise_place(i))), 0);
        }
        promise_alone();
        EXPECT_EQ(ran, n);
        figure("burst", (double)took() / (double)n, "ns a task");
    }
    EXPECT(run_stats().spawned >= (uint64_t)(2 * n));
    queues_are_empty();
}

/* --- sustained overload, and recovery -------------------------------------------------------------------------------------- */

static int64_t works(void *arg)
{
    uint32_t sum = (uint32_t)(uintptr_t)arg;
    for (uint32_t i = 0; i < 2000; i++) {
        sum = sum * 1664525 + i;
    }
    atomic_fetch_add(&ran, 1);
    return (int64_t)sum;
}

/* tasks_max is the valve: whoever would add more is told so at once. When the load stops everything drains, and the
 * runtime is as good as new. */
static int64_t overload(void *arg)
{
    int made = 0, refused = 0, want = (int)(intptr_t)arg;
    uint64_t had = run_stats().completed;
    begin();
    ran = 0;
    while (made < want) {
        int rc = cosched_spawn(NULL, works, NULL, run_at(promise_place(made)));
        EXPECT(rc == 0 || rc == -EAGAIN);
        made += rc == 0;
        refused += rc != 0;
        if (rc != 0) {
            cosched_yield();
        }
        EXPECT(run_stats().tasks_live <= 512);
    }
    EXPECT(refused > 0);
    promise_alone();
    EXPECT_EQ(ran, made);
    EXPECT(run_stats().completed - had >= (uint64_t)made);
    figure("sustained_overload", (double)took() / (double)made, "ns a task of 2000 steps");
    begin();
    for (intptr_t i = 0; i < 200; i++) { /* recovered */
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)i, promise_place(i))), i);
    }
    figure("recovery", (double)took() / 200, "ns a task afterwards");
    queues_are_empty();
    return 0;
}

START_TEST(sustained_overload_and_recovery)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i], .tasks_max = 512};
    intptr_t n = promise_size(RUN_SIZE(10000, 3000, 1500), 300000);
    EXPECT_EQ(run_config(&c, overload, (void *)n), 0);
}

END_TEST

/* --- high-frequency intervals under load -------------------------------------------------------------------------------------- */

enum { INTERVALS = 20 };

static struct beat {
    atomic_int runs, inside;
    int64_t t0;
    cosched_token token;
} beats[INTERVALS];

#define BEAT_NS (MS / 4)

static int64_t on_beat(void *arg)
{
    struct beat *b = *(struct beat **)arg;
    EXPECT_EQ(atomic_fetch_add(&b->inside, 1), 0);
    int64_t k = atomic_fetch_add(&b->runs, 1);
    EXPECT(cosched_now() >= b->t0 + k * BEAT_NS); /* never more than are due */
    if (k % 3 == 0) {
        cosched_yield();
    }
    atomic_fetch_sub(&b->inside, 1);
    return 0;
}

PROMISE(high_frequency_intervals_under_load)
{
    int want = promise_size(RUN_SIZE(40, 20, 10), 4000), total = 0;
    begin();
    ran = 0;
    for (int i = 0; i < INTERVALS; i++) {
        struct beat *b = &beats[i];
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = promise_place(i), .arg_size = sizeof b};
        b->runs = 0;
        b->t0 = cosched_now();
        EXPECT_EQ(cosched_every(&b->token, BEAT_NS, (cosched_overrun)(i % 2), on_beat, &b, &attr),
                  0);
    }
    for (int late = INTERVALS; late > 0;) { /* until each has had so many, under load */
        for (int i = 0; i < 20; i++) {
            EXPECT_EQ(cosched_spawn(NULL, works, NULL, run_at(promise_place(i))), 0);
        }
        EXPECT_EQ(cosched_sleep_until(cosched_in_ns(MS)), 0);
        late = 0;
        for (int i = 0; i < INTERVALS; i++) {
            late += beats[i].runs < want;
        }
    }
    int64_t ns = took();
    for (int i = 0; i < INTERVALS; i++) {
        EXPECT(cosched_token_cancel(&beats[i].token));
    }
    promise_alone();
    for (int i = 0; i < INTERVALS; i++) {
        total += beats[i].runs;
    }
    figure("high_frequency_intervals_under_load",
           100.0 * (double)total / ((double)ns / (double)BEAT_NS * INTERVALS),
           "% of the ticks kept");
    queues_are_empty();
}

PROMISE_MAIN("pathology", ALL(allocation_storm), ALL(one_contended_mutex),
             ALL(task_switch_overhead), ALL(burst), ALL(sustained_overload_and_recovery),
             ALL(high_frequency_intervals_under_load))
