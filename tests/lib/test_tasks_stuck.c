/* cosched_tasks_stuck: who waits for each other is found, with every chain. Who is not: test_tasks_not_stuck.c. */
#include "test_tasks_stuck.h"

/* Until both hold their first one. */
static _Atomic(int) holding;

static int64_t locks_both(cosched_mutex *first, cosched_mutex *second)
{
    EXPECT_EQ(cosched_mutex_lock(first, COSCHED_NEVER), 0);
    atomic_fetch_add(&holding, 1);
    UNTIL(atomic_load(&holding) == 2);
    int rc = cosched_mutex_lock(second, COSCHED_NEVER);
    if (rc == 0) {
        cosched_mutex_unlock(second);
    }
    cosched_mutex_unlock(first);
    return rc;
}

static int64_t locks_ab(void *arg)
{
    (void)arg;
    return locks_both(&a, &b);
}

static int64_t locks_ba(void *arg)
{
    (void)arg;
    return locks_both(&b, &a);
}

/* --- found -------------------------------------------------------------------------------------------------------------- */

SCENARIO(two_mutexes_in_opposite_order_are_found_with_their_owners)
{
    fresh();
    atomic_store(&holding, 0);
    cosched_task ab = start_named("ab", locks_ab, NULL, COSCHED_WORKER);
    cosched_task ba = start_named("ba", locks_ba, NULL, COSCHED_MAIN);
    until_stuck(2);
    const cosched_task_info *one = seen_named("ab"), *two = seen_named("ba");
    EXPECT(one->stuck == two->stuck && same_task(one->for_task, two->task));
    EXPECT(same_task(two->for_task, one->task));
    EXPECT(one->reason == COSCHED_FOR_MUTEX && one->object == (uintptr_t)&b);
    EXPECT(two->reason == COSCHED_FOR_MUTEX && two->object == (uintptr_t)&a);
    EXPECT(one->calls[0].fn == locks_ab && two->calls[0].fn == locks_ba);
    EXPECT(RUN_ASAN || (one->frame_count > 0 && two->frame_count > 0));
    cosched_cancel(ab);
    EXPECT_EQ(run_join(ab), -ECANCELED);
    EXPECT_EQ(run_join(ba), 0);
    EXPECT_EQ(see_stuck(), 0);
    done();
}

SCENARIO(a_join_and_a_channel_that_only_the_joiner_fills_are_found)
{
    fresh();
    cosched_task t = start_named("sender", sends_and_awaits, NULL, COSCHED_WORKER);
    until_stuck(2);
    const cosched_task_info *sender = seen_named("sender"), *receiver = seen_named("receiver");
    EXPECT(sender->stuck == receiver->stuck && same_task(sender->for_task, receiver->task));
    EXPECT(receiver->reason == COSCHED_FOR_RECV && receiver->object == (uintptr_t)ch);
    EXPECT(same_task(receiver->above[0], sender->task));
    end_task(t);
    EXPECT_EQ(see_stuck(), 0);
    done();
}

SCENARIO(sets_that_have_nothing_to_do_with_each_other_have_numbers_of_their_own)
{
    fresh();
    atomic_store(&holding, 0);
    cosched_task sender = start_named("sender", sends_and_awaits, NULL, COSCHED_WORKER);
    cosched_task ab = start_named("ab", locks_ab, NULL, COSCHED_WORKER);
    cosched_task ba = start_named("ba", locks_ba, NULL, COSCHED_MAIN);
    cosched_task waits =
        start_named("waits", awaits, &(cosched_task){ab.index, ab.generation}, COSCHED_WORKER);
    until_stuck(5);
    uint32_t set = seen_named("ab")->stuck;
    EXPECT(set == seen_named("ba")->stuck && set == seen_named("waits")->stuck);
    EXPECT(seen_named("sender")->stuck == seen_named("receiver")->stuck);
    EXPECT_EQ(set + seen_named("sender")->stuck, 3);
    see_all(COSCHED_TASKS_STUCK);
    EXPECT_EQ(seen_named("waits")->stuck, set);
    cosched_cancel(ab);
    end_task(waits);
    run_join(ba);
    end_task(sender);
    EXPECT_EQ(see_stuck(), 0);
    done();
}

