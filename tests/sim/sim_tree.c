/* Spawn, await, call and hop under every schedule: trees, chains, sleepers that must be woken, threads from outside. Small, so
 * that thousands of schedules of each can be run. */
#include "run.h"

#define SOON_NS 100000000 /* all is over long before, unless a wake-up was lost */

/* --- trees ------------------------------------------------------------------------------------------------ */

enum { FAN = 2 };

static cosched_affinity side(uint64_t n)
{
    return n % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

/* How many nodes there are in a tree of that depth. (By value: a cancelled parent ends before its children start.) */
static int64_t grow(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    int64_t sum = 1;
    cosched_task kids[FAN];
    for (int i = 0; depth > 0 && i < FAN; i++) {
        kids[i] = run_spawn(grow, (void *)(depth - 1), side(sim_below(2)));
    }
    if (sim_below(3) == 0) {
        cosched_yield();
    }
    uint64_t last = sim_below(FAN); /* from either end */
    for (uint64_t i = 0; depth > 0 && i < FAN; i++) {
        int64_t result = 0;
        int rc = cosched_await(&kids[(last + 1 + i) % FAN], &result, COSCHED_NEVER);
        sum += rc == 0 ? result : 0;
    }
    return sum;
}

SCENARIO(trees_on_both_sides_are_counted_exactly)
{
    sim_within(SOON_NS);
    EXPECT_EQ(run_join(run_spawn(grow, (void *)3, COSCHED_WORKER)), 15);
}

static atomic_int started;

static int64_t count_start(void *arg)
{
    started++;
    return run_return(arg);
}

/* The awaiter claims its child back just when the thief that the spawn has woken comes for it. */
static int64_t claim_back(void *arg)
{
    for (int i = 0; i < 16; i++) {
        cosched_task kid = run_spawn(count_start, (void *)(intptr_t)i, COSCHED_WORKER);
        sim_busy((int64_t)sim_below(1000));
        EXPECT_EQ(run_join(kid), i);
        EXPECT_EQ(started, i + 1);
    }
    return run_return(arg);
}

SCENARIO(a_last_entry_is_claimed_or_stolen_by_one)
{
    sim_within(SOON_NS);
    started = 0;
    EXPECT_EQ(run_join(run_spawn(claim_back, NULL, COSCHED_WORKER)), 0);
}

static int64_t leave_kids(void *arg)
{
    for (int i = 0; i < 3; i++) {
        (void)run_spawn(i == 1 ? run_until_canceled : grow, (void *)1, side(sim_below(2)));
    }
    return run_return(arg);
}

SCENARIO(children_that_nobody_awaits_are_cancelled_and_joined)
{
    sim_within(SOON_NS);
    EXPECT_EQ(run_join(run_spawn(leave_kids, (void *)7, COSCHED_WORKER)), 7);
    EXPECT_EQ(run_join(run_spawn(leave_kids, (void *)8, COSCHED_MAIN)), 8);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

static int64_t await_what_is_given(void *arg)
{
    cosched_task t = *(cosched_task *)arg;
    int64_t result = 0;
    int rc = cosched_await(&t, &result, COSCHED_NEVER);
    EXPECT(rc == 0 || rc == -EBUSY || rc == -ESTALE);
    return rc == 0 ? result : rc;
}

/* Two tasks and its parent's return want the same child: at most one of them has its result. */
SCENARIO(one_of_two_awaiters_has_the_result)
{
    sim_within(SOON_NS);
    cosched_task t = run_spawn(run_return, (void *)5, COSCHED_WORKER);
    cosched_task a = run_spawn(await_what_is_given, &t, COSCHED_WORKER);
    cosched_task b = run_spawn(await_what_is_given, &t, COSCHED_MAIN);
    int64_t x = run_join(a), y = run_join(b);
    EXPECT((x == 5) != (y == 5));
    EXPECT(x == 5 || x == -EBUSY || x == -ESTALE);
    EXPECT(y == 5 || y == -EBUSY || y == -ESTALE);
}

static int64_t detach_it(void *arg)
{
    cosched_detach(arg);
    return 0;
}

SCENARIO(detach_and_await_of_one_handle)
{
    sim_within(SOON_NS);
    cosched_task t = run_spawn(run_return, (void *)5, side(sim_below(2)));
    cosched_task copy = t;
    cosched_task d = run_spawn(detach_it, &copy, COSCHED_WORKER);
    int64_t result = -1;
    int rc = cosched_await(&t, &result, COSCHED_NEVER);
    EXPECT(rc == 0 ? result == 5 : rc == -ESTALE);
    EXPECT_EQ(run_join(d), 0);
}

/* --- forks -------------------------------------------------------------------------------------------------- */

static atomic_int leaves;

/* Leaves that are called, once each; now and then one suspends, goes elsewhere and back, or leaves somebody else busy. */
static int64_t fork_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    cosched_affinity home = cosched_where();
    if (sim_below(4) == 0) {
        cosched_yield();
    }
    if (depth == 0) {
        leaves++;
        cosched_hop(side(sim_below(2)));
        return 1;
    }
    cosched_branch b[3];
    for (int i = 0; i < 3; i++) {
        b[i] = (cosched_branch){.fn = fork_tree, .arg = (void *)(depth - 1)};
    }
    EXPECT_EQ(cosched_invoke(b, 3), 0);
    EXPECT_EQ(cosched_where(), home);
    return b[0].result + b[1].result + b[2].result;
}

SCENARIO(each_branch_of_a_fork_is_called_once)
{
    sim_within(SOON_NS);
    leaves = 0;
    EXPECT_EQ(run_join(run_spawn(fork_tree, (void *)2, COSCHED_WORKER)), 9);
    EXPECT_EQ(leaves, 9);
    EXPECT_EQ(run_join(run_spawn(fork_tree, (void *)1, COSCHED_MAIN)), 3);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

static int64_t fail_or_wait(void *arg)
{
    if (sim_below(3) == 0) {
        int rc = cosched_sleep_until(cosched_in_ns(2000));
        EXPECT(rc == 0 || (rc == -ECANCELED && cosched_cancelled()));
    } else {
        sim_busy((int64_t)sim_below(3000));
    }
    if (arg != NULL) {
        cosched_panic("a branch fails");
    }
    leaves++;
    return 0;
}

static int64_t fork_and_fail(void *arg)
{
    cosched_branch b[4];
    for (intptr_t i = 0; i < 4; i++) {
        b[i] = (cosched_branch){.fn = fail_or_wait, .arg = (intptr_t)arg == i ? b : NULL};
    }
    cosched_invoke(b, 4);
    EXPECT(false);
    return 0;
}

/* Whoever runs the one that fails: the caller fails, and nothing of the others goes on after it. */
SCENARIO(a_branch_that_fails_fails_its_caller)
{
    sim_within(SOON_NS);
    for (intptr_t which = 0; which < 4; which++) {
        leaves = 0;
        cosched_task t = run_spawn(fork_and_fail, (void *)which, side(sim_below(2)));
        EXPECT_EQ(run_join(t), -ENOTRECOVERABLE);
        int seen = leaves;
        EXPECT(seen <= 3);
        EXPECT_EQ(run_stats().tasks_live, 1);
        sim_busy(10000);
        EXPECT_EQ(leaves, seen);
    }
}

/* --- calls and hops ------------------------------------------------------------------------------------- */

static int64_t back_and_forth(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    cosched_affinity here = depth % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
    EXPECT_EQ(cosched_where(), here);
    if (depth == 0) {
        return 0;
    }
    int64_t result = -1;
    EXPECT_EQ(cosched_call(&result, side((uint64_t)depth - 1), back_and_forth, (void *)(depth - 1),
                           COSCHED_NEVER),
              0);
    EXPECT_EQ(cosched_where(), here);
    return result + 1;
}

SCENARIO(calls_alternate_between_the_sides)
{
    sim_within(SOON_NS);
    int64_t result = -1;
    cosched_task t = run_spawn(back_and_forth, (void *)6, COSCHED_MAIN);
    EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, back_and_forth, (void *)7, COSCHED_NEVER), 0);
    EXPECT_EQ(result, 7);
    EXPECT_EQ(run_join(t), 6);
}

