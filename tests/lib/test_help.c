/* MAIN helps the workers (cosched_help): what it may start and what never, what it learns, and that nothing gets lost. The
 * workers are held by tasks that spin on a gate, so whatever runs meanwhile runs on MAIN. */
#include "base/clock.h"
#include "run.h"
#include "sched/help.h"
#include "sched/runtime.h"

enum { HOGS_MAX = 8 };

static pthread_t main_thread;
static atomic_bool gate;
static atomic_uint held;
static cosched_task hogs[HOGS_MAX];

static struct cos_help *help(void)
{
    return &cosched_runtime_self()->help;
}

static uint64_t helped(void)
{
    return run_stats().main_helped;
}

/* Keeps the thread it runs on. */
static int64_t hog(void *arg)
{
    held++;
    UNTIL_SPIN(gate);
    return run_return(arg);
}

static cosched_attr worker_with(uint32_t flags)
{
    return (cosched_attr){
        .struct_size = sizeof(cosched_attr), .affinity = COSCHED_WORKER, .flags = flags};
}

static cosched_task spawn_with(cosched_fn fn, void *arg, uint32_t flags)
{
    cosched_attr a = worker_with(flags);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, fn, arg, &a), 0);
    return t;
}

static void hold_workers(void)
{
    main_thread = run_thread();
    gate = false;
    held = 0;
    uint32_t n = run_stats().workers;
    for (uint32_t i = 0; i < n; i++) {
        hogs[i] = spawn_with(hog, NULL, COSCHED_NO_HELP);
    }
    UNTIL(held == n);
}

static void release_workers(void)
{
    gate = true;
    uint32_t n = run_stats().workers;
    for (uint32_t i = 0; i < n; i++) {
        EXPECT_EQ(run_join(hogs[i]), 0);
    }
}

/* As if the workers had measured it. */
static void teach(cosched_fn fn, int64_t ns)
{
    for (int i = 0; i < COS_HELP_SEEN; i++) {
        cos_help_learn(help(), fn, ns, false);
    }
}

static void forget(void)
{
    for (size_t i = 0; i < sizeof help()->cost / sizeof help()->cost[0]; i++) {
        cos_atomic_store(&help()->cost[i], 0, relaxed);
    }
}

/* MAIN has nothing to do, many times over. */
static void let_main_poll(void)
{
    uint64_t polls = run_stats().main_polls;
    while (run_stats().main_polls < polls + 20) {
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
    }
}

static atomic_int started, on_main;

static int64_t brief(void *arg)
{
    started++;
    on_main += pthread_equal(run_thread(), main_thread) ? 1 : 0;
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    return run_return(arg);
}

static void reset(void)
{
    started = on_main = 0;
}

/* As the MAIN task of a runtime with n > 0 workers and this kind of help. */
static void with_help(int workers, cosched_help kind, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .main_help = kind};
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

static const int some_workers[] = {1, 2, 4, 8};

