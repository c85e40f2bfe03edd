/* A whole call tree on one executor: COSCHED_ONE_EXECUTOR and cosched_call_all. */
#include <cosched/io.h>

#include <signal.h>
#include <unistd.h>

#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"
#include "sched/exec.h"

static pthread_t main_thread;

static bool on_mains_thread(void)
{
    return pthread_equal(run_thread(), main_thread);
}

/* Where the tree of this test is bound to. */
static cosched_affinity bound_to;

static void expect_bound(void)
{
    EXPECT_EQ(cosched_where(), bound_to);
    EXPECT(on_mains_thread() == (bound_to == COSCHED_MAIN || run_stats().workers == 0));
}

static cosched_affinity elsewhere(void)
{
    return bound_to == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
}

static int64_t leaf(void *arg)
{
    expect_bound();
    return run_return(arg) + 1;
}

static atomic_int detached_left;

static int64_t detached_leaf(void *arg)
{
    expect_bound();
    EXPECT_EQ(cosched_hop(elsewhere()), bound_to);
    expect_bound();
    detached_left--;
    return run_return(arg);
}

static void spawn_everywhere(intptr_t depth);

/* Everything that could leave, on every level. */
static int64_t bound_tree(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    expect_bound();
    int64_t result = 0;
    EXPECT_EQ(cosched_call(&result, elsewhere(), leaf, (void *)4, COSCHED_NOW), 0);
    EXPECT_EQ(result, 5);
    EXPECT_EQ(cosched_hop(elsewhere()), bound_to);
    expect_bound();
    cosched_yield();
    expect_bound();
    if (depth > 0) {
        EXPECT_EQ(cosched_call(&result, elsewhere(), bound_tree, (void *)(depth - 1), COSCHED_NOW),
                  0);
        EXPECT_EQ(
            cosched_call_all(&result, elsewhere(), bound_tree, (void *)(depth - 1), COSCHED_NOW), 0);
        spawn_everywhere(depth - 1);
    }
    return 0;
}

static void spawn_everywhere(intptr_t depth)
{
    cosched_task t[3];
    for (cosched_affinity at = COSCHED_INHERIT; at <= COSCHED_WORKER; at++) {
        t[at] = run_spawn(bound_tree, (void *)depth, at);
    }
    detached_left++;
    EXPECT_EQ(cosched_spawn(NULL, detached_leaf, NULL, run_at(elsewhere())), 0);
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    for (cosched_affinity at = COSCHED_INHERIT; at <= COSCHED_WORKER; at++) {
        EXPECT_EQ(cosched_group_spawn(&g, bound_tree, (void *)0, run_at(at)), 0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    for (cosched_affinity at = COSCHED_WORKER + 1; at-- > COSCHED_INHERIT;) {
        EXPECT_EQ(run_join(t[at]), 0);
    }
}

static cosched_attr bound_at(cosched_affinity at)
{
    return (cosched_attr){
        .struct_size = sizeof(cosched_attr), .affinity = at, .flags = COSCHED_ONE_EXECUTOR};
}

SCENARIO(a_bound_task_and_all_below_it_stay)
{
    main_thread = run_thread();
    for (bound_to = COSCHED_MAIN; bound_to <= COSCHED_WORKER; bound_to++) {
        cosched_attr a = bound_at(bound_to);
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, bound_tree, (void *)3, &a), 0);
        EXPECT_EQ(run_join(t), 0);
        UNTIL(detached_left == 0);
    }
    EXPECT_EQ(cosched_hop(COSCHED_WORKER), COSCHED_MAIN); /* the parent is free */
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_WORKER);
}

static int64_t free_leaf(void *arg)
{
    EXPECT_EQ(cosched_where(), (cosched_affinity)(intptr_t)arg);
    return 0;
}

SCENARIO(one_call_binds_and_unbinds)
{
    main_thread = run_thread();
    for (bound_to = COSCHED_MAIN; bound_to <= COSCHED_WORKER; bound_to++) {
        int64_t result = 1;
        EXPECT_EQ(cosched_call_all(&result, bound_to, bound_tree, (void *)3, COSCHED_NEVER), 0);
        EXPECT_EQ(result, 0);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
        EXPECT(on_mains_thread());
        UNTIL(detached_left == 0);
        EXPECT_EQ(
            cosched_call(NULL, COSCHED_WORKER, free_leaf, (void *)COSCHED_WORKER, COSCHED_NEVER), 0);
        EXPECT_EQ(run_join(run_spawn(free_leaf, (void *)COSCHED_WORKER, COSCHED_WORKER)), 0);
    }
    bound_to = COSCHED_MAIN;
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_INHERIT, bound_tree, (void *)2, COSCHED_NOW), 0);
    UNTIL(detached_left == 0);
}

static int64_t from_worker(void *arg)
{
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_MAIN, bound_tree, arg, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    return 0;
}

SCENARIO(a_worker_binds_a_tree_to_main)
{
    main_thread = run_thread();
    bound_to = COSCHED_MAIN;
    EXPECT_EQ(run_join(run_spawn(from_worker, (void *)2, COSCHED_WORKER)), 0);
    UNTIL(detached_left == 0);
}

/* --- who is not bound ------------------------------------------------------------------------------------- */

static int64_t pinned_and_free(void *arg)
{
    EXPECT_EQ(cosched_where(), (cosched_affinity)(intptr_t)arg);
    EXPECT_EQ(run_join(run_spawn(free_leaf, (void *)COSCHED_MAIN, COSCHED_MAIN)), 0);
    EXPECT_EQ(run_join(run_spawn(free_leaf, (void *)COSCHED_WORKER, COSCHED_WORKER)), 0);
    return 0;
}