static int64_t hop_about(void *arg)
{
    for (int i = 0; i < 4; i++) {
        cosched_affinity to = side(sim_below(2));
        cosched_hop(to);
        EXPECT_EQ(cosched_where(), to);
    }
    return run_return(arg);
}

SCENARIO(tasks_that_hop_arrive)
{
    sim_within(SOON_NS);
    cosched_task t[4];
    for (intptr_t i = 0; i < 4; i++) {
        t[i] = run_spawn(hop_about, (void *)i, side((uint64_t)i));
    }
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
}

/* --- sleepers ------------------------------------------------------------------------------------------- */

/* Everybody is asleep each time something comes in: whoever is not woken shows as a deadlock. */
static int64_t one_after_the_other(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        sim_busy((int64_t)sim_below(60000));
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)1, side(sim_below(2)))), 1);
    }
    return 0;
}

SCENARIO(idle_executors_are_woken)
{
    sim_within(SOON_NS);
    EXPECT_EQ(run_join(run_spawn(one_after_the_other, NULL, COSCHED_MAIN)), 0);
    EXPECT_EQ(run_join(run_spawn(one_after_the_other, NULL, COSCHED_WORKER)), 0);
}

static int64_t set_it(void *arg)
{
    cosched_event_set(arg);
    return 0;
}

