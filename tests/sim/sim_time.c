/* Promises about time, gated in virtual time: when things happen is known to the nanosecond here, whatever the machine does.
 * Slack is what the code itself needs: the wheel rounds up to a millisecond, the poll of MAIN to one more, and steps cost
 * nanoseconds. */
#include <uv.h>

#include "base/clock.h"
#include "run.h"
#include "sched/depot.h"
#include "sched/mainloop.h"
#include "sched/runtime.h"

#define MS     COS_NS_PER_MS
#define SECOND COS_NS_PER_S

/* A timer is at most so late: the wheel's millisecond, on MAIN the poll's, and the work before it. */
static int64_t late_ns(void)
{
    int64_t rounded = cos_mainloop_on_thread(cosched_runtime_self()) ? 2 * MS : MS;
    return rounded + MS / 4;
}

static cosched_affinity side(uint64_t n)
{
    return n % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

/* --- once ------------------------------------------------------------------------------------------------- */

static int64_t last_due;
static atomic_int fired;

static int64_t fire_in_order(void *arg)
{
    int64_t due = *(int64_t *)arg;
    EXPECT(cosched_now() >= due && cosched_now() <= due + late_ns());
    EXPECT(due / MS >= last_due / MS);
    last_due = due;
    atomic_fetch_add(&fired, 1);
    return 0;
}

SCENARIO(after_fires_in_order_of_time_whatever_the_order_of_insertion)
{
    enum { N = 24 };

    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .arg_size = sizeof(int64_t)};
    last_due = 0;
    fired = 0;
    for (int i = 0; i < N; i++) {
        int64_t delay = (int64_t)sim_below(200) * MS + (int64_t)sim_below((uint64_t)MS);
        int64_t due = cosched_now() + delay;
        EXPECT_EQ(cosched_after(NULL, delay, fire_in_order, &due, &attr), 0);
    }
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(210)), 0);
    EXPECT_EQ(fired, N);
}

static int64_t sleep_exactly(void *arg)
{
    int64_t due = cosched_now() + *(int64_t *)arg;
    EXPECT_EQ(cosched_sleep_until(due), 0);
    EXPECT(cosched_now() >= due);
    EXPECT(cosched_now() <= due + late_ns());
    return 0;
}

SCENARIO(sleepers_wake_neither_early_nor_late)
{
    enum { N = 12 };

    cosched_task t[N];
    cosched_attr attr = {.struct_size = sizeof attr, .arg_size = sizeof(int64_t)};
    for (uint64_t i = 0; i < N; i++) {
        int64_t span = (int64_t)sim_below(5 * (uint64_t)SECOND);
        attr.affinity = side(i);
        EXPECT_EQ(cosched_spawn(&t[i], sleep_exactly, &span, &attr), 0);
    }
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
}

static int64_t hog(void *arg)
{
    sim_busy((intptr_t)arg * MS);
    return 0;
}

/* A worker that computes for long does not delay the timers of tasks that wait beside it. */
SCENARIO(a_busy_worker_delays_no_neighbours_timers)
{
    if (run_stats().workers < 2) {
        return;
    }
    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = COSCHED_WORKER, .arg_size = sizeof(int64_t)};
    cosched_task t[8], h;
    for (int i = 0; i < 8; i++) {
        int64_t span = 20 * MS + (int64_t)sim_below(100 * (uint64_t)MS);
        EXPECT_EQ(cosched_spawn(&t[i], sleep_exactly, &span, &attr), 0);
    }
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(2)), 0);
    h = run_spawn(hog, (void *)200, COSCHED_WORKER);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(run_join(h), 0);
}

static int64_t arm_and_compute(void *arg)
{
    int64_t delay = 5 * MS + (int64_t)sim_below(20 * (uint64_t)MS), due = cosched_now() + delay;
    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = COSCHED_WORKER, .arg_size = sizeof due};
    last_due = 0;
    EXPECT_EQ(cosched_after(NULL, delay, fire_in_order, &due, &attr), 0);
    sim_busy(100 * MS);
    EXPECT_EQ(fired, 1);
    return run_return(arg);
}

/* Nor does the one that armed them and goes on computing itself. */
SCENARIO(who_arms_a_timer_and_computes_on_is_no_delay)
{
    if (run_stats().workers < 2) {
        return;
    }
    fired = 0;
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms((int64_t)sim_below(4))), 0);
    EXPECT_EQ(run_join(run_spawn(arm_and_compute, NULL, COSCHED_WORKER)), 0);
}

static int64_t at_its_time(void *arg)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t late = (int64_t)ts.tv_sec * SECOND + ts.tv_nsec - *(int64_t *)arg;
    EXPECT(late >= 0 && late <= late_ns());
    atomic_fetch_add(&fired, 1);
    return 0;
}

