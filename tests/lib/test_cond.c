/* Conditions: no signal is lost, none is remembered, and the mutex is held again however the wait ended. */
#include "test_sync.h"

struct box {
    cosched_mutex m;
    cosched_cond changed;
    int tokens, consumed, waiting;
    bool closed;
};

/* Takes a token: which one in a row, from 1; or why not. */
static int take_token(struct box *b, int64_t deadline)
{
    int rc = cosched_mutex_lock(&b->m, deadline);
    if (rc < 0) {
        return rc;
    }
    while (rc == 0 && b->tokens == 0 && !b->closed) {
        b->waiting++;
        rc = cosched_cond_wait(&b->changed, &b->m, deadline);
        b->waiting--;
    }
    if (rc == 0) {
        rc = b->tokens > 0 ? 0 : -EPIPE;
    }
    if (rc == 0) {
        b->tokens--;
        rc = ++b->consumed;
    }
    cosched_mutex_unlock(&b->m);
    return rc;
}

static void put_token(struct box *b)
{
    EXPECT_EQ(cosched_mutex_lock(&b->m, COSCHED_NEVER), 0);
    b->tokens++;
    cosched_cond_signal(&b->changed);
    cosched_mutex_unlock(&b->m);
}

static void close_box(struct box *b)
{
    EXPECT_EQ(cosched_mutex_lock(&b->m, COSCHED_NEVER), 0);
    b->closed = true;
    cosched_cond_broadcast(&b->changed);
    cosched_mutex_unlock(&b->m);
}

static int64_t consume(void *arg)
{
    int64_t n = 0;
    int rc;
    while ((rc = take_token(arg, COSCHED_NEVER)) > 0) {
        n++;
    }
    EXPECT_EQ(rc, -EPIPE);
    return n;
}

enum { PRODUCERS = 6, CONSUMERS = 6 };

static int64_t produce(void *arg)
{
    for (int i = 0; i < RUN_SIZE(1000, 300, 150); i++) {
        put_token(arg);
    }
    return 0;
}

