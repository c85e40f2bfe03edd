/* MAIN's help in virtual time (DESIGN D8): workers that cannot keep up, for four tenths of a second, and what MAIN may make of
 * it: it starts nothing that is long, unknown or says no, and its own ticks come all the same. And the bound of waiting that
 * priorities keep. */
#include <uv.h>

#include "base/clock.h"
#include "run.h"
#include "sched/help.h"
#include "sched/mainloop.h"
#include "sched/runtime.h"

#define MS       COS_NS_PER_MS
#define SPAN     (400 * MS)
#define BRIEF_NS 230000 /* the longest that MAIN may take over, nearly: I4 allows COS_HELP_NS */
#define LONG_NS  (200 * MS)

static const int some_workers[] = {0, 1, 2, 4};

enum { SOME = sizeof some_workers / sizeof some_workers[0] };

static pthread_t main_thread;
static uint32_t workers;
static atomic_uint on_main, made, ended;

static bool is_on_main(void)
{
    return pthread_equal(run_thread(), main_thread) != 0;
}

static void spawn_off(cosched_fn fn, uint32_t flags)
{
    cosched_attr a = {.struct_size = sizeof a, .affinity = COSCHED_WORKER, .flags = flags};
    made++;
    EXPECT_EQ(cosched_spawn(NULL, fn, NULL, &a), 0);
}

/* --- the tasks -------------------------------------------------------------------------------------------- */

static int64_t end_here(void)
{
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    ended++;
    return 0;
}

static int64_t brief(void *arg)
{
    (void)arg;
    on_main += is_on_main() ? 1 : 0;
    sim_busy(BRIEF_NS);
    return end_here();
}

/* The same for MAIN, but says no. */
static int64_t brief_no_help(void *arg)
{
    (void)arg;
    EXPECT(workers == 0 || !is_on_main());
    sim_busy(BRIEF_NS);
    return end_here();
}

static int64_t takes_long(void *arg)
{
    (void)arg;
    EXPECT(workers == 0 || !is_on_main());
    sim_busy(LONG_NS);
    return end_here();
}

/* Just too long, each time. */
static int64_t too_long(void *arg)
{
    (void)arg;
    EXPECT(workers == 0 || !is_on_main());
    sim_busy(COS_HELP_NS + 2000);
    return end_here();
}

/* There are fewer of it than make a function known. */
static int64_t unknown(void *arg)
{
    (void)arg;
    EXPECT(workers == 0 || !is_on_main());
    return end_here();
}

/* MAIN has nothing to do meanwhile. */
static void sleep_until_all_ended(void)
{
    while (ended != made) {
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(20)), 0);
    }
}

/* --- the load --------------------------------------------------------------------------------------------- */

/* Each 4 ms half as much again as the workers can do in them; in between, now and then, what MAIN must leave alone. */
static void overload(int64_t until)
{
    int unknowns = 0;
    uint32_t batch = 6 * MS / BRIEF_NS * (workers != 0 ? workers : 1);
    for (int round = 0; cosched_now() < until; round++) {
        for (uint32_t i = 0; i < batch; i++) {
            uint64_t kind = sim_below(64);
            spawn_off(kind < 2    ? brief_no_help
                      : kind == 2 ? too_long
                                  : brief,
                      kind < 2 ? COSCHED_NO_HELP : 0);
        }
        if (round % 32 == 16) {
            spawn_off(takes_long, 0);
        }
        if (round % 16 == 7 && unknowns++ < COS_HELP_SEEN - 1) {
            spawn_off(unknown, 0);
        }
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(4)), 0);
    }
}

static int64_t ticks, uv_ticks, helped_beside_ticks;

static int64_t tick(void *arg)
{
    ticks++;
    return run_return(arg);
}

static void on_uv_tick(uv_timer_t *timer)
{
    (void)timer;
    uv_ticks++;
}

static void on_uv_closed(uv_handle_t *handle)
{
    handle->data = NULL;
}

