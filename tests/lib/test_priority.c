/* Priorities: who goes first, and that nobody waits longer than COSCHED_SLICES_MAX slices of each executor. */
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"
#include "sched/runtime.h"

static cosched_attr with(cosched_affinity at, int8_t priority)
{
    return (cosched_attr){.struct_size = sizeof(cosched_attr), .affinity = at, .priority = priority};
}

SCENARIO(only_three_priorities_exist)
{
    cosched_task t;
    cosched_attr a = with(COSCHED_MAIN, 2);
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, &a), -EINVAL);
    a.priority = -2;
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, &a), -EINVAL);
}

/* --- order ------------------------------------------------------------------------------------------------ */

enum { EACH_KIND = 5, ALL_KINDS = 3 * EACH_KIND };

static int8_t order[ALL_KINDS];
static atomic_uint arrived;

static int64_t note_priority(void *arg)
{
    order[atomic_fetch_add(&arrived, 1)] = (int8_t)(intptr_t)arg;
    return 0;
}

/* On an executor that has no other tasks: what it makes runs when it waits. */
static int64_t make_all_kinds(void *arg)
{
    (void)arg;
    cosched_task t[ALL_KINDS];
    int n = 0;
    arrived = 0;
    for (int8_t p = -1; p <= 1; p++) { /* the last come first */
        for (int i = 0; i < EACH_KIND; i++) {
            cosched_attr a = with(COSCHED_INHERIT, p);
            EXPECT_EQ(cosched_spawn(&t[n++], note_priority, (void *)(intptr_t)p, &a), 0);
        }
    }
    for (int i = 0; i < ALL_KINDS; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    for (int i = 0; i < ALL_KINDS; i++) {
        EXPECT_EQ(order[i], 1 - i / EACH_KIND);
    }
    return 0;
}

SCENARIO(high_before_normal_before_low_on_main)
{
    make_all_kinds(NULL);
}

START_TEST(high_before_normal_before_low_on_a_worker)
{
    cosched_config config = {
        .struct_size = sizeof config, .workers = _i, .main_help = COSCHED_HELP_OFF};
    cosched_runtime *rt;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_WORKER, make_all_kinds, NULL, 0), 0);
    EXPECT_EQ(cosched_runtime_loop(rt), 0);
    EXPECT_EQ(cosched_runtime_stop(rt, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
}

END_TEST

/* --- the bound -------------------------------------------------------------------------------------------- */

static atomic_bool ran;
static atomic_int crowd_started;

/* Always runnable; each turn of its loop is a slice. */
static int64_t crowd(void *arg)
{
    (void)arg;
    crowd_started++;
    while (!ran) {
        cosched_yield();
    }
    return 0;
}

static uint64_t slices_of(uint32_t exec)
{
    return cos_atomic_load(&cosched_runtime_self()->execs[exec]->count.slices, relaxed);
}

struct seen {
    uint32_t exec;
    uint64_t slices;
};

static int64_t in_question(void *arg)
{
    struct seen *s = arg;
    s->exec = cos_exec_current()->id;
    s->slices = slices_of(s->exec);
    ran = true;
    return 0;
}

/* How many slices of the executor that runs it one of `priority` at `at` waits for, beside a crowd there. It is made on MAIN,
 * and put in line before MAIN looks: a thread that is slow to look sees less of the waiting, never more. */
static int64_t waits_beside(cosched_affinity at, int8_t crowds, int8_t priority)
{
    enum { CROWD = 40 };

    cosched_task members[CROWD], one;
    uint64_t before[1 + COSCHED_WORKERS_MAX];
    ran = false;
    crowd_started = 0;
    cosched_attr a = with(at, crowds);
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ(cosched_spawn(&members[i], crowd, NULL, &a), 0);
    }
    UNTIL(crowd_started == CROWD);
    a.priority = priority;
    struct seen s = {0, 0};
    EXPECT_EQ(cosched_spawn(&one, in_question, &s, &a), 0);
    for (uint32_t i = 0; i <= run_stats().workers; i++) {
        before[i] = slices_of(i);
    }
    EXPECT_EQ(run_join(one), 0);
    for (int i = 0; i < CROWD; i++) {
        EXPECT_EQ(run_join(members[i]), 0);
    }
    int64_t waited = (int64_t)(s.slices - before[s.exec]) - 1; /* its own is counted */
    return waited > 0 ? waited : 0;
}

/* The longest wait of some, alone in its line: what stands before it is of another priority, and of those the bound speaks. */
static void expect_at_most(int64_t bound, cosched_affinity at, int8_t crowds, int8_t priority)
{
    int64_t longest = 0;
    for (int i = 0; i < 20; i++) {
        int64_t waited = waits_beside(at, crowds, priority);
        longest = waited > longest ? waited : longest;
    }
    printf("%spriority: workers %u, %d beside a crowd of %d on %s: at most %d slices\n",
           run_stats().workers == 8 ? "FIGURES " : "", run_stats().workers, priority, crowds,
           at == COSCHED_MAIN ? "MAIN" : "WORKER", (int)longest);
    fflush(stdout);
    EXPECT(longest <= bound);
}

SCENARIO(low_beside_normal_waits_no_longer_than_the_bound)
{
    expect_at_most(COSCHED_SLICES_MAX, COSCHED_MAIN, 0, -1);
    expect_at_most(COSCHED_SLICES_MAX, COSCHED_WORKER, 0, -1);
}