#define HELPED(kind, name)                              \
    static void name##_body(void);                      \
    static int64_t name##_task(void *arg)               \
    {                                                   \
        (void)arg;                                      \
        reset();                                        \
        name##_body();                                  \
        return 0;                                       \
    }                                                   \
    START_TEST(name)                                    \
    {                                                   \
        with_help(some_workers[_i], kind, name##_task); \
    }                                                   \
    END_TEST                                            \
    static void name##_body(void)
#define SOME(name) \
    {              \
        name, 4    \
    }

/* --- what it may start, and what never ------------------------------------------------------------------------ */

enum { BRIEF = 20 };

/* Whether MAIN started all of them while the workers were held. */
static bool main_starts_brief_ones(void)
{
    cosched_task t[BRIEF];
    uint64_t before = helped();
    bool all = true;
    reset();
    forget();
    teach(brief, 10000);
    hold_workers();
    for (intptr_t i = 0; i < BRIEF; i++) {
        t[i] = spawn_with(brief, (void *)i, 0);
    }
    for (intptr_t i = 0; i < BRIEF && all; i++) {
        while (cos_help_cost(help(), brief) <= COS_HELP_NS && t[i].index != 0) {
            int64_t result = -1;
            int rc = cosched_await(&t[i], &result, cosched_in_ms(2));
            EXPECT((rc == 0 && result == i) || rc == -ETIMEDOUT);
        }
        all = t[i].index == 0;
    }
    EXPECT_EQ(helped() - before, on_main);
    release_workers();
    for (intptr_t i = 0; i < BRIEF; i++) {
        if (t[i].index != 0) {
            EXPECT_EQ(run_join(t[i]), i);
        }
    }
    EXPECT(!all || on_main == BRIEF);
    return all;
}

HELPED(COSCHED_HELP_IDLE, brief_tasks_are_started_by_main_while_the_workers_are_held)
{
    while (!main_starts_brief_ones()) { /* a sanitizer, an emulator, or a machine short of memory made one of them cost more
                                         * than MAIN may give: that is never helped again, and waits for a worker */
    }
}

static void expect_left_alone(cosched_fn fn, uint32_t flags)
{
    uint64_t before = helped();
    hold_workers();
    cosched_task t = spawn_with(fn, (void *)3, flags);
    let_main_poll();
    EXPECT_EQ(started, 0);
    release_workers();
    EXPECT_EQ(run_join(t), 3);
    EXPECT_EQ(on_main, 0);
    EXPECT_EQ(helped(), before);
}

HELPED(COSCHED_HELP_IDLE, a_function_that_nobody_has_seen_is_left_to_the_workers)
{
    EXPECT_EQ(cos_help_cost(help(), brief), -1);
    expect_left_alone(brief, 0);
}

HELPED(COSCHED_HELP_IDLE, a_function_that_is_long_is_left_to_the_workers)
{
    teach(brief, INT64_C(200000000));
    expect_left_alone(brief, 0);
}

HELPED(COSCHED_HELP_IDLE, a_task_that_says_no_is_left_to_the_workers)
{
    teach(brief, 1000);
    expect_left_alone(brief, COSCHED_NO_HELP);
}

HELPED(COSCHED_HELP_IDLE, a_pinned_task_is_left_to_the_workers)
{
    teach(brief, 1000);
    expect_left_alone(brief, COSCHED_PINNED);
}

HELPED(COSCHED_HELP_IDLE, a_bound_task_is_left_to_the_workers)
{
    teach(brief, 1000);
    expect_left_alone(brief, COSCHED_ONE_EXECUTOR);
}

HELPED(COSCHED_HELP_IDLE, a_task_with_its_own_floating_point_environment_is_left_to_the_workers)
{
    teach(brief, 1000);
    expect_left_alone(brief, COSCHED_FPENV);
}

HELPED(COSCHED_HELP_OFF, without_help_everything_is_left_to_the_workers)
{
    teach(brief, 1000);
    expect_left_alone(brief, 0);
}

HELPED(COSCHED_HELP_ALWAYS, always_means_functions_that_nobody_has_seen_too)
{
    hold_workers();
    cosched_task t = spawn_with(brief, (void *)3, 0);
    EXPECT_EQ(run_join(t), 3);
    EXPECT_EQ(on_main, 1);
    EXPECT_EQ(helped(), 1);
    cosched_task no = spawn_with(brief, (void *)4, COSCHED_NO_HELP);
    let_main_poll();
    EXPECT_EQ(started, 1);
    release_workers();
    EXPECT_EQ(run_join(no), 4);
}

SCENARIO_ON(0, without_workers_there_is_nobody_to_help)
{
    for (intptr_t i = 0; i < 100; i++) {
        EXPECT_EQ(run_join(run_spawn(brief, (void *)i, COSCHED_WORKER)), i);
    }
    EXPECT_EQ(helped(), 0);
}

HELPED(COSCHED_HELP_IDLE, a_task_with_a_priority_is_left_to_the_workers)
{
    teach(brief, 1000);
    for (int8_t p = -1; p <= 1; p += 2) {
        hold_workers();
        reset();
        cosched_attr a = worker_with(0);
        a.priority = p;
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, brief, (void *)2, &a), 0);
        let_main_poll();
        EXPECT_EQ(started, 0);
        release_workers();
        EXPECT_EQ(run_join(t), 2);
    }
    EXPECT_EQ(on_main, 0);
}

/* --- what becomes of it ----------------------------------------------------------------------------------------- */

static cosched_event go_on;
static atomic_bool second_slice;

static int64_t in_two_slices(void *arg)
{
    EXPECT(pthread_equal(run_thread(), main_thread));
    started++;
    EXPECT_EQ(cosched_event_wait(&go_on, COSCHED_NEVER), 0);
    second_slice = true;
    EXPECT(!pthread_equal(run_thread(), main_thread));
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, its_later_slices_go_back_to_the_workers)
{
    second_slice = false;
    cosched_event_init(&go_on);
    teach(in_two_slices, 1000);
    hold_workers();
    cosched_task t = spawn_with(in_two_slices, (void *)6, 0);
    UNTIL(started == 1 || cosched_sleep_until(cosched_in_ms(1)) != 0);
    cosched_event_set(&go_on);
    let_main_poll();
    EXPECT(!second_slice);
    release_workers();
    EXPECT_EQ(run_join(t), 6);
}