/* Beside the load, an interval of 10 ms on MAIN and a timer of 1 ms of the host's. */
static int64_t loaded(void *arg)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN};
    cosched_token token;
    uv_timer_t timer;
    main_thread = run_thread();
    workers = run_stats().workers;
    ticks = uv_ticks = 0;
    on_main = made = ended = 0;
    uv_timer_init(cos_mainloop_uv(), &timer);
    timer.data = &timer;
    uv_timer_start(&timer, on_uv_tick, 1, 1);
    EXPECT_EQ(cosched_every(&token, 10 * MS, COSCHED_SKIP, tick, NULL, &attr), 0);
    overload(cosched_in_ns(SPAN));
    uv_close((uv_handle_t *)&timer, on_uv_closed);
    (void)cosched_token_cancel(&token);
    helped_beside_ticks = on_main;
    sim_note("ticks", ticks);
    sim_note("uv ticks", uv_ticks);
    sleep_until_all_ended();
    UNTIL(timer.data == NULL);
    sim_note("helped", helped_beside_ticks);
    if (workers != 0) {
        EXPECT_EQ(run_stats().main_helped, on_main);
    }
    return run_return(arg);
}

static void load_with(int n, cosched_help help)
{
    cosched_config config = {.struct_size = sizeof config, .workers = n, .main_help = help};
    EXPECT_EQ(run_config(&config, loaded, NULL), 0);
}

START_TEST(main_helps_and_keeps_its_ticks)
{
    int n = some_workers[_i];
    load_with(n, COSCHED_HELP_OFF);
    int64_t uv_ticks_alone = uv_ticks;
    EXPECT(n == 0 || on_main == 0);
    load_with(n, COSCHED_HELP_IDLE);
    if (n == 0) {
        return; /* everything runs on MAIN, nobody helps */
    }
    EXPECT(helped_beside_ticks > 0);
    EXPECT(ticks * 100 >= SPAN / (10 * MS) * 95);
    EXPECT(uv_ticks * 100 >= uv_ticks_alone * 85);
    EXPECT(uv_ticks_alone >= SPAN / MS * 85 / 100); /* the comparison means something */
}

END_TEST

/* --- all workers held ------------------------------------------------------------------------------------- */

static atomic_uint held;

static int64_t holds_a_worker(void *arg)
{
    EXPECT(!is_on_main());
    held++;
    sim_busy(2 * SPAN);
    ended++;
    return run_return(arg);
}

/* As if the workers had measured it. */
static void teach_times(int n, cosched_fn fn, int64_t ns)
{
    for (int i = 0; i < n; i++) {
        cos_help_learn(&cosched_runtime_self()->help, fn, ns, false);
    }
}

static void teach(cosched_fn fn, int64_t ns)
{
    teach_times(COS_HELP_SEEN, fn, ns);
}

static void hold_workers(void)
{
    main_thread = run_thread();
    workers = run_stats().workers;
    on_main = made = ended = held = 0;
    for (uint32_t i = 0; i < workers; i++) {
        spawn_off(holds_a_worker, COSCHED_NO_HELP);
    }
    UNTIL(held == workers);
}

SCENARIO_ON(some_workers[1 + _i], what_is_known_and_brief_runs_on_main_while_workers_are_held)
{
    enum { N = 20 };

    teach(brief, BRIEF_NS);
    hold_workers();
    int64_t begin = cosched_now();
    for (int i = 0; i < N; i++) {
        spawn_off(brief, 0);
    }
    EXPECT_EQ(cosched_sleep_until(begin + N * (BRIEF_NS + 20000)), 0);
    EXPECT_EQ(on_main, N);
    EXPECT_EQ(ended, N);
    sleep_until_all_ended();
    EXPECT_EQ(run_stats().main_helped, N);
}

static void expect_left_alone(int n, cosched_fn fn, uint32_t flags)
{
    hold_workers();
    for (int i = 0; i < n; i++) {
        spawn_off(fn, flags);
    }
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(SPAN)), 0);
    EXPECT_EQ(ended, 0);
    sleep_until_all_ended(); /* each looks where it runs */
    EXPECT_EQ(run_stats().main_helped, 0);
}

SCENARIO_ON(some_workers[1 + _i], what_nobody_knows_waits_for_a_worker)
{
    teach_times(COS_HELP_SEEN - 1, unknown, 1000);
    expect_left_alone(1, unknown, 0); /* it would be the last sample that is missing */
    expect_left_alone(3, takes_long, 0);
}

SCENARIO_ON(some_workers[1 + _i], what_says_no_waits_for_a_worker)
{
    teach(brief_no_help, 1000);
    expect_left_alone(3, brief_no_help, COSCHED_NO_HELP);
}

SCENARIO_ON(some_workers[1 + _i], what_is_long_waits_for_a_worker)
{
    teach(takes_long, LONG_NS);
    teach(too_long, COS_HELP_NS + 1000);
    expect_left_alone(3, too_long, 0);
    expect_left_alone(3, takes_long, 0);
}