SCENARIO(producers_and_consumers_pass_every_token)
{
    struct box b = {.tokens = 0};
    cosched_task c[CONSUMERS], p[PRODUCERS];
    for (int i = 0; i < CONSUMERS; i++) {
        c[i] = run_spawn(consume, &b, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        p[i] = run_spawn(produce, &b, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        EXPECT_EQ(run_join(p[i]), 0);
    }
    close_box(&b);
    int64_t n = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        n += run_join(c[i]);
    }
    EXPECT_EQ(n, PRODUCERS * RUN_SIZE(1000, 300, 150));
    EXPECT_EQ(n, b.consumed);
}

static int64_t take_one(void *arg)
{
    return take_token(arg, COSCHED_NEVER);
}

SCENARIO(signals_wake_in_order_one_each)
{
    struct box b = {.tokens = 0};
    cosched_task t[8];
    for (int i = 0; i < 8; i++) {
        t[i] = sync_spawn_and_let_wait(take_one, &b);
    }
    EXPECT_EQ(b.waiting, 8);
    for (int i = 0; i < 8; i++) {
        put_token(&b);
        EXPECT_EQ(run_join(t[i]), i + 1);
        EXPECT_EQ(b.waiting, 7 - i);
    }
}

SCENARIO(a_signal_passes_over_a_waiter_that_is_cancelled_already)
{
    struct box b = {.tokens = 0};
    cosched_task gone = sync_spawn_and_let_wait(take_one, &b);
    cosched_task next = sync_spawn_and_let_wait(take_one, &b);
    cosched_cancel(gone); /* first in line until it runs */
    put_token(&b);
    EXPECT_EQ(run_join(next), 1);
    EXPECT_EQ(run_join(gone), -ECANCELED);
}

SCENARIO(a_signal_for_nobody_is_not_remembered)
{
    struct box b = {.tokens = 0};
    cosched_cond_signal(&b.changed);
    cosched_cond_broadcast(&b.changed);
    EXPECT_EQ(cosched_mutex_lock(&b.m, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_cond_wait(&b.changed, &b.m, COSCHED_NOW), -ETIMEDOUT);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_cond_wait(&b.changed, &b.m, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cosched_cond_wait(&b.changed, &b.m, 1), -ETIMEDOUT);
    cosched_mutex_unlock(&b.m); /* asserts that it is ours */
}

static int64_t wait_once(void *arg)
{
    struct box *b = arg;
    EXPECT_EQ(cosched_mutex_lock(&b->m, COSCHED_NEVER), 0);
    b->waiting++;
    int rc = cosched_cond_wait(&b->changed, &b->m, COSCHED_NEVER);
    b->waiting--;
    EXPECT_EQ(cosched_mutex_lock(&b->m, COSCHED_NEVER), rc == -ECANCELED ? -ECANCELED : -EDEADLK);
    cosched_mutex_unlock(&b->m); /* ours, cancelled or not */
    return rc;
}

SCENARIO(a_cancelled_waiter_locks_again_however_long_that_takes)
{
    struct box b = {.tokens = 0};
    cosched_task t = sync_spawn_and_let_wait(wait_once, &b);
    EXPECT_EQ(cosched_mutex_lock(&b.m, COSCHED_NEVER), 0);
    EXPECT_EQ(b.waiting, 1);
    cosched_cancel(t);
    for (int i = 0; i < 10; i++) {
        cosched_yield();
        EXPECT_EQ(b.waiting, 1); /* it waits for us */
    }
    cosched_mutex_unlock(&b.m);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(b.waiting, 0);
    EXPECT(cosched_mutex_try(&b.m));
    cosched_mutex_unlock(&b.m);
}

SCENARIO(a_broadcast_wakes_all_that_wait)
{
    struct box b = {.tokens = 0};
    cosched_task t[12];
    for (int i = 0; i < 12; i++) {
        t[i] = run_spawn(wait_once, &b, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int seen = 0; seen < 12; cosched_yield()) {
        EXPECT_EQ(cosched_mutex_lock(&b.m, COSCHED_NEVER), 0);
        seen = b.waiting;
        if (seen == 12) {
            cosched_cond_broadcast(&b.changed);
        }
        cosched_mutex_unlock(&b.m);
    }
    for (int i = 0; i < 12; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
}

SCENARIO(a_signal_that_meets_a_cancellation_goes_to_somebody)
{
    for (int round = 0; round < RUN_SIZE(200, 60, 30); round++) {
        struct box b = {.tokens = 0};
        cosched_task t[8];
        for (int i = 0; i < 8; i++) {
            t[i] = run_spawn(take_one, &b, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        }
        if (round % 2) {
            cosched_yield();
        }
        for (int i = 0; i < 4;
             i++) { /* four tokens, four cancelled: the other four must get one each, or the cancelled did */
            cosched_cancel(t[2 * i]);
            put_token(&b);
        }
        int got = 0;
        close_box(&b);
        for (int i = 0; i < 8; i++) {
            int64_t rc = run_join(t[i]);
            EXPECT(rc > 0 || rc == -EPIPE || (rc == -ECANCELED && i % 2 == 0));
            got += rc > 0;
        }
        EXPECT_EQ(got, 4); /* a token that nobody takes would be a lost signal */
    }
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct box *b = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        if (storm_below(t, 2) == 0) {
            if (!storm_gave_up(cosched_mutex_lock(&b->m, storm_deadline(t)))) {
                b->tokens++;
                cosched_cond_signal(&b->changed);
                storm_pause(t);
                cosched_mutex_unlock(&b->m);
            }
        } else {
            (void)storm_gave_up(take_token(b, storm_deadline_soon(t)));
        }
    }
    return 0;
}

SCENARIO(a_storm_leaves_mutex_and_condition_usable)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(60, 20, 10); round++) {
        struct box b = {.tokens = 0};
        storm_round(storm, &b, &rng);
        EXPECT_EQ(b.waiting, 0);
        b.tokens = 0;
        cosched_task t = sync_spawn_and_let_wait(wait_once, &b);
        cosched_cond_signal(&b.changed);
        EXPECT_EQ(run_join(t), 0);
    }
}

RUN_MAIN("cond", EACH(producers_and_consumers_pass_every_token),
         EACH(signals_wake_in_order_one_each),
         EACH(a_signal_passes_over_a_waiter_that_is_cancelled_already),
         EACH(a_signal_for_nobody_is_not_remembered),
         EACH(a_cancelled_waiter_locks_again_however_long_that_takes),
         EACH(a_broadcast_wakes_all_that_wait),
         EACH(a_signal_that_meets_a_cancellation_goes_to_somebody),
         EACH(a_storm_leaves_mutex_and_condition_usable))