static int64_t does_everything(void *arg)
{
    cosched_affinity here = COSCHED_WORKER;
    int64_t result = 0;
    EXPECT_EQ(cosched_where(), here);
    cosched_task kid = run_spawn(run_return, (void *)5, COSCHED_INHERIT);
    EXPECT_EQ(run_join(kid), 5);
    EXPECT_EQ(cosched_call(&result, COSCHED_MAIN, run_return, (void *)6, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), here);
    EXPECT(pthread_equal(run_thread(), main_thread));
    EXPECT_EQ(cosched_hop(here), COSCHED_MAIN);
    cosched_yield();
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1000)), 0);
    EXPECT_EQ(cosched_blocking(&result, run_return, (void *)7), 0);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1000)), 0);
    return run_return(arg) + result;
}

/* ALWAYS: MAIN and the workers race for each of them, at each of their starts. */
HELPED(COSCHED_HELP_ALWAYS, a_helped_task_can_do_whatever_a_worker_can)
{
    enum { N = 32 };

    main_thread = run_thread();
    for (int round = 0; round < RUN_SIZE(60, 20, 10); round++) {
        cosched_task t[N];
        for (intptr_t i = 0; i < N; i++) {
            t[i] = spawn_with(does_everything, (void *)i, 0);
        }
        for (intptr_t i = 0; i < N; i++) {
            EXPECT_EQ(run_join(t[i]), i + 7);
        }
    }
}

static int64_t times_out(void *arg)
{
    started++;
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED); /* armed on MAIN's wheel */
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, a_helped_tasks_timeout_fires)
{
    teach(times_out, 1000);
    hold_workers();
    cosched_attr a = worker_with(0);
    a.timeout_ns = 1000000;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, times_out, (void *)2, &a), 0);
    UNTIL(started == 1 || cosched_sleep_until(cosched_in_ms(1)) != 0);
    release_workers();
    EXPECT_EQ(run_join(t), 2);
}

static atomic_int sequence;

static int64_t note_place(void *arg)
{
    *(int *)arg = ++sequence;
    return 0;
}

static int64_t note_place_too(void *arg)
{
    return note_place(arg);
}

HELPED(COSCHED_HELP_IDLE, what_main_may_not_start_keeps_its_place_at_the_front)
{
    int places[3] = {0, 0, 0};
    sequence = 0;
    teach(note_place_too, 1000);
    hold_workers();
    cosched_task t[3] = {spawn_with(note_place, &places[0], 0),
                         spawn_with(note_place_too, &places[1], 0),
                         spawn_with(note_place_too, &places[2], 0)};
    let_main_poll();
    EXPECT_EQ(sequence, 0); /* nobody overtakes it */
    release_workers();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT(run_stats().workers > 1 || (places[0] == 1 && places[1] == 2 && places[2] == 3));
}

/* --- what it learns ---------------------------------------------------------------------------------------------- */

static atomic_bool enough;

/* Always runnable. */
static int64_t crowd(void *arg)
{
    while (!enough) {
        cosched_yield();
    }
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, the_workers_learn_while_they_are_behind)
{
    enum { N = 64, CROWD = 32 };

    cosched_task members[CROWD], t[N];
    main_thread = run_thread();
    enough = false;
    for (int i = 0; i < CROWD; i++) { /* no worker sleeps */
        members[i] = spawn_with(crowd, NULL, COSCHED_NO_HELP);
    }
    while (cos_help_cost(help(), brief) < 0) {
        for (intptr_t i = 0; i < N; i++) {
            t[i] = spawn_with(brief, (void *)i, 0);
        }
        for (intptr_t i = 0; i < N; i++) {
            EXPECT_EQ(run_join(t[i]), i);
        }
    }
    enough = true;
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ(run_join(members[i]), 0);
    }
    EXPECT(cos_help_cost(help(), brief) < INT64_MAX || RUN_TSAN ||
           RUN_ASAN); /* their price is a start's, too */
}

static int64_t burns(void *arg)
{
    started++;
    on_main += pthread_equal(run_thread(), main_thread) ? 1 : 0;
    int64_t end = cos_clock_cpu() + 2 * COS_HELP_NS;
    while (cos_clock_cpu() < end) {
        RUN_PAUSE();
    }
    return run_return(arg);
}

HELPED(COSCHED_HELP_IDLE, a_function_that_kept_main_too_long_is_never_helped_again)
{
    teach(burns, 1000);
    hold_workers();
    EXPECT_EQ(run_join(spawn_with(burns, (void *)1, 0)), 1);
    EXPECT_EQ(on_main, 1);
    release_workers();
    EXPECT_EQ(cos_help_cost(help(), burns), INT64_MAX);
    teach(burns, 1000);
    EXPECT_EQ(cos_help_cost(help(), burns), INT64_MAX);
    started = on_main = 0;
    expect_left_alone(burns, 0);
}

