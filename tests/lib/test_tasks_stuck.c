/* cosched_tasks_stuck: who waits for each other is found, with every chain; who waits for anything that may still come is not. */
#include <cosched/io.h>

#include <unistd.h>

#include "test_tasks.h"

static cosched_mutex a, b;
static cosched_chan *ch, *other;
static cosched_event hold; /* who keeps something lets go of it then */

static void fresh(void)
{
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    cosched_event_init(&hold);
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int), 8), 0);
    EXPECT_EQ(cosched_chan_create(&other, sizeof(int), 8), 0);
}

static void done(void)
{
    cosched_chan_unref(ch);
    cosched_chan_unref(other);
}

static int64_t see_stuck(void)
{
    all_seen.count = 0;
    int64_t n = cosched_tasks_stuck(cosched_runtime_self(), see, &all_seen);
    EXPECT_EQ(n, all_seen.count);
    for (int i = 0; i < all_seen.count; i++) {
        const cosched_task_info *info = &all_seen.task[i].info;
        EXPECT(info->stuck > 0 && info->state == COSCHED_WAITING);
        EXPECT(info->call_count > 0);
    }
    return n;
}

/* They come there by themselves, and stay. */
static void until_stuck(int64_t n)
{
    UNTIL(see_stuck() == n);
    EXPECT_EQ(see_stuck(), n);
}

static int64_t put(cosched_chan *to)
{
    int value = 1;
    return cosched_chan_send(to, &value, COSCHED_NEVER);
}

static int64_t takes_all(void *arg)
{
    int value;
    while (cosched_chan_recv(arg, &value, COSCHED_NEVER) == 0) {
    }
    return 0;
}

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

