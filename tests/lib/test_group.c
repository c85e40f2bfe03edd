/* Groups: policies, cancellation, and that no child outlives the join. */
#include "run.h"

static const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
static atomic_int ended, canceled;

static int64_t add_one(void *arg)
{
    atomic_fetch_add(&ended, 1);
    return run_return(arg);
}

static int64_t sleeper(void *arg)
{
    (void)arg;
    int rc = cosched_sleep_until(COSCHED_NEVER);
    atomic_fetch_add(&canceled, rc == -ECANCELED);
    atomic_fetch_add(&ended, 1);
    return rc;
}

static cosched_affinity place(int i)
{
    return i % 3 == 0 ? COSCHED_INHERIT : i % 3 == 1 ? COSCHED_MAIN : COSCHED_WORKER;
}

static void spawn_many(cosched_group *g, cosched_fn fn, int n)
{
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(cosched_group_spawn(g, fn, NULL, run_at(place(i))), 0);
    }
}

SCENARIO(an_empty_group_joins_at_once)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_group_init(&g, &collect), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
}

SCENARIO(ten_thousand_children_all_end_before_join_returns)
{
    int n = RUN_SIZE(10000, 2000, 1000);
    ended = 0;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    spawn_many(&g, add_one, n);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(ended, n);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

SCENARIO(fail_fast_cancels_the_rest_and_returns_the_first_error)
{
    ended = canceled = 0;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    spawn_many(&g, sleeper, 50);
    EXPECT_EQ(
        cosched_group_spawn(&g, run_return, (void *)(intptr_t)-ENOENT, run_at(COSCHED_WORKER)), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -ENOENT);
    EXPECT_EQ(ended, 50);
    EXPECT_EQ(canceled, 50);
}

SCENARIO(collect_counts_failures_and_cancels_nobody)
{
    ended = 0;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, &collect), 0);
    for (intptr_t i = 0; i < 100; i++) {
        EXPECT_EQ(cosched_group_spawn(&g, add_one, (void *)(i % 4 == 0 ? -i - 1 : i),
                                      run_at(place((int)i))),
                  0);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 25);
    EXPECT_EQ(ended, 100);
}

SCENARIO(join_past_its_deadline_cancels_and_waits_for_all)
{
    for (int now = 0; now < 2; now++) {
        ended = canceled = 0;
        cosched_group g;
        EXPECT_EQ(cosched_group_init(&g, now ? &collect : NULL), 0);
        spawn_many(&g, sleeper, 30);
        int64_t deadline = now ? COSCHED_NOW : cosched_in_ms(2);
        EXPECT_EQ(cosched_group_join(&g, deadline), -ETIMEDOUT);
        EXPECT(cosched_now() >= deadline);
        EXPECT_EQ(ended, 30);
        EXPECT_EQ(canceled, 30);
    }
}

static atomic_int joining;

static int64_t joins_for_ever(void *arg)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, arg), 0);
    spawn_many(&g, sleeper, 20);
    atomic_fetch_add(&joining, 1);
    return cosched_group_join(&g, COSCHED_NEVER);
}

SCENARIO(a_cancelled_joiner_waits_for_its_children_all_the_same)
{
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        ended = canceled = joining = 0;
        cosched_task t = run_spawn(joins_for_ever, NULL, (cosched_affinity)affinity);
        UNTIL(joining);
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
        EXPECT_EQ(ended, 20);
        EXPECT_EQ(canceled, 20);
    }
}

SCENARIO(spawn_into_a_cancelled_group_is_refused)
{
    ended = 0;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    cosched_group_cancel(&g);
    cosched_group_cancel(&g);
    EXPECT_EQ(cosched_group_spawn(&g, add_one, NULL, NULL), -ECANCELED);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(ended, 0);
    EXPECT(!cosched_cancelled()); /* the group, not its opener */
}

static void *cancel_group(void *arg)
{
    cosched_group_cancel(arg);
    return NULL;
}

SCENARIO(group_is_cancelled_from_a_foreign_thread)
{
    ended = canceled = 0;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, &collect), 0);
    spawn_many(&g, sleeper, 40);
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, cancel_group, &g), 0);
    EXPECT_EQ(cosched_event_wait(&(cosched_event){{0}}, cosched_in_ns(1)), -ETIMEDOUT);
    EXPECT_EQ(pthread_join(thread, NULL),
              0); /* before join: the group must live while it is cancelled */
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 40);
    EXPECT_EQ(canceled, 40);
}

static int64_t good_body(cosched_group *g, void *arg)
{
    spawn_many(g, add_one, (int)(intptr_t)arg);
    return 5;
}

static int64_t bad_body(cosched_group *g, void *arg)
{
    spawn_many(g, sleeper, (int)(intptr_t)arg);
    return -EIO;
}

static int64_t body_with_bad_child(cosched_group *g, void *arg)
{
    spawn_many(g, sleeper, (int)(intptr_t)arg);
    EXPECT_EQ(cosched_group_spawn(g, run_return, (void *)(intptr_t)-EPROTO, NULL), 0);
    return 0;
}