static int64_t blocks(void *arg)
{
    (void)arg;
    EXPECT(!on_mains_thread());
    EXPECT_EQ(cosched_where(), COSCHED_INHERIT);
    return 3;
}

static int64_t bound_with_pinned_children(void *arg)
{
    (void)arg;
    expect_bound();
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        cosched_attr a = *run_at(at);
        a.flags = COSCHED_PINNED;
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, pinned_and_free, (void *)at, &a), 0);
        EXPECT_EQ(run_join(t), 0);
    }
    int64_t result = 0;
    EXPECT_EQ(cosched_blocking(&result, blocks, NULL), 0);
    EXPECT_EQ(result, 3);
    expect_bound();
    return 0;
}

SCENARIO(pinned_children_and_blocking_calls_keep_their_meaning)
{
    main_thread = run_thread();
    for (bound_to = COSCHED_MAIN; bound_to <= COSCHED_WORKER; bound_to++) {
        EXPECT_EQ(cosched_call_all(NULL, bound_to, bound_with_pinned_children, NULL, COSCHED_NEVER),
                  0);
    }
}

static int64_t uses_io(void *arg)
{
    (void)arg;
    static const int numbers[] = {SIGUSR1};
    cosched_signals *s;
    expect_bound();
    EXPECT_EQ(cosched_signals_open(&s, numbers, 1), 0);
    expect_bound();
    EXPECT_EQ(kill(getpid(), SIGUSR1), 0); /* workers block it */
    EXPECT_EQ(cosched_signals_wait(s, COSCHED_NEVER), SIGUSR1);
    expect_bound();
    cosched_signals_close(s);
    expect_bound();
    return 0;
}

SCENARIO(io_travels_below_a_bound_call_and_comes_back)
{
    main_thread = run_thread();
    for (bound_to = COSCHED_MAIN; bound_to <= COSCHED_WORKER; bound_to++) {
        EXPECT_EQ(cosched_call_all(NULL, bound_to, uses_io, NULL, COSCHED_NEVER), 0);
    }
}

static cosched_event let_go;

static int64_t outlives(void *arg)
{
    expect_bound();
    EXPECT_EQ(cosched_event_wait(&let_go, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_hop(elsewhere()), bound_to);
    expect_bound();
    return run_return(arg);
}

static cosched_task survivor;

static int64_t leaves_a_child(void *arg)
{
    survivor = run_spawn(outlives, arg, elsewhere());
    return 0;
}

SCENARIO(a_child_that_outlives_the_call_stays_bound)
{
    main_thread = run_thread();
    for (bound_to = COSCHED_MAIN; bound_to <= COSCHED_WORKER; bound_to++) {
        cosched_event_init(&let_go);
        EXPECT_EQ(cosched_call_all(NULL, bound_to, leaves_a_child, (void *)9, COSCHED_NEVER), 0);
        cosched_event_set(&let_go);
        EXPECT_EQ(run_join(survivor), 9);
    }
}

/* --- what can go wrong -------------------------------------------------------------------------------------- */

static int64_t pinned_elsewhere(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), -EPERM);
    int64_t result = 0;
    EXPECT_EQ(cosched_call_all(&result, COSCHED_MAIN, run_return, (void *)8, COSCHED_NOW), 0);
    EXPECT_EQ(result, 8);
    return 0;
}

static int64_t owns_its_thread(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_INHERIT, run_return, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER), -EPERM);
    return 0;
}

SCENARIO(errors_have_names)
{
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_BLOCKING, run_return, NULL, COSCHED_NEVER), -EINVAL);
    cosched_attr a = bound_at(COSCHED_BLOCKING);
    a.flags |= COSCHED_PINNED;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, run_return, NULL, &a), -EINVAL);
    a = *run_at(COSCHED_MAIN);
    a.flags = COSCHED_PINNED;
    EXPECT_EQ(cosched_spawn(&t, pinned_elsewhere, NULL, &a), 0);
    EXPECT_EQ(run_join(t), 0);
    EXPECT_EQ(run_join(run_spawn(owns_its_thread, NULL, COSCHED_BLOCKING)), 0);
}

START_TEST(outside_tasks_it_is_refused)
{
    EXPECT_EQ(cosched_call_all(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER), -EPERM);
}

END_TEST

static atomic_bool gate, reached;

static int64_t hog(void *arg)
{
    reached = true;
    UNTIL_SPIN(gate);
    return run_return(arg);
}

SCENARIO_ON(1, the_way_there_is_withdrawn_by_its_deadline)
{
    gate = reached = false;
    cosched_task t = run_spawn(hog, NULL, COSCHED_WORKER);
    UNTIL(reached);
    int64_t result = 5;
    EXPECT_EQ(cosched_call_all(&result, COSCHED_WORKER, run_return, NULL, cosched_in_ms(1)),
              -ETIMEDOUT);
    EXPECT_EQ(result, 5);
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    gate = true;
    EXPECT_EQ(run_join(t), 0);
    EXPECT_EQ(cosched_hop(COSCHED_WORKER), COSCHED_MAIN); /* not bound */
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_WORKER);
}

RUN_MAIN("one_executor", EACH(a_bound_task_and_all_below_it_stay), EACH(one_call_binds_and_unbinds),
         EACH(a_worker_binds_a_tree_to_main),
         EACH(pinned_children_and_blocking_calls_keep_their_meaning),
         EACH(io_travels_below_a_bound_call_and_comes_back),
         EACH(a_child_that_outlives_the_call_stays_bound), EACH(errors_have_names),
         ONCE(outside_tasks_it_is_refused), ONCE(the_way_there_is_withdrawn_by_its_deadline))
