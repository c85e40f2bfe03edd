/* Events: one waiter, one set, from anywhere, before or after. */
#include "run.h"

SCENARIO(set_before_the_wait_is_seen_at_once)
{
    cosched_event e;
    cosched_event_init(&e);
    cosched_event_set(&e);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NEVER), 0); /* and stays */
    cosched_event zero = {{0}};
    EXPECT_EQ(cosched_event_wait(&zero, COSCHED_NOW), -ETIMEDOUT);
    cosched_event_set(&zero);
    cosched_event_wait_always(&zero);
}

static int64_t set_event(void *arg)
{
    cosched_event_set(arg);
    return 0;
}

SCENARIO(set_by_a_task_wakes_the_waiter)
{
    for (int i = 0; i < 200; i++) {
        cosched_event e;
        cosched_event_init(&e);
        cosched_task t = run_spawn(set_event, &e, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        EXPECT_EQ(cosched_event_wait(&e, i % 3 ? COSCHED_NEVER : cosched_in_ms(60000)), 0);
        EXPECT_EQ(run_join(t), 0);
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
}

static void *set_from_thread(void *arg)
{
    cosched_event_set(arg);
    return NULL;
}

SCENARIO(set_from_a_foreign_thread_wakes_the_waiter_on_any_executor)
{
    for (int i = 0; i < 20; i++) {
        cosched_hop(i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        cosched_event e;
        cosched_event_init(&e);
        pthread_t thread;
        EXPECT_EQ(pthread_create(&thread, NULL, set_from_thread, &e), 0);
        EXPECT_EQ(cosched_event_wait(&e, COSCHED_NEVER), 0);
        EXPECT_EQ(pthread_join(thread, NULL), 0);
    }
    cosched_hop(COSCHED_MAIN);
}

SCENARIO(wait_times_out_and_may_be_repeated)
{
    cosched_event e;
    cosched_event_init(&e);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NOW), -ETIMEDOUT);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_event_wait(&e, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    cosched_task t = run_spawn(set_event, &e, COSCHED_WORKER);
    EXPECT_EQ(cosched_event_wait(&e, cosched_in_ms(60000)), 0);
    EXPECT_EQ(run_join(t), 0);
}

static atomic_int waiting;

static int64_t wait_event(void *arg)
{
    waiting = 1;
    return cosched_event_wait(arg, COSCHED_NEVER);
}

SCENARIO(a_second_waiter_is_refused)
{
    waiting = 0;
    cosched_event e;
    cosched_event_init(&e);
    cosched_task t =
        run_spawn(wait_event, &e, COSCHED_MAIN); /* MAIN like us: it waits when we run again */
    UNTIL(waiting);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NEVER), -EBUSY);
    cosched_event_set(&e);
    EXPECT_EQ(run_join(t), 0);
}

static int64_t wait_always(void *arg)
{
    waiting = 1;
    cosched_event_wait_always(arg);
    EXPECT(cosched_cancelled());
    return 9;
}

SCENARIO(wait_always_outlasts_a_cancel)
{
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
        cosched_event e;
        cosched_event_init(&e);
        waiting = 0;
        cosched_task t = run_spawn(wait_always, &e, (cosched_affinity)affinity);
        UNTIL(waiting);
        cosched_cancel(t);
        EXPECT_EQ(cosched_await(&t, NULL, cosched_in_ms(1)), -ETIMEDOUT);
        cosched_event_set(&e);
        EXPECT_EQ(run_join(t), 9);
    }
}

static int64_t cancelled_then_set(void *arg)
{
    cosched_event *e = arg;
    waiting = 1;
    EXPECT_EQ(cosched_event_wait(e, COSCHED_NEVER), -ECANCELED);
    waiting = 2; /* set too early, completion would win */
    cosched_event_wait_always(e);
    return 4;
}

SCENARIO(a_cancelled_waiter_waits_again_for_the_answer_to_come)
{
    waiting = 0;
    cosched_event e;
    cosched_event_init(&e);
    cosched_task t = run_spawn(cancelled_then_set, &e, COSCHED_WORKER);
    UNTIL(waiting);
    cosched_cancel(t);
    UNTIL(waiting == 2);
    cosched_event_set(&e);
    EXPECT_EQ(run_join(t), 4);
}

/* The setter's last access is inside set: the waiter's frame is reused at once. */
static __attribute__((noinline)) void wait_in_a_frame(int i)
{
    cosched_event e;
    cosched_event_init(&e);
    cosched_spawn(NULL, set_event, &e, run_at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN));
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NEVER), 0);
    memset(&e, 0xa5, sizeof e);
}

SCENARIO(event_may_go_out_of_scope_as_soon_as_the_wait_returns)
{
    for (int i = 0; i < RUN_SIZE(5000, 1000, 500); i++) {
        wait_in_a_frame(i);
    }
}

START_TEST(outside_tasks_wait_is_refused_and_set_is_fine)
{
    cosched_event e;
    cosched_event_init(&e);
    EXPECT_EQ(cosched_event_wait(&e, COSCHED_NOW), -EPERM);
    cosched_event_set(&e);
}

END_TEST

RUN_MAIN("event", EACH(set_before_the_wait_is_seen_at_once), EACH(set_by_a_task_wakes_the_waiter),
         EACH(set_from_a_foreign_thread_wakes_the_waiter_on_any_executor),
         EACH(wait_times_out_and_may_be_repeated), EACH(a_second_waiter_is_refused),
         EACH(wait_always_outlasts_a_cancel),
         EACH(a_cancelled_waiter_waits_again_for_the_answer_to_come),
         EACH(event_may_go_out_of_scope_as_soon_as_the_wait_returns),
         ONCE(outside_tasks_wait_is_refused_and_set_is_fine))
