/* The budget that inline awaits share with slices: whoever waits in line is let in, however many children are awaited. */
#include "sched/exec.h"
#include "test_inline.h"

static atomic_bool running, asked, served;

static int64_t serve(void *arg)
{
    (void)arg;
    served = true;
    return 0;
}

/* Spawns and awaits without ever waiting; how many awaits it saw go by between the request and its service. */
static int64_t await_until_served(void *arg)
{
    int64_t after = 0;
    while (!served) {
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, run_return, arg, NULL), 0);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), 0);
        after += asked ? 1 : 0;
    }
    return after;
}

static void budget_reset(void)
{
    running = asked = served = false;
}

static int64_t ask_main(void *arg)
{
    while (!running) {
        RUN_PAUSE();
    }
    EXPECT_EQ(cosched_runtime_post(arg, COSCHED_MAIN, serve, NULL, 0), 0);
    asked = true;
    return 0;
}

SCENARIO(inline_awaits_let_mains_inbox_in)
{
    budget_reset();
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, ask_main, cosched_runtime_self(), run_at(COSCHED_BLOCKING)), 0);
    /* It asks while this task has its turn: asked between two turns, MAIN's line is served in its order, and this task, if it
     * stands there already, has a whole turn first. */
    running = true;
    while (!asked) {
        RUN_PAUSE();
    }
    int64_t after = await_until_served(NULL);
    EXPECT(after <= COS_EXEC_BUDGET + 2);
    EXPECT_EQ(run_join(t), 0);
}

SCENARIO(inline_awaits_let_due_timers_in)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        budget_reset();
        EXPECT_EQ(cosched_after(NULL, 1000000, serve, NULL, run_at(at)), 0);
        EXPECT_EQ(run_join(run_spawn(await_until_served, NULL, at)), 0);
    }
}

static int64_t leave_one_behind(void *arg)
{
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, serve, NULL, NULL), 0);
    cosched_detach(&t);
    return await_until_served(arg);
}

SCENARIO(inline_awaits_let_their_own_line_in)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_WORKER; at++) {
        budget_reset();
        EXPECT_EQ(run_join(run_spawn(leave_one_behind, NULL, at)), 0);
    }
}

static atomic_bool leave, reached;

static int64_t hold(void *arg)
{
    reached = true;
    UNTIL_SPIN(leave);
    return run_return(arg);
}

/* The only worker finds a due timer and a task that never waits at one look. */
SCENARIO_ON(1, a_timer_that_is_due_before_such_a_task_starts_is_let_in)
{
    budget_reset();
    leave = reached = false;
    cosched_task t = run_spawn(hold, NULL, COSCHED_WORKER);
    UNTIL(reached);
    int64_t due = cosched_in_ns(1000000);
    EXPECT_EQ(cosched_after(NULL, 1000000, serve, NULL, run_at(COSCHED_WORKER)), 0);
    cosched_task loop = run_spawn(await_until_served, NULL, COSCHED_WORKER);
    UNTIL(cosched_now() > due + 2000000);
    leave = true;
    EXPECT_EQ(run_join(loop), 0);
    EXPECT_EQ(run_join(t), 0);
}

static int64_t await_until_expired(void *arg)
{
    (void)arg;
    cosched_task t;
    int rc = 0;
    while (rc == 0) {
        EXPECT_EQ(cosched_spawn(&t, run_return, NULL, NULL), 0);
        rc = cosched_await(&t, NULL, COSCHED_NEVER);
    }
    return rc;
}

SCENARIO(inline_awaits_end_at_the_tasks_own_timeout)
{
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        cosched_attr a = *run_at(at);
        a.timeout_ns = 1000000;
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, await_until_expired, NULL, &a), 0);
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
}

SCENARIO_ON(1, inline_awaits_let_the_common_queue_in)
{
    budget_reset();
    cosched_task loop = run_spawn(await_until_served, NULL, COSCHED_WORKER);
    UNTIL(run_stats().worker[0].slices > 0);
    cosched_task t = run_spawn(serve, NULL, COSCHED_WORKER);
    asked = true;
    EXPECT(run_join(loop) <= 2 * COS_EXEC_BUDGET);
    EXPECT_EQ(run_join(t), 0);
}

static int64_t fork_join(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_task t = run_spawn(fork_join, (void *)(n - 1), COSCHED_INHERIT);
    int64_t right = fork_join((void *)(n - 2));
    return run_join(t) + right;
}

static int64_t chain(void *arg)
{
    intptr_t n = (intptr_t)arg;
    return n == 0 ? 0 : run_join(run_spawn(chain, (void *)(n - 1), COSCHED_INHERIT)) + 1;
}

static int64_t chains(void *arg)
{
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(chain((void *)16), 16);
    }
    return run_return(arg);
}

/* 1,600 awaits of the only child there is. (Of a tree the branches that wait are in line, and after some milliseconds have a turn:
 * how many that are is up to the clock.) */
static int64_t what_leaves_nobody_in_line_is_one_slice(void *arg)
{
    (void)arg;
    EXPECT_EQ(run_join(run_spawn(chains, NULL, COSCHED_WORKER)), 0);
    EXPECT(run_stats().worker[0].slices <= 2);
    EXPECT_EQ(run_join(run_spawn(fork_join, (void *)16, COSCHED_WORKER)), 987);
    return 0;
}

START_TEST(a_spent_budget_yields_to_nobody_if_nobody_waits)
{
    run_with(1, 0, what_leaves_nobody_in_line_is_one_slice, NULL);
}

END_TEST

RUN_MAIN("inline_budget", EACH(inline_awaits_let_mains_inbox_in),
         EACH(inline_awaits_let_due_timers_in), EACH(inline_awaits_let_their_own_line_in),
         ONCE(a_timer_that_is_due_before_such_a_task_starts_is_let_in),
         EACH(inline_awaits_end_at_the_tasks_own_timeout),
         ONCE(inline_awaits_let_the_common_queue_in),
         ONCE(a_spent_budget_yields_to_nobody_if_nobody_waits))