SCENARIO(low_beside_high_waits_no_longer_than_the_bound)
{
    expect_at_most(COSCHED_SLICES_MAX, COSCHED_MAIN, 1, -1);
    expect_at_most(COSCHED_SLICES_MAX, COSCHED_WORKER, 1, -1);
}

SCENARIO(normal_beside_high_waits_no_longer_than_the_bound)
{
    expect_at_most(COS_HIGH_RUN, COSCHED_MAIN, 1, 0);
    expect_at_most(COSCHED_SLICES_MAX, COSCHED_WORKER, 1, 0);
}

SCENARIO(high_beside_normal_goes_first)
{
    expect_at_most(1, COSCHED_MAIN, 0, 1); /* the others have one turn in nine */
    /* The common queue's turn may just have come, too, and a slice may be chosen and not counted yet. */
    expect_at_most(4, COSCHED_WORKER, 0, 1);
}

SCENARIO(normal_beside_low_goes_first)
{
    expect_at_most(1, COSCHED_MAIN, -1, 0); /* the turn of low ones may just have come */
    expect_at_most(4, COSCHED_WORKER, -1, 0);
}

/* The share of each, with always runnable tasks of all three. */
static atomic_int turns[3];
static atomic_bool enough;

static int64_t take_turns(void *arg)
{
    atomic_int *mine = arg;
    while (!enough) {
        (*mine)++;
        if (turns[2] == 2000) {
            enough = true;
        }
        cosched_yield();
    }
    return 0;
}

SCENARIO(all_three_have_their_share_on_main)
{
    cosched_task t[9];
    enough = false;
    turns[0] = turns[1] = turns[2] = 0;
    for (int i = 0; i < 9; i++) {
        cosched_attr a = with(COSCHED_MAIN, (int8_t)(i % 3 - 1));
        EXPECT_EQ(cosched_spawn(&t[i], take_turns, &turns[i % 3], &a), 0);
    }
    for (int i = 0; i < 9; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT(turns[1] >= 2000 / (COS_HIGH_RUN + 1) && turns[1] <= 2000 / COS_HIGH_RUN + 3);
    EXPECT(turns[0] >= 2000 / (COSCHED_SLICES_MAX + 1) && turns[0] <= 2000 / 50);
}

/* --- sleeping and travelling -------------------------------------------------------------------------------- */

SCENARIO(any_priority_wakes_a_sleeping_executor)
{
    for (int i = 0; i < RUN_SIZE(2000, 500, 200); i++) {
        cosched_attr a = with(i % 2 != 0 ? COSCHED_WORKER : COSCHED_MAIN, (int8_t)(i % 3 - 1));
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, run_return, (void *)(intptr_t)i, &a), 0);
        EXPECT_EQ(run_join(t), i);
    }
}

static int64_t travel(void *arg)
{
    for (int i = 0; i < 50; i++) {
        int64_t result = 0;
        cosched_affinity to = i % 2 != 0 ? COSCHED_MAIN : COSCHED_WORKER;
        EXPECT_EQ(cosched_call(&result, to, run_return, (void *)(intptr_t)i, COSCHED_NEVER), 0);
        EXPECT_EQ(result, i);
        cosched_yield();
        int rc =
            cosched_call(NULL, to, run_return, NULL, cosched_in_ns(1000)); /* withdrawn or not */
        EXPECT(rc == 0 || rc == -ETIMEDOUT);
        cosched_hop(to);
    }
    return run_return(arg);
}

SCENARIO(a_priority_travels_with_its_task)
{
    enum { N = 30 };

    cosched_task t[N];
    for (int i = 0; i < N; i++) {
        cosched_attr a = with(i % 2 != 0 ? COSCHED_WORKER : COSCHED_MAIN, (int8_t)(i % 3 - 1));
        EXPECT_EQ(cosched_spawn(&t[i], travel, (void *)(intptr_t)i, &a), 0);
    }
    for (int i = 0; i < N; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
}

static int64_t note_own_priority(void *arg)
{
    const struct cos_fiber *f = cos_fiber_self(NULL);
    *(unsigned *)arg = f->base->flags & COS_TASK_PRIORITY;
    return 0;
}

static int64_t arm_with_priority(void *arg)
{
    unsigned flags = 0;
    cosched_attr a = with(COSCHED_INHERIT, -1);
    EXPECT_EQ(cosched_after(NULL, 1, note_own_priority, &flags, &a), 0);
    UNTIL(flags != 0);
    EXPECT_EQ(flags, COS_TASK_LOW);
    return run_return(arg);
}

SCENARIO(what_a_token_runs_has_the_priority_that_was_asked_for)
{
    EXPECT_EQ(arm_with_priority(NULL), 0);
}

RUN_MAIN("priority", EACH(only_three_priorities_exist), EACH(high_before_normal_before_low_on_main),
         {high_before_normal_before_low_on_a_worker, 2},
         EACH(low_beside_normal_waits_no_longer_than_the_bound),
         EACH(low_beside_high_waits_no_longer_than_the_bound),
         EACH(normal_beside_high_waits_no_longer_than_the_bound),
         EACH(high_beside_normal_goes_first), EACH(normal_beside_low_goes_first),
         EACH(all_three_have_their_share_on_main), EACH(any_priority_wakes_a_sleeping_executor),
         EACH(a_priority_travels_with_its_task),
         EACH(what_a_token_runs_has_the_priority_that_was_asked_for))