/* By then MAIN sleeps and watches nothing: a worker must call it. */
static int64_t falls_behind(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(100)), 0);
    EXPECT_EQ(run_stats().main_helped, 0);
    for (int i = 0; i < 200; i++) {
        spawn_off(brief, 0);
    }
    ended++;
    return run_return(arg);
}

SCENARIO_ON(some_workers[1 + _i], a_sleeping_main_is_called_by_workers_that_fall_behind)
{
    teach(brief, BRIEF_NS);
    main_thread = run_thread();
    workers = run_stats().workers;
    on_main = made = ended = held = 0;
    for (uint32_t i = 1; i < workers; i++) { /* all but one */
        spawn_off(holds_a_worker, COSCHED_NO_HELP);
    }
    UNTIL(held == workers - 1);
    spawn_off(falls_behind, COSCHED_NO_HELP);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(3 * SPAN)), 0);
    EXPECT_EQ(ended, made);
    EXPECT(on_main > 0);
}

/* --- priorities ------------------------------------------------------------------------------------------- */

static atomic_bool ran;
static atomic_int crowd_started;

static uint64_t slices_of(uint32_t exec)
{
    return cos_atomic_load(&cosched_runtime_self()->execs[exec]->count.slices, relaxed);
}

/* Always runnable, and a slice takes as long as it takes. */
static int64_t crowd(void *arg)
{
    (void)arg;
    crowd_started++;
    while (!ran) {
        if (sim_below(4) == 0) {
            sim_busy((int64_t)sim_below(50000));
        }
        cosched_yield();
    }
    return 0;
}

static struct {
    uint32_t exec;
    uint64_t slices;
} seen;

static int64_t in_question(void *arg)
{
    seen.exec = cos_exec_current()->id;
    seen.slices = slices_of(seen.exec);
    ran = true;
    return run_return(arg);
}

/* Alone in its line, beside a crowd of both other priorities. */
static void waits_beside_a_crowd(cosched_affinity at, int8_t priority)
{
    enum { CROWD = 24 };

    cosched_task members[CROWD], one;
    uint64_t before[1 + COSCHED_WORKERS_MAX];
    cosched_attr a = {.struct_size = sizeof a, .affinity = at};
    ran = false;
    crowd_started = 0;
    for (int i = 0; i < CROWD; i++) {
        int other = priority + 1 + (int)sim_below(2); /* one of both others, in a ring */
        a.priority = (int8_t)(other > 1 ? other - 3 : other);
        EXPECT_EQ(cosched_spawn(&members[i], crowd, NULL, &a), 0);
    }
    UNTIL(crowd_started == CROWD);
    a.priority = priority;
    EXPECT_EQ(cosched_spawn(&one, in_question, NULL, &a), 0);
    /* After the spawn: who looks late sees less of the waiting, never more. */
    for (uint32_t i = 0; i <= run_stats().workers; i++) {
        before[i] = slices_of(i);
    }
    EXPECT_EQ(run_join(one), 0);
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ(run_join(members[i]), 0);
    }
    int64_t waited = (int64_t)(seen.slices - before[seen.exec]) - 1; /* its own is counted */
    sim_note("slices", waited);
    if (waited > COSCHED_SLICES_MAX) {
        sim_fail("priority %d on executor %u waited %d slices", priority, seen.exec, (int)waited);
    }
}

SCENARIO_ON(some_workers[_i], no_priority_waits_longer_than_the_bound)
{
    for (int8_t p = -1; p <= 1; p++) {
        waits_beside_a_crowd(COSCHED_MAIN, p);
        waits_beside_a_crowd(COSCHED_WORKER, p);
    }
}

#define ROUNDS(name, n) \
    {                   \
        name, n         \
    }

RUN_MAIN("helping", ROUNDS(main_helps_and_keeps_its_ticks, SOME),
         ROUNDS(what_is_known_and_brief_runs_on_main_while_workers_are_held, SOME - 1),
         ROUNDS(what_nobody_knows_waits_for_a_worker, SOME - 1),
         ROUNDS(what_says_no_waits_for_a_worker, SOME - 1),
         ROUNDS(what_is_long_waits_for_a_worker, SOME - 1),
         ROUNDS(a_sleeping_main_is_called_by_workers_that_fall_behind, SOME - 1),
         ROUNDS(no_priority_waits_longer_than_the_bound, SOME))
