/* MAIN helps the workers (cosched_help): what it may start and what never, and that nothing gets lost. What it learns is
 * test_help_learn.c. */
#include "test_help.h"

/* --- what it may start, and what never ------------------------------------------------------------------------ */

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

struct place {
    int order;
    bool helped;
};

static int64_t note_place(void *arg)
{
    *(struct place *)arg = (struct place){++sequence, cos_exec_current()->kind == COS_EXEC_MAIN};
    return 0;
}

static int64_t note_place_too(void *arg)
{
    return note_place(arg);
}

/* Once the worker has taken the first, MAIN may help with the next ones, and be faster. */
static bool comes_after(const struct place *later, const struct place *earlier)
{
    return later->helped || earlier->helped || later->order > earlier->order;
}

HELPED(COSCHED_HELP_IDLE, what_main_may_not_start_keeps_its_place_at_the_front)
{
    struct place place[3] = {{0, false}};
    sequence = 0;
    teach(note_place_too, 1000);
    hold_workers();
    cosched_task t[3] = {spawn_with(note_place, &place[0], 0),
                         spawn_with(note_place_too, &place[1], 0),
                         spawn_with(note_place_too, &place[2], 0)};
    let_main_poll();
    EXPECT_EQ(sequence, 0); /* nobody overtakes it */
    release_workers();
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT(!place[0].helped);
    EXPECT(run_stats().workers > 1 ||
           (comes_after(&place[1], &place[0]) && comes_after(&place[2], &place[0]) &&
            comes_after(&place[2], &place[1])));
}

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
         SOME(a_worker_that_is_behind_wakes_main), ONCE(an_unknown_kind_of_help_is_refused))
