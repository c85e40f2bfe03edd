/* The threads behind cosched_blocking: classes and their limits, deadlines, growing and shrinking, and what reports see. Tasks
 * that own a thread: test_blocking.c. */
#include <sys/resource.h>

#include "base/rng.h"
#include "memory_limit.h"
#include "run.h"
#include "sched/runtime.h"

enum { CLASSES = 3 };

static cosched_blocking_class classes[CLASSES] = {{"one", 1, {0}}, {"two", 2, {0}}, {"five", 5, {0}}};
static uint64_t seed;
static atomic_int inside[CLASSES], ran, order[64];
static atomic_bool leave;

struct call {
    int class, number;
    int64_t deadline;
    atomic_bool ended;
};

static int64_t stay(void *arg)
{
    const struct call *c = arg;
    int now = atomic_fetch_add(&inside[c->class], 1) + 1;
    EXPECT(now <= (int)classes[c->class].limit);
    order[atomic_fetch_add(&ran, 1) % 64] = c->number;
    UNTIL_SPIN(leave);
    atomic_fetch_sub(&inside[c->class], 1);
    return c->number;
}

static int64_t ask(void *arg)
{
    struct call *c = arg;
    int64_t result = -EIO;
    int rc = cosched_blocking_in(&classes[c->class], &result, stay, arg, c->deadline);
    c->ended = true;
    return rc < 0 ? rc : result;
}

static void begin(void)
{
    for (int i = 0; i < CLASSES; i++) {
        inside[i] = 0;
    }
    ran = 0;
    leave = false;
}

static uint32_t calls(bool running)
{
    struct cos_crew_call all[64];
    size_t n = cos_crew_calls(&cos_runtime()->blocking.crew, all, 64);
    uint32_t found = 0;
    EXPECT(n <= 64);
    for (size_t i = 0; i < n; i++) {
        found += all[i].running == running;
    }
    return found;
}

SCENARIO(each_class_has_its_limit_and_none_waits_for_another)
{
    enum { EACH_CLASS = 12 };

    cosched_task t[CLASSES][EACH_CLASS];
    static struct call c[CLASSES][EACH_CLASS];
    begin();
    for (int i = 0; i < CLASSES; i++) {
        for (int k = 0; k < EACH_CLASS; k++) {
            c[i][k] = (struct call){i, i * EACH_CLASS + k, COSCHED_NEVER, false};
            t[i][k] = run_spawn(ask, &c[i][k], k % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        }
    }
    /* All that may run do, though the first class is stuck and was first in line. */
    UNTIL(inside[0] == 1 && inside[1] == 2 && inside[2] == 5);
    UNTIL(calls(false) == CLASSES * EACH_CLASS - 8);
    EXPECT_EQ(run_stats().blocking_queued, CLASSES * EACH_CLASS - 8);
    EXPECT_EQ(run_stats().blocking_threads, 8);
    int64_t result = 0; /* nor does the class of cosched_blocking */
    EXPECT_EQ(cosched_blocking(&result, run_return, (void *)4), 0);
    EXPECT_EQ(result, 4);
    leave = true;
    for (int i = 0; i < CLASSES; i++) {
        for (int k = 0; k < EACH_CLASS; k++) {
            EXPECT_EQ(run_join(t[i][k]), c[i][k].number);
        }
    }
    EXPECT_EQ(ran, CLASSES * EACH_CLASS);
}

SCENARIO(a_class_is_served_in_the_order_of_its_calls)
{
    enum { COUNT = 20 };

    cosched_task t[COUNT];
    static struct call c[COUNT];
    begin();
    for (int i = 0; i < COUNT; i++) {
        c[i] = (struct call){0, i, COSCHED_NEVER, false};
        t[i] = run_spawn(ask, &c[i], COSCHED_MAIN);
        UNTIL(calls(false) + calls(true) == (uint32_t)i + 1);
    }
    leave = true;
    for (int i = 0; i < COUNT; i++) {
        EXPECT_EQ(run_join(t[i]), i);
        EXPECT_EQ(order[i], i);
    }
}

SCENARIO(a_deadline_limits_the_waiting_and_not_the_work)
{
    static struct call first = {0, 1, COSCHED_NEVER, false}, late = {0, 2, 0, false};
    begin();
    cosched_task holder = run_spawn(ask, &first, COSCHED_WORKER);
    UNTIL(inside[0] == 1);
    late.deadline = COSCHED_NOW;
    EXPECT_EQ(ask(&late), -ETIMEDOUT);
    late.deadline = cosched_in_ms(2);
    EXPECT_EQ(ask(&late), -ETIMEDOUT);
    EXPECT(cosched_now() >= late.deadline);
    EXPECT_EQ(run_stats().blocking_queued, 0);
    leave = true;
    EXPECT_EQ(run_join(holder), 1);
    EXPECT_EQ(ran, 1);
    /* Begun in time it is waited for. */
    leave = false;
    cosched_task t;
    for (int64_t ms = 10; inside[0] == 0; ms *= 2) {
        late.deadline = cosched_in_ms(ms);
        late.ended = false;
        t = run_spawn(ask, &late, COSCHED_WORKER);
        UNTIL(inside[0] == 1 || late.ended);
    }
    EXPECT_EQ(cosched_sleep_until(late.deadline), 0);
    EXPECT_EQ(cosched_await(&t, NULL, cosched_in_ms(1)), -ETIMEDOUT);
    leave = true;
    EXPECT_EQ(run_join(t), 2);
}

static int64_t refuse(void *arg)
{
    static cosched_blocking_class none = {"none", 0, {0}};
    EXPECT_EQ(cosched_blocking_in(&none, NULL, run_return, NULL, COSCHED_NEVER), -EINVAL);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT_EQ(cosched_blocking_in(&classes[1], NULL, stay, arg, COSCHED_NEVER), -ECANCELED);
    EXPECT_EQ(cosched_blocking(NULL, stay, arg), -ECANCELED);
    return 0;
}

SCENARIO(what_is_refused_does_not_run)
{
    begin();
    cosched_task t = run_spawn(refuse, NULL, COSCHED_WORKER);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), 0);
    EXPECT_EQ(ran, 0);
}