static int64_t awaits(void *arg)
{
    cosched_task *t = arg;
    return cosched_await(t, NULL, COSCHED_NEVER);
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

static int64_t sends_and_awaits(void *arg)
{
    (void)arg;
    cosched_task t = start_named("receiver", takes_all, ch, COSCHED_WORKER);
    EXPECT_EQ(put(ch), 0);
    return cosched_await(&t, NULL, COSCHED_NEVER);
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

static int64_t locks_a(void *arg)
{
    (void)arg;
    int rc = cosched_mutex_lock(&a, COSCHED_NEVER);
    if (rc == 0) {
        cosched_mutex_unlock(&a);
    }
    return rc;
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

/* --- not found ---------------------------------------------------------------------------------------------------------- */

static int64_t holds_a(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&a, COSCHED_NEVER), 0);
    int rc = cosched_sleep_until(cosched_in_ms(1000000));
    cosched_mutex_unlock(&a);
    return rc;
}

static int ends[2];

static int64_t polls(void *arg)
{
    (void)arg;
    return cosched_poll(ends[0], COSCHED_READABLE, COSCHED_NEVER);
}

static int64_t waits_event(void *arg)
{
    return cosched_event_wait(arg, COSCHED_NEVER);
}

static int64_t awaits_new(void *arg)
{
    cosched_task t;
    cosched_fn fn;
    memcpy(&fn, &arg, sizeof fn);
    t = start_named("awaited", fn, NULL, COSCHED_WORKER);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static void *as_arg(cosched_fn fn)
{
    void *arg;
    memcpy(&arg, &fn, sizeof arg);
    return arg;
}

SCENARIO(who_waits_for_a_timer_a_descriptor_or_a_thread_is_not_stuck_nor_who_waits_for_him)
{
    fresh();
    EXPECT_EQ(pipe(ends), 0);
    cosched_task all[] = {
        start_named("holder", holds_a, NULL, COSCHED_WORKER),
        start_named("timer", awaits_new, as_arg(run_until_canceled), COSCHED_WORKER),
        start_named("descriptor", awaits_new, as_arg(polls), COSCHED_MAIN),
        start_named("thread", waits_event, &hold, COSCHED_WORKER),
    };
    (void)see_waiting("holder", COSCHED_FOR_TIME);
    cosched_task locks = start_named("locks", locks_a, NULL, COSCHED_WORKER);
    (void)see_waiting("locks", COSCHED_FOR_MUTEX);
    (void)see_waiting("thread", COSCHED_FOR_EVENT);
    UNTIL((see_all(0), seen_named("timer")->state == COSCHED_WAITING &&
                           seen_named("descriptor")->state == COSCHED_WAITING));
    EXPECT_EQ(see_stuck(), 0);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        end_task(all[i]);
    }
    run_join(locks);
    close(ends[0]);
    close(ends[1]);
    done();
}

/* --- channels that somebody may come to ---------------------------------------------------------------------------------- */

static int64_t awaits_receiver_after_nothing(void *arg)
{
    (void)arg;
    cosched_task t = start_named("receiver", takes_all, ch, COSCHED_WORKER);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

/* Its other child sleeps, and may send one day. */
static int64_t sends_and_has_another_child(void *arg)
{
    (void)arg;
    (void)start_named("sleeper", run_until_canceled, NULL, COSCHED_WORKER);
    cosched_task t = start_named("receiver", takes_all, ch, COSCHED_WORKER);
    EXPECT_EQ(put(ch), 0);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

static int64_t sends_one(void *arg)
{
    return put(arg);
}

/* More senders than a channel remembers. */
static int64_t sends_with_many(void *arg)
{
    (void)arg;
    cosched_task t[5];
    for (int i = 0; i < 5; i++) {
        t[i] = run_spawn(sends_one, ch, COSCHED_WORKER);
    }
    for (int i = 0; i < 5; i++) {
        run_join(t[i]);
    }
    return sends_and_awaits(NULL);
}

static void *sends_outside(void *arg)
{
    int value = 1;
    EXPECT_EQ(cosched_chan_send(arg, &value, COSCHED_NOW), 0);
    return NULL;
}

static int64_t sends_and_a_thread_too(void *arg)
{
    (void)arg;
    pthread_t thread;
    EXPECT_EQ(pthread_create(&thread, NULL, sends_outside, ch), 0);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    return sends_and_awaits(NULL);
}

static int64_t receives_until(void *arg)
{
    int value;
    while (cosched_chan_recv(arg, &value, cosched_in_ms(1000000)) == 0) {
    }
    return 0;
}

static int64_t awaits_who_has_a_deadline(void *arg)
{
    (void)arg;
    cosched_task t = start_named("receiver", receives_until, ch, COSCHED_WORKER);
    EXPECT_EQ(put(ch), 0);
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

/* The whole of it ends at a scope's deadline. */
static int64_t is_limited(void *arg)
{
    (void)arg;
    cosched_scope scope;
    EXPECT_EQ(cosched_scope_begin(&scope, cosched_in_ms(1000000), 0), 0);
    int64_t rc = sends_and_awaits(NULL);
    cosched_scope_end(&scope);
    return rc;
}

static const cosched_fn may_go_on[] = {
    awaits_receiver_after_nothing, sends_and_has_another_child, sends_with_many,
    sends_and_a_thread_too,        awaits_who_has_a_deadline,   is_limited};

SCENARIO(a_channel_that_somebody_may_come_to_is_no_part_of_a_ring)
{
    for (size_t i = 0; i < sizeof may_go_on / sizeof may_go_on[0]; i++) {
        fresh();
        cosched_task t = start_named("joiner", may_go_on[i], NULL, COSCHED_WORKER);
        UNTIL((see_all(0),
               find_named("receiver") != NULL && seen_named("receiver")->reason == COSCHED_FOR_RECV &&
                   seen_named("joiner")->for_task.index != 0 && cosched_chan_count(ch) == 0));
        EXPECT_EQ(see_stuck(), 0);
        end_task(t);
        done();
    }
}

/* Many come and go, through locks taken in one order only. */
static _Atomic(int) stop;

static int64_t works(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop)) {
        EXPECT_EQ(cosched_mutex_lock(&a, COSCHED_NEVER), 0);
        cosched_yield();
        EXPECT_EQ(cosched_mutex_lock(&b, COSCHED_NEVER), 0);
        run_join(run_spawn(run_return, NULL, COSCHED_WORKER));
        cosched_mutex_unlock(&b);
        cosched_mutex_unlock(&a);
    }
    return 0;
}

static int64_t passes_on(void *arg)
{
    int value;
    (void)arg;
    while (cosched_chan_recv(ch, &value, COSCHED_NEVER) == 0 && value > 0) {
        EXPECT_EQ(cosched_chan_send(other, &value, COSCHED_NEVER), 0);
    }
    return 0;
}

static int64_t asks(void *arg)
{
    (void)arg;
    int value = 1;
    while (!atomic_load(&stop)) {
        EXPECT_EQ(cosched_chan_send(ch, &value, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_chan_recv(other, &value, COSCHED_NEVER), 0);
    }
    value = 0;
    return cosched_chan_send(ch, &value, COSCHED_NEVER);
}

SCENARIO(what_goes_on_is_never_taken_for_stuck)
{
    fresh();
    atomic_store(&stop, 0);
    cosched_task t[8];
    for (int i = 0; i < 6; i++) {
        t[i] = start_named("works", works, NULL, COSCHED_WORKER);
    }
    t[6] = start_named("passes", passes_on, NULL, COSCHED_WORKER);
    t[7] = start_named("asks", asks, NULL, COSCHED_WORKER);
    for (int i = 0; i < RUN_SIZE(2000, 200, 100); i++) {
        EXPECT_EQ(see_stuck(), 0);
        if (i % 4 == 0) {
            cosched_yield();
        }
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 8; i++) {
        run_join(t[i]);
    }
    done();
}

RUN_MAIN("tasks_stuck", EACH(two_mutexes_in_opposite_order_are_found_with_their_owners),
         EACH(a_join_and_a_channel_that_only_the_joiner_fills_are_found),
         EACH(sets_that_have_nothing_to_do_with_each_other_have_numbers_of_their_own),
         EACH(every_kind_of_wait_for_tasks_can_close_a_ring),
         EACH(who_waits_for_a_timer_a_descriptor_or_a_thread_is_not_stuck_nor_who_waits_for_him),
         EACH(a_channel_that_somebody_may_come_to_is_no_part_of_a_ring),
         EACH(what_goes_on_is_never_taken_for_stuck))