static int64_t joins_group_holding(void *arg)
{
    (void)arg;
    cosched_group g;
    EXPECT_EQ(cosched_mutex_lock(&a, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    EXPECT_EQ(cosched_group_spawn(&g, locks_a, NULL, run_at(COSCHED_WORKER)), 0);
    EXPECT_EQ(cosched_group_spawn(&g, run_return, NULL, run_at(COSCHED_WORKER)), 0);
    int64_t rc = cosched_group_join(&g, COSCHED_NEVER);
    cosched_mutex_unlock(&a);
    return rc;
}

static int64_t awaits_inline_holding(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&a, COSCHED_NEVER), 0);
    cosched_task t = start_named("child", locks_a, NULL, COSCHED_INHERIT);
    int rc = cosched_await(&t, NULL, COSCHED_NEVER);
    cosched_mutex_unlock(&a);
    return rc;
}

static int64_t awaits_any_holding(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&a, COSCHED_NEVER), 0);
    cosched_task t[3] = {
        run_spawn(locks_a, NULL, COSCHED_WORKER), {0, 0}, run_spawn(locks_a, NULL, COSCHED_WORKER)};
    int rc = cosched_await_any(t, 3, NULL, COSCHED_NEVER);
    cosched_mutex_unlock(&a);
    return rc;
}

static cosched_once once;

static int64_t runs_once(void *arg)
{
    (void)arg;
    return cosched_once_run(&once, NULL, run_return, NULL, COSCHED_NEVER);
}

static int64_t spawns_who_needs_it(void *arg)
{
    (void)arg;
    cosched_task t = run_spawn(runs_once, NULL, COSCHED_WORKER);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static int64_t runs_once_around_itself(void *arg)
{
    (void)arg;
    return cosched_once_run(&once, NULL, spawns_who_needs_it, NULL, COSCHED_NEVER);
}

static cosched_rwlock rwlock;

static int64_t reads(void *arg)
{
    (void)arg;
    int rc = cosched_rwlock_read_lock(&rwlock, COSCHED_NEVER);
    if (rc == 0) {
        cosched_rwlock_read_unlock(&rwlock);
    }
    return rc;
}

static int64_t writes_and_awaits_a_reader(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_rwlock_write_lock(&rwlock, COSCHED_NEVER), 0);
    cosched_task t = run_spawn(reads, NULL, COSCHED_WORKER);
    int rc = cosched_await(&t, NULL, COSCHED_NEVER);
    cosched_rwlock_write_unlock(&rwlock);
    return rc;
}

static int64_t selects_both(void *arg)
{
    (void)arg;
    int value;
    cosched_case c[3] = {
        {.ch = ch, .recv_into = &value}, {.ch = NULL}, {.ch = other, .recv_into = &value}};
    while (cosched_select(c, 3, COSCHED_NEVER) >= 0) {
    }
    return 0;
}

static int64_t fills_both_and_awaits(void *arg)
{
    (void)arg;
    cosched_task t = run_spawn(selects_both, NULL, COSCHED_WORKER);
    EXPECT(put(ch) == 0 && put(other) == 0);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static const struct {
    cosched_fn fn;
    int64_t count;
} rings[] = {
    {joins_group_holding, 2},     {awaits_inline_holding, 2},      {awaits_any_holding, 3},
    {runs_once_around_itself, 2}, {writes_and_awaits_a_reader, 2}, {fills_both_and_awaits, 2},
};

SCENARIO(every_kind_of_wait_for_tasks_can_close_a_ring)
{
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        fresh();
        memset(&once, 0, sizeof once);
        memset(&rwlock, 0, sizeof rwlock);
        cosched_task t = start_named("ring", rings[i].fn, NULL, COSCHED_WORKER);
        until_stuck(rings[i].count);
        EXPECT_EQ(seen_named("ring")->stuck, 1);
        end_task(t);
        EXPECT_EQ(see_stuck(), 0);
        done();
    }
}

RUN_MAIN("tasks_stuck", EACH(two_mutexes_in_opposite_order_are_found_with_their_owners),
         EACH(a_join_and_a_channel_that_only_the_joiner_fills_are_found),
         EACH(sets_that_have_nothing_to_do_with_each_other_have_numbers_of_their_own),
         EACH(every_kind_of_wait_for_tasks_can_close_a_ring))
