/* cosched_tasks_stuck: who waits for anything that may still come is not found. */
#include <cosched/io.h>

#include <unistd.h>

#include "test_tasks_stuck.h"

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

RUN_MAIN("tasks_not_stuck",
         EACH(who_waits_for_a_timer_a_descriptor_or_a_thread_is_not_stuck_nor_who_waits_for_him),
         EACH(a_channel_that_somebody_may_come_to_is_no_part_of_a_ring),
         EACH(what_goes_on_is_never_taken_for_stuck))