static int64_t wait_for_it(void *arg)
{
    return cosched_event_wait(arg, COSCHED_NEVER);
}

SCENARIO(an_event_is_never_missed)
{
    sim_within(SOON_NS);
    for (int i = 0; i < 4; i++) {
        cosched_event e;
        cosched_event_init(&e);
        cosched_task s = run_spawn(set_it, &e, side(sim_below(2)));
        cosched_task w = run_spawn(wait_for_it, &e, side(sim_below(2)));
        EXPECT_EQ(run_join(w), 0);
        EXPECT_EQ(run_join(s), 0);
    }
}

struct outsider {
    cosched_runtime *rt;
    atomic_int ran;
};

static int64_t count_one(void *arg)
{
    atomic_fetch_add(&((struct outsider *)arg)->ran, 1);
    return 0;
}

static void *from_outside(void *arg)
{
    struct outsider *o = arg;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(cosched_runtime_post(o->rt, side(sim_below(2)), count_one, arg, 0), 0);
        int64_t result = -1;
        EXPECT_EQ(cosched_runtime_call(o->rt, side(sim_below(2)), run_return, (void *)9, &result),
                  0);
        EXPECT_EQ(result, 9);
    }
    return NULL;
}

SCENARIO(foreign_threads_reach_sleeping_executors)
{
    sim_within(SOON_NS);
    struct outsider o = {.rt = cosched_runtime_self()};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_create(&threads[i], NULL, from_outside, &o), 0);
    }
    while (atomic_load(&o.ran) < 6) {
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
    }
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(cosched_blocking(NULL, (cosched_fn)run_return, NULL), 0);
        EXPECT_EQ(pthread_join(threads[i], NULL), 0);
    }
}

/* --- bursts ----------------------------------------------------------------------------------------------- */

static atomic_int present;

/* Keeps its worker until all have one. */
static int64_t meets(void *arg)
{
    present++;
    while (present < (int)(intptr_t)arg) {
        sim_busy(200);
    }
    return 0;
}

/* One task for each worker, while they fall asleep: whoever was woken for what another took may meet the next of a burst where
 * it counts as no searcher. */
SCENARIO(a_burst_reaches_every_worker)
{
    enum { BURSTS = 6 };

    int workers = (int)run_stats().workers;
    sim_within(SOON_NS);
    for (int i = 0; workers > 0 && i < BURSTS; i++) {
        cosched_task t[COSCHED_WORKERS_MAX];
        sim_busy((int64_t)sim_below(4000));
        present = 0;
        for (int k = 0; k < workers; k++) {
            t[k] = run_spawn(meets, (void *)(intptr_t)workers, COSCHED_WORKER);
            sim_busy((int64_t)sim_below(300));
        }
        for (int k = 0; k < workers; k++) {
            EXPECT_EQ(run_join(t[k]), 0);
        }
    }
}

RUN_MAIN("tree", EACH(trees_on_both_sides_are_counted_exactly),
         EACH(a_last_entry_is_claimed_or_stolen_by_one),
         EACH(children_that_nobody_awaits_are_cancelled_and_joined),
         EACH(one_of_two_awaiters_has_the_result), EACH(detach_and_await_of_one_handle),
         EACH(each_branch_of_a_fork_is_called_once), EACH(a_branch_that_fails_fails_its_caller),
         EACH(calls_alternate_between_the_sides), EACH(tasks_that_hop_arrive),
         EACH(idle_executors_are_woken), EACH(an_event_is_never_missed),
         EACH(foreign_threads_reach_sleeping_executors), EACH(a_burst_reaches_every_worker))