SCENARIO(at_follows_the_wall_clock)
{
    fired = 0;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t when =
        (int64_t)ts.tv_sec * SECOND + ts.tv_nsec + (int64_t)sim_below(10 * (uint64_t)SECOND);
    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = side(sim_below(2)), .arg_size = sizeof when};
    EXPECT_EQ(cosched_at(NULL, when, at_its_time, &when, &attr), 0);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(10100)), 0);
    EXPECT_EQ(fired, 1);
}

/* --- again and again -------------------------------------------------------------------------------------- */

static struct interval {
    int64_t t0, every;
    int64_t runs, outlast; /* of each `nth` run, in ns */
    int nth;
    int inside;
    int64_t at[64];
    int64_t latest; /* the most that a run came after t0 + k * every, of all */
} in;

static int64_t tick(void *arg)
{
    EXPECT_EQ(in.inside++, 0);
    if (in.runs < 64) {
        in.at[in.runs] = cosched_now() - in.t0;
    }
    int64_t k = in.runs++;
    int64_t late = cosched_now() - in.t0 - k * in.every;
    in.latest = late > in.latest ? late : in.latest;
    EXPECT(late >= 0 || in.nth > 0);
    if (in.nth > 0 && k % in.nth == 0) {
        EXPECT_EQ(cosched_sleep_until(cosched_now() + in.outlast), 0);
    }
    in.inside--;
    return run_return(arg);
}

static void run_interval(cosched_overrun overrun, int64_t every, int64_t span, uint32_t flags,
                         int64_t result)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN, .flags = flags};
    cosched_token token;
    in.t0 = cosched_now();
    in.every = every;
    in.runs = 0;
    EXPECT_EQ(cosched_every(&token, every, overrun, tick, (void *)(intptr_t)result, &attr), 0);
    EXPECT_EQ(cosched_sleep_until(in.t0 + span), 0);
    (void)cosched_token_cancel(&token);
    UNTIL(run_stats().tasks_live == 1);
}

/* One hour, and each run is where t0 + k * 1 s says. */
SCENARIO(an_interval_does_not_drift_in_an_hour)
{
    in = (struct interval){0};
    run_interval(COSCHED_SKIP, SECOND, 3600 * SECOND - 500 * MS, 0, 0);
    EXPECT_EQ(in.runs, 3600);
    sim_note("latest", in.latest);
    EXPECT(in.latest <= late_ns());
}

SCENARIO(overruns_are_skipped_made_up_for_or_shift_the_rest)
{
    in = (struct interval){.nth = 100, .outlast = 35 * MS}; /* the first run only */
    run_interval(COSCHED_SKIP, 10 * MS, 95 * MS, 0, 0);
    EXPECT_EQ(in.runs, 7); /* 0, then 40, 50 … 90 */
    EXPECT(in.at[1] >= 40 * MS && in.at[1] <= 40 * MS + late_ns());
    run_interval(COSCHED_BURST, 10 * MS, 95 * MS, 0, 0);
    EXPECT_EQ(in.runs, 10); /* 0, then three at 35, 40, 50 … */
    EXPECT(in.at[3] <= 35 * MS + 2 * late_ns());
    EXPECT(in.at[9] >= 90 * MS && in.at[9] <= 90 * MS + late_ns());
    run_interval(COSCHED_DELAY, 10 * MS, 95 * MS, 0, 0);
    EXPECT(in.at[1] >= 35 * MS && in.at[1] <= 35 * MS + 2 * late_ns());
    EXPECT(in.at[2] >= 45 * MS && in.at[2] <= 45 * MS + 3 * late_ns());
}

SCENARIO(a_failing_interval_backs_off_or_stops)
{
    in = (struct interval){0};
    run_interval(COSCHED_SKIP, 10 * MS, 155 * MS, COSCHED_BACK_OFF, -EIO);
    EXPECT_EQ(in.runs, 4); /* 0, 20, 60, 140 */
    for (int k = 0; k < 4; k++) {
        int64_t planned = ((INT64_C(1) << (k + 1)) - 2) * 10 * MS;
        EXPECT(in.at[k] >= planned && in.at[k] <= planned + late_ns());
    }
    in = (struct interval){0};
    run_interval(COSCHED_SKIP, 10 * MS, 100 * MS, COSCHED_STOP_ON_ERROR, -EIO);
    EXPECT_EQ(in.runs, 1);
}

/* --- scopes ----------------------------------------------------------------------------------------------- */

static int64_t wait_below(void *arg)
{
    (void)arg;
    return cosched_sleep_until(COSCHED_NEVER) == -ECANCELED ? cosched_now() : -EINVAL;
}

