/* Handles: how often, by whom and how a task can be awaited; and await itself. */
#include "run.h"

static cosched_event go; /* one waiter */
static atomic_int ended;

static int64_t wait_for_go(void *arg)
{
    (void)arg;
    int rc = cosched_event_wait(&go, COSCHED_NEVER);
    atomic_fetch_add(&ended, 1);
    return rc;
}

SCENARIO(awaited_twice_is_stale_and_so_is_every_copy)
{
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        cosched_task t = run_spawn(run_return, (void *)5, (cosched_affinity)affinity);
        cosched_task copy = t, other = t;
        int64_t result = 0;
        EXPECT_EQ(cosched_await(&copy, &result, COSCHED_NEVER), 0);
        EXPECT_EQ(result, 5);
        EXPECT_EQ(copy.index, 0);
        EXPECT_EQ(cosched_await(&copy, &result, COSCHED_NEVER), -ESTALE);
        EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), -ESTALE);
        EXPECT_EQ(cosched_await(&other, NULL, COSCHED_NOW), -ESTALE);
        EXPECT_EQ(result, 5); /* untouched by the failures */
        cosched_detach(&t);   /* stale: ignored */
        cosched_cancel(other);
    }
}

SCENARIO(handles_that_never_were_are_stale)
{
    cosched_task none = {0, 0}, wild = {UINT32_MAX, 1}, high = {1u << 22, 1},
                 future = cosched_self();
    future.generation += 1;
    EXPECT_EQ(cosched_await(&none, NULL, COSCHED_NEVER), -ESTALE);
    EXPECT_EQ(cosched_await(&wild, NULL, COSCHED_NEVER), -ESTALE);
    EXPECT_EQ(cosched_await(&high, NULL, COSCHED_NEVER), -ESTALE);
    EXPECT_EQ(cosched_await(&future, NULL, COSCHED_NEVER), -ESTALE);
    cosched_cancel(none);
    cosched_cancel(wild);
    cosched_cancel(high);
    cosched_detach(&none);
    cosched_detach(&wild);
    EXPECT(!cosched_cancelled());
}

SCENARIO(detached_then_awaited_is_stale)
{
    cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
    cosched_task copy = t;
    cosched_detach(&t);
    EXPECT_EQ(t.index, 0);
    EXPECT_EQ(cosched_await(&copy, NULL, COSCHED_NEVER), -ESTALE);
    cosched_event_set(&go);
    UNTIL(ended == 1);
    EXPECT_EQ(cosched_await(&copy, NULL, COSCHED_NEVER), -ESTALE);
}

SCENARIO(detach_after_its_end_frees_it)
{
    cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
    cosched_event_set(&go);
    int rc;
    while ((rc = cosched_await(&t, NULL, COSCHED_NOW)) == -ETIMEDOUT && ended == 0) {
        cosched_yield();
    }
    cosched_detach(&t);
    UNTIL(run_stats().tasks_live == 1);
}