/* --- growing and shrinking -------------------------------------------------------------------------------- */

SCENARIO(threads_without_work_go_and_come_again)
{
    static struct call c[5];
    cos_crew_idle_ns(1000000);
    for (int round = 0; round < 3; round++) {
        cosched_task t[5];
        begin();
        for (int i = 0; i < 5; i++) {
            c[i] = (struct call){2, i, COSCHED_NEVER, false};
            t[i] = run_spawn(ask, &c[i], COSCHED_WORKER);
        }
        UNTIL(inside[2] == 5);
        EXPECT(run_stats().blocking_threads >= 5);
        leave = true;
        for (int i = 0; i < 5; i++) {
            EXPECT_EQ(run_join(t[i]), i);
        }
        UNTIL(run_stats().blocking_threads == 0);
    }
}

static int64_t count_run(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&ran, 1);
}

static int64_t ask_again_and_again(void *arg)
{
    for (int i = 0; i < RUN_SIZE(400, 100, 50); i++) {
        EXPECT_EQ(cosched_blocking_in(&classes[i % CLASSES], NULL, count_run, arg, COSCHED_NEVER),
                  0);
    }
    return 0;
}

/* Work that comes just when a thread leaves is not forgotten. */
SCENARIO(work_meets_threads_that_leave)
{
    cosched_task t[4];
    ran = 0;
    cos_crew_idle_ns(1);
    for (int i = 0; i < 4; i++) {
        t[i] = run_spawn(ask_again_and_again, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(ran, 4 * RUN_SIZE(400, 100, 50));
    UNTIL(run_stats().blocking_threads == 0);
}

/* --- storms ----------------------------------------------------------------------------------------------- */

enum { STORM = 64 };

struct storm {
    int class;
    bool expires;
    atomic_int begun;
};

static atomic_int storm_inside[CLASSES];

static int64_t storm_work(void *arg)
{
    struct storm *s = arg;
    int now = atomic_fetch_add(&storm_inside[s->class], 1) + 1;
    EXPECT(now <= (int)classes[s->class].limit);
    atomic_fetch_add(&s->begun, 1);
    sched_yield();
    atomic_fetch_sub(&storm_inside[s->class], 1);
    return 7;
}

static int64_t storm_task(void *arg)
{
    struct storm *s = arg;
    int64_t result = 0;
    int64_t deadline = s->expires ? cosched_in_ns(100000) : COSCHED_NEVER;
    int rc = cosched_blocking_in(&classes[s->class], &result, storm_work, s, deadline);
    EXPECT(rc == 0 || rc == -ECANCELED || (rc == -ETIMEDOUT && s->expires));
    /* It ran and its result is here, or it will never run. */
    EXPECT_EQ(s->begun, rc == 0);
    EXPECT_EQ(result, rc == 0 ? 7 : 0);
    return rc == 0;
}

static cosched_task storm_tasks[STORM];

static void *cancel_some(void *arg)
{
    uint64_t rng = *(uint64_t *)arg;
    for (int i = 0; i < STORM; i++) {
        cosched_cancel(storm_tasks[cos_rng_below(&rng, STORM)]);
        if (cos_rng_below(&rng, 8) == 0) {
            sched_yield();
        }
    }
    return NULL;
}

SCENARIO(a_storm_of_cancels_meets_the_starts)
{
    static struct storm s[STORM];
    uint64_t rng = seed;
    int done = 0;
    cos_crew_idle_ns(cos_rng_below(&rng, 2) == 0 ? 50000 : 1000000000);
    for (int round = 0; round < RUN_SIZE(60, 20, 10); round++) {
        pthread_t thread[2];
        uint64_t state[2];
        for (int i = 0; i < STORM; i++) {
            s[i] = (struct storm){.class = (int)cos_rng_below(&rng, CLASSES),
                                  .expires = cos_rng_below(&rng, 4) == 0};
            storm_tasks[i] = run_spawn(storm_task, &s[i], i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        }
        for (int i = 0; i < 2; i++) {
            state[i] = cos_rng_next(&rng) | 1;
            EXPECT_EQ(pthread_create(&thread[i], NULL, cancel_some, &state[i]), 0);
        }
        for (int i = 0; i < STORM; i++) {
            done += (int)run_join(storm_tasks[i]);
        }
        for (int i = 0; i < 2; i++) {
            EXPECT_EQ(pthread_join(thread[i], NULL), 0);
        }
        EXPECT_EQ(calls(true) + calls(false), 0);
    }
    EXPECT(done > 0);
    EXPECT_EQ(run_stats().blocking_queued, 0);
}

/* --- reports ----------------------------------------------------------------------------------------------- */

SCENARIO(calls_under_way_are_named)
{
    static struct call c[2] = {{0, 1, COSCHED_NEVER, false}, {0, 2, COSCHED_NEVER, false}};
    struct cos_crew_call seen[3];
    struct cos_crew *crew = &cos_runtime()->blocking.crew;
    begin();
    int64_t before = cosched_now();
    cosched_task first = run_spawn(ask, &c[0], COSCHED_WORKER);
    UNTIL(inside[0] == 1);
    cosched_task second = run_spawn(ask, &c[1], COSCHED_MAIN);
    UNTIL(cos_crew_calls(crew, NULL, 0) == 2);
    EXPECT_EQ(cos_crew_calls(crew, seen, 3), 2);
    EXPECT(seen[0].running && !seen[1].running);
    EXPECT(seen[0].task.index == first.index && seen[0].task.generation == first.generation);
    EXPECT(seen[1].task.index == second.index);
    EXPECT(before <= seen[0].since && seen[0].since <= seen[1].since);
    for (int i = 0; i < 2; i++) {
        EXPECT(seen[i].fn == stay && strcmp(seen[i].class_name, "one") == 0);
    }
    leave = true;
    EXPECT_EQ(run_join(first) + run_join(second), 3);
    EXPECT_EQ(cos_crew_calls(crew, seen, 3), 0);
}

/* --- limits of the runtime ------------------------------------------------------------------------------------ */

static int64_t small_body(void *arg)
{
    cosched_task t[10];
    static struct call c[10];
    begin();
    for (int i = 0; i < 10; i++) {
        c[i] = (struct call){2, i, COSCHED_NEVER, false};
        t[i] = run_spawn(ask, &c[i], COSCHED_MAIN);
    }
    UNTIL(inside[2] == 2 && calls(false) == 8);           /* not five */
    EXPECT_EQ(cosched_blocking(NULL, count_run, arg), 0); /* a line of its own */
    leave = true;
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
    return 0;
}

START_TEST(a_small_runtime_makes_every_class_small)
{
    cosched_config c = {.struct_size = sizeof c, .workers = 1, .blocking_max = 2};
    EXPECT_EQ(run_config(&c, small_body, NULL), 0);
    EXPECT_EQ(run_config(&c, small_body, NULL), 0); /* a class is as good in the next runtime */
}

END_TEST

static int64_t without_threads(void *arg)
{
    struct rlimit had, none;
    EXPECT_EQ(getrlimit(RLIMIT_AS, &had), 0);
    none = (struct rlimit){1, had.rlim_max}; /* no stack for a thread */
    ran = 0;
    EXPECT_EQ(setrlimit(RLIMIT_AS, &none), 0);
    int rc = cosched_blocking(NULL, count_run, arg);
    EXPECT_EQ(setrlimit(RLIMIT_AS, &had), 0);
    EXPECT_EQ(rc, -EAGAIN);
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(run_stats().blocking_threads + run_stats().blocking_queued, 0);
    EXPECT_EQ(cosched_blocking(NULL, count_run, arg), 0);
    EXPECT_EQ(ran, 1);
    return 0;
}

START_TEST(without_any_thread_the_call_says_so)
{
    if (limits_memory("without_any_thread_the_call_says_so")) {
        run_on(0, without_threads);
    }
}

END_TEST

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        EACH(each_class_has_its_limit_and_none_waits_for_another),
        EACH(a_class_is_served_in_the_order_of_its_calls),
        EACH(a_deadline_limits_the_waiting_and_not_the_work),
        EACH(what_is_refused_does_not_run),
        EACH(threads_without_work_go_and_come_again),
        EACH(work_meets_threads_that_leave),
        EACH(a_storm_of_cancels_meets_the_starts),
        EACH(calls_under_way_are_named),
        ONCE(a_small_runtime_makes_every_class_small),
        ONCE(without_any_thread_the_call_says_so),
    };
    return run_suite("crew", tests, sizeof tests / sizeof tests[0]);
}