SCENARIO(the_nearest_deadline_of_nested_scopes_counts)
{
    int64_t t0 = cosched_now();
    int64_t outer = (int64_t)(1 + sim_below(100)) * MS, inner = (int64_t)(1 + sim_below(100)) * MS;
    int64_t first = outer < inner ? outer : inner;
    cosched_scope a, b;
    EXPECT_EQ(cosched_scope_begin(&a, t0 + outer, 0), 0);
    EXPECT_EQ(cosched_scope_begin(&b, t0 + inner, 0), 0);
    cosched_task t = run_spawn(wait_below, NULL, side(sim_below(2)));
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT(cosched_now() >= t0 + first && cosched_now() <= t0 + first + late_ns());
    bool by_inner = cosched_scope_end(&b);
    EXPECT(inner >= outer || by_inner);
    EXPECT(!cosched_cancelled() || outer <= inner + 2 * MS);
    (void)cosched_scope_end(&a);
    int64_t ended = run_join(t);
    EXPECT(ended >= t0 + first && ended <= t0 + first + late_ns());
    EXPECT(!cosched_cancelled());
}

/* --- libuv's own timers ----------------------------------------------------------------------------------- */

static int64_t uv_ticks;

static void on_uv_tick(uv_timer_t *timer)
{
    (void)timer;
    uv_ticks++;
}

static void on_uv_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

static int64_t chatter(void *arg)
{
    (void)arg;
    while (!cosched_cancelled()) {
        sim_busy(20000);
        cosched_yield();
    }
    return 0;
}

/* MAIN is never away from its poll for longer than its budget and one slice (I4): a 1 ms timer of the host's keeps its ticks
 * beside tasks that never wait. */
SCENARIO(a_millisecond_timer_of_libuv_keeps_its_ticks_beside_busy_tasks)
{
    uv_timer_t timer;
    uv_ticks = 0;
    uv_timer_init(cosched_runtime_self() != NULL ? cos_mainloop_uv() : NULL, &timer);
    timer.data = &timer;
    uv_timer_start(&timer, on_uv_tick, 1, 1);
    cosched_task a = run_spawn(chatter, NULL, COSCHED_MAIN),
                 b = run_spawn(chatter, NULL, COSCHED_MAIN);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(200)), 0);
    sim_note("ticks", uv_ticks);
    EXPECT(uv_ticks >=
           150); /* a repeating timer of libuv counts from when it ran: 250 us of budget, each time */
    cosched_cancel(a);
    cosched_cancel(b);
    EXPECT_EQ(run_join(a) + run_join(b), 0);
    uv_close((uv_handle_t *)&timer, on_uv_closed);
    UNTIL(timer.data == NULL);
}

/* --- memory ------------------------------------------------------------------------------------------------- */

static int64_t sleep_a_while(void *arg)
{
    return cosched_sleep_until(cosched_now() + (int64_t)(intptr_t)arg);
}

/* What many tasks took is given back within two seconds of the last work, whoever had it at hand; then nobody wakes again. */
SCENARIO(idle_memory_goes_back_within_two_seconds_and_then_all_is_quiet)
{
    enum { N = 4 * COS_DEPOT_CHUNK };

    static cosched_task t[N];
    for (uint64_t i = 0; i < N; i++) {
        t[i] = run_spawn(sleep_a_while, (void *)(intptr_t)sim_below((uint64_t)SECOND), side(i));
    }
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(2000)), 0);
    EXPECT(cos_depot_cold() >= 3); /* this task has a block, and its chunk */
    const struct cos_exec *e = cos_runtime()->main;
    uint64_t polls = cos_atomic_load(&e->count.polls, relaxed);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(3600 * 1000)), 0);
    EXPECT(cos_atomic_load(&e->count.polls, relaxed) <= polls + 8); /* what this sleep itself takes */
}

RUN_MAIN("time", EACH(idle_memory_goes_back_within_two_seconds_and_then_all_is_quiet),
         EACH(after_fires_in_order_of_time_whatever_the_order_of_insertion),
         EACH(sleepers_wake_neither_early_nor_late), EACH(a_busy_worker_delays_no_neighbours_timers),
         EACH(who_arms_a_timer_and_computes_on_is_no_delay), EACH(at_follows_the_wall_clock),
         EACH(an_interval_does_not_drift_in_an_hour),
         EACH(overruns_are_skipped_made_up_for_or_shift_the_rest),
         EACH(a_failing_interval_backs_off_or_stops),
         EACH(the_nearest_deadline_of_nested_scopes_counts),
         EACH(a_millisecond_timer_of_libuv_keeps_its_ticks_beside_busy_tasks))