SCENARIO(await_with_a_deadline_times_out_and_succeeds_later)
{
    cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
    cosched_task before = t;
    int64_t result = 99, deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_await(&t, &result, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(result, 99);
    EXPECT_EQ(memcmp(&t, &before, sizeof t), 0);
    cosched_event_set(&go);
    EXPECT_EQ(cosched_await(&t, &result, cosched_in_ms(60000)), 0);
    EXPECT_EQ(result, 0);
}

SCENARIO(a_task_that_awaits_itself_would_wait_for_ever)
{
    cosched_task self = cosched_self();
    EXPECT_EQ(cosched_await(&self, NULL, COSCHED_NEVER), -EDEADLK);
    EXPECT(self.index != 0);
}

static int64_t await_given(void *arg)
{
    cosched_task t = *(cosched_task *)arg;
    int64_t result = 0;
    int rc = cosched_await(&t, &result, COSCHED_NEVER);
    return rc < 0 ? rc : 1000 + result;
}

static int64_t deadlock_middle(void *arg)
{
    cosched_task kid = run_spawn(await_given, arg, COSCHED_INHERIT);
    return run_join(kid);
}

SCENARIO(a_task_that_awaits_an_ancestor_on_its_own_stack_would_wait_for_ever)
{
    cosched_task self = cosched_self();
    cosched_task t =
        run_spawn(deadlock_middle, &self, COSCHED_INHERIT); /* both run inline below us */
    EXPECT_EQ(run_join(t), -EDEADLK);
}

static atomic_int awaiting;

static int64_t await_shared(void *arg)
{
    cosched_task t = *(cosched_task *)arg;
    int64_t result = 0;
    atomic_fetch_add(&awaiting, 1);
    int rc = cosched_await(&t, &result, cosched_in_ms(60000));
    return rc < 0 ? rc : 1000 + result;
}

SCENARIO(a_task_that_another_awaits_is_busy)
{
    cosched_event_init(&go);
    awaiting = 0;
    cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_MAIN);
    cosched_task a = run_spawn(await_shared, &t, COSCHED_MAIN);
    UNTIL(awaiting == 1); /* MAIN is in order: it waits when we run again */
    cosched_task copy = t;
    EXPECT_EQ(cosched_await(&copy, NULL, COSCHED_NEVER), -EBUSY);
    EXPECT_EQ(cosched_await(&copy, NULL, cosched_in_ms(1)), -EBUSY);
    cosched_event_set(&go);
    EXPECT_EQ(run_join(a), 1000);
}

SCENARIO(two_that_await_one_task_get_it_once)
{
    for (int round = 0; round < 50; round++) {
        cosched_event_init(&go);
        awaiting = 0;
        cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
        cosched_task a = run_spawn(await_shared, &t, COSCHED_WORKER);
        cosched_task b = run_spawn(await_shared, &t, round % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        if (round % 3 != 0) {
            UNTIL(awaiting == 2);
        }
        cosched_event_set(&go);
        int64_t ra = run_join(a), rb = run_join(b);
        EXPECT((ra == 1000) != (rb == 1000));
        int64_t other = ra == 1000 ? rb : ra;
        EXPECT(other == -EBUSY || other == -ESTALE);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ESTALE);
    }
}

static int64_t count_when_canceled(void *arg)
{
    int rc = cosched_sleep_until(COSCHED_NEVER);
    atomic_fetch_add((atomic_int *)arg, rc == -ECANCELED ? 1 : 1000);
    return rc;
}

static int64_t forget_children(void *arg)
{
    for (int i = 0; i < 20; i++) {
        run_spawn(count_when_canceled, arg, i % 3 ? COSCHED_WORKER : COSCHED_MAIN);
        if (i % 7 == 0) {
            cosched_yield();
        }
    }
    return 77;
}

SCENARIO(children_never_awaited_are_cancelled_and_joined_when_the_parent_returns)
{
    atomic_int canceled = 0;
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        canceled = 0;
        EXPECT_EQ(run_join(run_spawn(forget_children, &canceled, (cosched_affinity)affinity)), 77);
        EXPECT_EQ(canceled, 20); /* all of them had ended before the parent counted as ended */
    }
}

struct family {
    cosched_task kid;
    atomic_int ready, may_end;
};

static int64_t parent_of_shared(void *arg)
{
    struct family *f = arg;
    f->kid = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
    f->ready = 1;
    UNTIL(f->may_end);
    return 3;
}