START_TEST(cost_goes_up_at_once_and_down_by_and_by)
{
    static struct cos_help h;
    for (int i = 1; i < COS_HELP_SEEN; i++) {
        cos_help_learn(&h, brief, 5000, false);
        EXPECT_EQ(cos_help_cost(&h, brief), -1);
    }
    cos_help_learn(&h, brief, 5000, false);
    EXPECT_EQ(cos_help_cost(&h, brief), 5000);
    cos_help_learn(&h, brief, 800000, false);
    EXPECT_EQ(cos_help_cost(&h, brief), 800000);
    int64_t before = 800000;
    int steps = 0;
    for (; cos_help_cost(&h, brief) > 5000; steps++) {
        cos_help_learn(&h, brief, 5000, false);
        EXPECT(cos_help_cost(&h, brief) < before);
        before = cos_help_cost(&h, brief);
    }
    EXPECT(steps > 16 && steps < 64);
    cos_help_learn(&h, brief, INT64_MAX, false);
    EXPECT(cos_help_cost(&h, brief) > COS_HELP_NS && cos_help_cost(&h, brief) < INT64_MAX);
    EXPECT_EQ(cos_help_cost(&h, burns), -1);
}

END_TEST

START_TEST(more_functions_than_fit_are_forgotten_not_mixed_up)
{
    enum { FNS = 4 << COS_HELP_FNS_LOG2 };

    static struct cos_help h;
    for (uintptr_t i = 1; i <= FNS; i++) {
        for (int n = 0; n < COS_HELP_SEEN; n++) {
            cos_help_learn(&h, (cosched_fn)(i * 16), (int64_t)i * 1000, false);
        }
    }
    int known = 0;
    for (uintptr_t i = 1; i <= FNS; i++) {
        int64_t cost = cos_help_cost(&h, (cosched_fn)(i * 16));
        EXPECT(cost == -1 || cost == (int64_t)i * 1000);
        known += cost >= 0 ? 1 : 0;
    }
    EXPECT(known > 0 && known <= 1 << COS_HELP_FNS_LOG2);
}

END_TEST

/* --- asleep -------------------------------------------------------------------------------------------------------- */

static int64_t makes_a_backlog(void *arg)
{
    cosched_task t[8];
    for (int i = 0; i < 8; i++) {
        t[i] = run_spawn(brief, NULL, COSCHED_WORKER);
    }
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    return run_return(arg);
}

static int64_t keeps_behind(void *arg)
{
    while (helped() == 0) {
        EXPECT_EQ(run_join(spawn_with(makes_a_backlog, arg, COSCHED_NO_HELP)), 0);
        cosched_yield();
    }
    return 0;
}

/* MAIN sleeps in its poll, and only workers make work: one of them calls it. */
HELPED(COSCHED_HELP_IDLE, a_worker_that_is_behind_wakes_main)
{
    cosched_task t[16];
    teach(brief, 1000);
    for (int i = 0; i < 16; i++) {
        t[i] = spawn_with(keeps_behind, NULL, COSCHED_NO_HELP);
    }
    for (int i = 0; i < 16; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT(helped() > 0);
}

START_TEST(an_unknown_kind_of_help_is_refused)
{
    cosched_runtime *rt;
    cosched_config config = {.struct_size = sizeof config, .main_help = COSCHED_HELP_ALWAYS + 1};
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), -EINVAL);
}

END_TEST

RUN_MAIN("help", SOME(brief_tasks_are_started_by_main_while_the_workers_are_held),
         SOME(a_function_that_nobody_has_seen_is_left_to_the_workers),
         SOME(a_function_that_is_long_is_left_to_the_workers),
         SOME(a_task_that_says_no_is_left_to_the_workers),
         SOME(a_pinned_task_is_left_to_the_workers), SOME(a_bound_task_is_left_to_the_workers),
         SOME(a_task_with_its_own_floating_point_environment_is_left_to_the_workers),
         SOME(without_help_everything_is_left_to_the_workers),
         SOME(always_means_functions_that_nobody_has_seen_too),
         ONCE(without_workers_there_is_nobody_to_help),
         SOME(a_task_with_a_priority_is_left_to_the_workers),
         SOME(its_later_slices_go_back_to_the_workers),
         SOME(a_helped_task_can_do_whatever_a_worker_can), SOME(a_helped_tasks_timeout_fires),
         SOME(what_main_may_not_start_keeps_its_place_at_the_front),
         SOME(the_workers_learn_while_they_are_behind),
         SOME(a_function_that_kept_main_too_long_is_never_helped_again),
         ONCE(cost_goes_up_at_once_and_down_by_and_by),
         ONCE(more_functions_than_fit_are_forgotten_not_mixed_up),
         SOME(a_worker_that_is_behind_wakes_main), ONCE(an_unknown_kind_of_help_is_refused))
