/* Sleeping and deadlines inside a runtime: not early, in order, and not behind a task that computes. */
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"
#include "sched/runtime.h"

static int64_t sleep_exactly(void *arg)
{
    int64_t deadline = *(int64_t *)arg;
    EXPECT_EQ(cosched_sleep_until(deadline), 0);
    EXPECT(cosched_now() >= deadline);
    return 0;
}

SCENARIO(ten_thousand_sleepers_wake_not_early)
{
    int n = RUN_SIZE(10000, 2000, 1000);
    cosched_task *t = calloc((size_t)n, sizeof *t);
    int64_t *deadline = calloc((size_t)n, sizeof *deadline), start = cosched_in_ms(1);
    for (int i = 0; i < n; i++) {
        deadline[i] = start + (int64_t)((unsigned)i * 7919u % 50000u) *
                                  1000; /* spread over 50 ms, in no order */
        t[i] = run_spawn(sleep_exactly, &deadline[i], i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    free(t);
    free(deadline);
}

enum { SLEEPERS = 64 };

static int woken[SLEEPERS], woken_count; /* MAIN only, all three */
static int64_t first_deadline;

static int64_t sleep_and_note(void *arg)
{
    int place = (int)(intptr_t)arg;
    EXPECT_EQ(cosched_sleep_until(first_deadline + place * 2000000), 0); /* ticks are 1 ms */
    woken[woken_count++] = place;
    return 0;
}

/* False: this machine was so slow that a deadline had passed before all of them slept. */
static bool wake_in_order(int64_t head_start_ms)
{
    cosched_task t[SLEEPERS];
    woken_count = 0;
    first_deadline = cosched_in_ms(head_start_ms);
    for (intptr_t i = 0; i < SLEEPERS; i++) {
        t[i] = run_spawn(sleep_and_note, (void *)(i * 37 % SLEEPERS), COSCHED_MAIN);
    }
    UNTIL(run_stats().timers == SLEEPERS || woken_count > 0);
    bool in_time = cosched_now() < first_deadline && woken_count == 0;
    for (int i = 0; i < SLEEPERS; i++) {
        EXPECT_EQ(cosched_await(&t[i], NULL, cosched_in_ms(60000)), 0);
    }
    if (!in_time) {
        return false;
    }
    for (int i = 0; i < SLEEPERS; i++) {
        EXPECT_EQ(woken[i], i);
    }
    return true;
}

SCENARIO(sleepers_of_one_executor_wake_in_the_order_of_their_deadlines)
{
    int64_t head_start_ms = 5;
    while (!wake_in_order(head_start_ms)) {
        head_start_ms *= 2;
    }
}

SCENARIO(a_deadline_that_has_passed_does_not_suspend)
{
    uint64_t before = run_stats().main_slices;
    EXPECT_EQ(cosched_sleep_until(COSCHED_NOW), 0);
    EXPECT_EQ(cosched_sleep_until(1), 0);
    EXPECT_EQ(cosched_sleep_until(-5), 0);
    EXPECT_EQ(run_stats().main_slices, before);
}

static atomic_int armed, awake;

static int64_t count_awake(void *arg)
{
    (void)arg;
    int64_t deadline = cosched_in_ms(5);
    atomic_fetch_add(&armed, 1);
    EXPECT_EQ(cosched_sleep_until(deadline), 0);
    atomic_fetch_add(&awake, 1);
    return 0;
}

/* It leaves its thread only when all sleepers have woken: were they behind it, this would never end. */
static int64_t hog_until_awake(void *arg)
{
    UNTIL_SPIN(awake == (int)(intptr_t)arg);
    return 0;
}

static int64_t sleepers_and_hog(void *arg)
{
    intptr_t n = (intptr_t)arg;
    cosched_task t[32];
    armed = awake = 0;
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(count_awake, NULL, COSCHED_WORKER);
    }
    UNTIL(armed == n);
    hog_until_awake(arg);
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    return 0;
}

SCENARIO_ON(2 << _i, a_task_that_computes_does_not_delay_its_neighbours_timers)
{
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(run_join(run_spawn(sleepers_and_hog, (void *)32, COSCHED_WORKER)), 0);
    }
}

static bool workers_asleep(uint64_t but)
{
    cosched_stats s = run_stats();
    uint64_t asleep = 0;
    for (uint32_t i = 0; i < s.workers; i++) {
        asleep += s.worker[i].parks > s.worker[i].wakes;
    }
    return asleep + but >= s.workers;
}

static int64_t compute_in_a_scope(void *arg)
{
    (void)arg;
    cosched_scope s;
    UNTIL_SPIN(workers_asleep(1)); /* they know of no timer */
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(2), 0), 0);
    UNTIL_SPIN(cosched_cancelled());
    EXPECT(cosched_scope_end(&s));
    return 0;
}

SCENARIO_ON(2 << _i, a_scope_over_a_computation_expires_though_the_other_workers_sleep)
{
    /* Nor does anything else wake them: idle stacks are not looked after meanwhile. */
    cos_atomic_store(&cos_runtime()->trim_at, INT64_MAX - 1, relaxed);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(run_join(run_spawn(compute_in_a_scope, NULL, COSCHED_WORKER)), 0);
    }
}

static atomic_bool rang;

static int64_t yield_until_it_rang(void *arg)
{
    (void)arg;
    UNTIL(rang);
    return 0;
}

static int64_t ring_after_a_while(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
    rang = true;
    return 0;
}

/* They hand the thread to one another, and would for ever: the loop has its turn all the same. */
SCENARIO(tasks_that_yield_do_not_keep_the_loop_from_its_timers)
{
    for (int at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        cosched_task t[20];
        rang = false;
        for (int i = 0; i < 20; i++) {
            t[i] = run_spawn(i == 0 ? ring_after_a_while : yield_until_it_rang, NULL,
                             (cosched_affinity)at);
        }
        for (int i = 0; i < 20; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
    }
}

static int64_t cancel_me_asleep(void *arg)
{
    (void)arg;
    return cosched_sleep_until(cosched_in_ms(600000));
}

SCENARIO(cancelled_sleepers_leave_no_timer_behind)
{
    cosched_task t[200];
    for (int i = 0; i < 200; i++) {
        t[i] = run_spawn(cancel_me_asleep, NULL, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    UNTIL(run_stats().timers == 200);
    for (int i = 0; i < 200; i++) {
        cosched_cancel(t[i]);
    }
    for (int i = 0; i < 200; i++) {
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
}

RUN_MAIN("timers", EACH(ten_thousand_sleepers_wake_not_early),
         EACH(sleepers_of_one_executor_wake_in_the_order_of_their_deadlines),
         EACH(a_deadline_that_has_passed_does_not_suspend),
         {a_task_that_computes_does_not_delay_its_neighbours_timers, 3},
         {a_scope_over_a_computation_expires_though_the_other_workers_sleep, 3},
         EACH(tasks_that_yield_do_not_keep_the_loop_from_its_timers),
         EACH(cancelled_sleepers_leave_no_timer_behind))