/* What strangers do to other tasks' children leaves blocks that their parents must give back in good order. */
static void blocks_are_as_new(void)
{
    cosched_task many[64];
    for (int i = 0; i < 64; i++) {
        many[i] = run_spawn(run_return, (void *)(intptr_t)i, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 64; i++) {
        int64_t result = -1;
        EXPECT_EQ(cosched_await(&many[i], &result, cosched_in_ms(60000)), 0);
        EXPECT_EQ(result, i);
    }
}

SCENARIO(a_stranger_awaits_somebody_elses_child)
{
    for (int late = 0; late < 2; late++) {
        struct family f = {.kid = {0, 0}};
        cosched_event_init(&go);
        ended = 0;
        cosched_task parent = run_spawn(parent_of_shared, &f, COSCHED_WORKER);
        UNTIL(f.ready);
        cosched_task kid = f.kid;
        cosched_event_set(&go);
        if (late) {
            UNTIL(ended == 1);
        }
        EXPECT_EQ(cosched_await(&kid, NULL, cosched_in_ms(60000)), 0);
        EXPECT_EQ(cosched_await(&f.kid, NULL, COSCHED_NEVER), -ESTALE);
        f.may_end = 1;
        EXPECT_EQ(run_join(parent), 3);
        blocks_are_as_new();
    }
}

SCENARIO(a_stranger_detaches_somebody_elses_child_which_outlives_the_parent)
{
    for (int late = 0; late < 2; late++) {
        struct family f = {.kid = {0, 0}};
        cosched_event_init(&go);
        ended = 0;
        cosched_task parent = run_spawn(parent_of_shared, &f, COSCHED_WORKER);
        UNTIL(f.ready);
        cosched_task kid = f.kid;
        cosched_detach(&kid);
        EXPECT_EQ(cosched_await(&f.kid, NULL, COSCHED_NEVER), -ESTALE);
        if (late) { /* it ends while its parent still lists it */
            cosched_event_set(&go);
            UNTIL(ended == 1);
        }
        f.may_end = 1;
        EXPECT_EQ(run_join(parent), 3);
        if (!late) {
            EXPECT_EQ(ended, 0); /* detached: the parent's end does not cancel it */
            cosched_event_set(&go);
        }
        UNTIL(ended == 1);
        UNTIL(run_stats().tasks_live == 1);
        blocks_are_as_new();
    }
}

SCENARIO(parent_ends_while_a_stranger_awaits_its_child)
{
    struct family f = {.kid = {0, 0}};
    cosched_task parent = run_spawn(parent_of_shared, &f, COSCHED_WORKER);
    UNTIL(f.ready);
    cosched_task stranger = run_spawn(await_given, &f.kid, COSCHED_WORKER);
    for (int i = 0; i < 100; i++) {
        cosched_yield();
    }
    f.may_end = 1; /* cancels the child; the stranger has its result, or finds it gone */
    int64_t got = run_join(stranger);
    EXPECT(got == 1000 - ECANCELED || got == -ESTALE || got == -EBUSY);
    EXPECT_EQ(run_join(parent), 3);
    blocks_are_as_new();
}

SCENARIO(a_cancelled_waiter_leaves_the_task_to_be_awaited_by_others)
{
    cosched_task t = run_spawn(wait_for_go, NULL, COSCHED_WORKER);
    awaiting = 0;
    cosched_task waiter = run_spawn(await_shared, &t, COSCHED_WORKER);
    UNTIL(awaiting == 1);
    cosched_cancel(waiter);
    EXPECT_EQ(run_join(waiter), -ECANCELED);
    cosched_event_set(&go);
    EXPECT_EQ(run_join(t), 0);
}

static int64_t nest(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    if (depth == 0) {
        return 0;
    }
    cosched_affinity to = depth % 3 == 0   ? COSCHED_MAIN
                          : depth % 3 == 1 ? COSCHED_WORKER
                                           : COSCHED_INHERIT;
    cosched_affinity here = cosched_where();
    int64_t below = run_join(run_spawn(nest, (void *)(depth - 1), to));
    EXPECT_EQ(cosched_where(), here);
    return below < 0 ? below : below + 1;
}

SCENARIO(nested_awaits_across_executors_return_to_where_they_were)
{
    EXPECT_EQ(nest((void *)300), 300);
}

static int64_t ends_elsewhere(void *arg)
{
    (void)arg;
    cosched_hop(COSCHED_WORKER);
    return 1;
}

SCENARIO(child_that_ends_elsewhere_does_not_carry_its_awaiter_along)
{
    pthread_t here = run_thread();
    for (int parked = 0; parked < 2; parked++) {
        cosched_task t = run_spawn(ends_elsewhere, NULL, COSCHED_INHERIT);
        EXPECT_EQ(cosched_await(&t, NULL, parked ? cosched_in_ms(60000) : COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
        EXPECT(pthread_equal(run_thread(), here));
    }
}

static int64_t call_to_worker(void *arg)
{
    int64_t result = 0;
    int rc = cosched_call(&result, COSCHED_WORKER, run_return, arg, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

static int64_t pinned_parent(void *arg)
{
    cosched_task t = run_spawn(call_to_worker, arg, COSCHED_INHERIT);
    int64_t result = 0;
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), 0);
    int64_t own = 0;
    EXPECT_EQ(cosched_call(&own, COSCHED_WORKER, run_return, arg, COSCHED_NEVER), -EPERM);
    return result;
}

SCENARIO(child_of_a_pinned_parent_is_not_pinned)
{
    cosched_attr attr = *run_at(COSCHED_MAIN);
    attr.flags = COSCHED_PINNED;
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, pinned_parent, (void *)9, &attr), 0);
    EXPECT_EQ(run_join(t), 9);
}

SCENARIO(a_million_awaits_in_a_loop_leave_nothing_behind)
{
    int n = RUN_SIZE(1000000, 100000, 20000);
    for (int i = 0; i < 100; i++) {
        run_join(run_spawn(run_return, NULL, COSCHED_INHERIT));
    }
    cosched_stats before = run_stats();
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)(intptr_t)i, COSCHED_INHERIT)), i);
    }
    cosched_stats after = run_stats();
    EXPECT_EQ(after.tasks_live, before.tasks_live);
    EXPECT_EQ(after.spawned - before.spawned, n);
    EXPECT_EQ(after.completed - before.completed, n);
    EXPECT(after.stack_bytes <= before.stack_bytes); /* idle ones may be given back meanwhile */
    EXPECT_EQ(after.calls_stack_grown, before.calls_stack_grown);
    EXPECT(after.stacks_in_use <= before.stacks_in_use + 1);
}