SCENARIO(group_run_joins_what_its_body_spawned)
{
    ended = canceled = 0;
    EXPECT_EQ(cosched_group_run(NULL, good_body, (void *)30), 0);
    EXPECT_EQ(ended, 30);
    EXPECT_EQ(cosched_group_run(NULL, bad_body, (void *)30), -EIO);
    EXPECT_EQ(canceled, 30);
    EXPECT_EQ(cosched_group_run(NULL, body_with_bad_child, (void *)30), -EPROTO);
    EXPECT_EQ(canceled, 60);
    EXPECT_EQ(ended, 90);
}

static int64_t nested_body(cosched_group *g, void *arg)
{
    (void)arg;
    spawn_many(g, joins_for_ever, 5);
    EXPECT_EQ(cosched_group_spawn(g, joins_for_ever, (void *)(uintptr_t)&collect, NULL), 0);
    UNTIL(joining == 6); /* every inner group has its children */
    return -EAGAIN;
}

SCENARIO(cancel_goes_down_through_nested_groups)
{
    ended = canceled = joining = 0;
    EXPECT_EQ(cosched_group_run(NULL, nested_body, NULL), -EAGAIN);
    EXPECT_EQ(canceled, ended);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

static cosched_group *foreign_group;

static int64_t spawn_into_foreign(void *arg)
{
    (void)arg;
    return cosched_group_spawn(foreign_group, add_one, NULL, NULL);
}

SCENARIO(only_the_opener_spawns_into_a_group)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    foreign_group = &g;
    EXPECT_EQ(run_join(run_spawn(spawn_into_foreign, NULL, COSCHED_WORKER)), -EPERM);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
}

SCENARIO(group_arguments_are_checked)
{
    cosched_group g;
    cosched_group_attr bad = {.struct_size = sizeof bad, .policy = (cosched_policy)7};
    EXPECT_EQ(cosched_group_init(&g, &bad), -EINVAL);
    bad = (cosched_group_attr){.struct_size = 0};
    EXPECT_EQ(cosched_group_init(&g, &bad), -EINVAL);
    bad = (cosched_group_attr){.struct_size = sizeof bad + 1};
    EXPECT_EQ(cosched_group_init(&g, &bad), -EINVAL);
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    cosched_attr attr = {.struct_size = sizeof attr, .arg_size = COSCHED_ARG_MAX + 1};
    EXPECT_EQ(cosched_group_spawn(&g, add_one, NULL, &attr), -EINVAL);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
}

static int64_t detach_a_child(void *arg)
{
    cosched_task t = run_spawn(add_one, arg, COSCHED_WORKER);
    cosched_detach(&t);
    return 0;
}

SCENARIO(children_of_a_group_may_detach_tasks_that_outlive_it)
{
    ended = 0;
    for (int i = 0; i < 100; i++) {
        cosched_group g;
        EXPECT_EQ(cosched_group_init(&g, NULL), 0);
        spawn_many(&g, detach_a_child, 10);
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        memset(&g, 0xa5, sizeof g);
    }
    UNTIL(ended == 1000);
}

START_TEST(outside_tasks_groups_are_refused)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), -EPERM);
    EXPECT_EQ(cosched_group_run(NULL, good_body, NULL), -EPERM);
}

END_TEST

static _Atomic(uint64_t) handed_out;

static int64_t hands_itself_out(void *arg)
{
    cosched_task self = cosched_self();
    (void)arg;
    atomic_store(&handed_out, (uint64_t)self.index << 32 | self.generation);
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(the_end_of_a_groups_child_is_its_groups)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    atomic_store(&handed_out, 0);
    EXPECT_EQ(cosched_group_spawn(&g, hands_itself_out, NULL, run_at(COSCHED_WORKER)), 0);
    UNTIL(atomic_load(&handed_out) != 0);
    uint64_t word = atomic_load(&handed_out);
    const cosched_task kid = {(uint32_t)(word >> 32), (uint32_t)word};
    cosched_task copy = kid;
    EXPECT_EQ(cosched_await(&copy, NULL, cosched_in_ms(60000)), -ESTALE);
    cosched_detach(&copy); /* it stays with its group */
    EXPECT_EQ(run_stats().tasks_live, 2);
    cosched_cancel(kid);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -ECANCELED);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

RUN_MAIN("group", EACH(the_end_of_a_groups_child_is_its_groups), EACH(an_empty_group_joins_at_once),
         EACH(ten_thousand_children_all_end_before_join_returns),
         EACH(fail_fast_cancels_the_rest_and_returns_the_first_error),
         EACH(collect_counts_failures_and_cancels_nobody),
         EACH(join_past_its_deadline_cancels_and_waits_for_all),
         EACH(a_cancelled_joiner_waits_for_its_children_all_the_same),
         EACH(spawn_into_a_cancelled_group_is_refused),
         EACH(group_is_cancelled_from_a_foreign_thread),
         EACH(group_run_joins_what_its_body_spawned), EACH(cancel_goes_down_through_nested_groups),
         EACH(only_the_opener_spawns_into_a_group), EACH(group_arguments_are_checked),
         EACH(children_of_a_group_may_detach_tasks_that_outlive_it),
         ONCE(outside_tasks_groups_are_refused))