SCENARIO(parked_awaits_in_a_loop_reuse_stacks)
{
    int n = RUN_SIZE(50000, 5000, 2000);
    for (int i = 0; i < n; i++) {
        cosched_task t = run_spawn(run_return, (void *)(intptr_t)i, COSCHED_WORKER);
        int64_t result = -1;
        EXPECT_EQ(cosched_await(&t, &result, cosched_in_ms(60000)), 0);
        EXPECT_EQ(result, i);
    }
    EXPECT_EQ(run_stats().tasks_live, 1);
    EXPECT(run_stats().stack_bytes <= (uint64_t)64 << 20);
}

START_TEST(outside_tasks_await_is_refused)
{
    cosched_task t = {1, 1};
    EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(t.index, 1);
}

END_TEST

RUN_MAIN("join", EACH(awaited_twice_is_stale_and_so_is_every_copy),
         EACH(handles_that_never_were_are_stale), EACH(detached_then_awaited_is_stale),
         EACH(detach_after_its_end_frees_it),
         EACH(await_with_a_deadline_times_out_and_succeeds_later),
         EACH(a_task_that_awaits_itself_would_wait_for_ever),
         EACH(a_task_that_awaits_an_ancestor_on_its_own_stack_would_wait_for_ever),
         EACH(a_task_that_another_awaits_is_busy), EACH(two_that_await_one_task_get_it_once),
         EACH(children_never_awaited_are_cancelled_and_joined_when_the_parent_returns),
         EACH(a_stranger_awaits_somebody_elses_child),
         EACH(a_stranger_detaches_somebody_elses_child_which_outlives_the_parent),
         EACH(parent_ends_while_a_stranger_awaits_its_child),
         EACH(a_cancelled_waiter_leaves_the_task_to_be_awaited_by_others),
         EACH(nested_awaits_across_executors_return_to_where_they_were),
         EACH(child_that_ends_elsewhere_does_not_carry_its_awaiter_along),
         EACH(child_of_a_pinned_parent_is_not_pinned),
         EACH(a_million_awaits_in_a_loop_leave_nothing_behind),
         EACH(parked_awaits_in_a_loop_reuse_stacks), ONCE(outside_tasks_await_is_refused))
