/* Barriers: nobody runs ahead, one is the last, and who gives up was never there. */
#include "test_sync.h"

START_TEST(it_is_for_at_least_one_and_for_tasks)
{
    cosched_barrier b;
    EXPECT_EQ(cosched_barrier_init(&b, 0), -EINVAL);
    EXPECT_EQ(cosched_barrier_init(&b, 1), 0);
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NOW), -EPERM);
}

END_TEST

SCENARIO(one_alone_never_waits)
{
    cosched_barrier b;
    EXPECT_EQ(cosched_barrier_init(&b, 1), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NOW), 1);
    }
}

enum { PARTIES = 12 };

struct race {
    cosched_barrier b;
    atomic_int lasts;
    int phase[PARTIES]; /* each its own task's; read by all between two waits */
    atomic_int next;
};

static int64_t run_phases(void *arg)
{
    struct race *r = arg;
    int me = atomic_fetch_add(&r->next, 1);
    for (int phase = 1; phase <= RUN_SIZE(300, 100, 40); phase++) {
        r->phase[me] = phase;
        int rc = cosched_barrier_wait(&r->b, COSCHED_NEVER);
        EXPECT(rc == 0 || rc == 1);
        atomic_fetch_add(&r->lasts, rc);
        for (int i = 0; i < PARTIES; i++) {
            EXPECT_EQ(r->phase[i], phase);
        }
        EXPECT(cosched_barrier_wait(&r->b, COSCHED_NEVER) >= 0);
    }
    return 0;
}

SCENARIO(nobody_runs_ahead_and_one_is_the_last)
{
    struct race r = {.lasts = 0};
    cosched_task t[PARTIES];
    EXPECT_EQ(cosched_barrier_init(&r.b, PARTIES), 0);
    for (int i = 0; i < PARTIES; i++) {
        t[i] = run_spawn(run_phases, &r, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < PARTIES; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(r.lasts, RUN_SIZE(300, 100, 40));
}

static int64_t wait_for_the_others(void *arg)
{
    return cosched_barrier_wait(arg, COSCHED_NEVER);
}

SCENARIO(who_gives_up_was_never_there)
{
    cosched_barrier b;
    EXPECT_EQ(cosched_barrier_init(&b, 2), 0);
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NOW), -ETIMEDOUT);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_barrier_wait(&b, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    cosched_task t = sync_spawn_and_let_wait(wait_for_the_others, &b);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NOW), -ETIMEDOUT);
    t = sync_spawn_and_let_wait(wait_for_the_others, &b);
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NEVER), 1);
    EXPECT_EQ(run_join(t), 0);
}

SCENARIO(who_is_cancelled_but_still_in_line_when_the_last_comes_has_been_there)
{
    cosched_barrier b;
    EXPECT_EQ(cosched_barrier_init(&b, 3), 0);
    cosched_task kept = sync_spawn_and_let_wait(wait_for_the_others, &b);
    cosched_task gone = sync_spawn_and_let_wait(wait_for_the_others, &b);
    cosched_cancel(gone); /* it is on MAIN, like us: it cannot leave the line before we yield */
    EXPECT_EQ(cosched_barrier_wait(&b, COSCHED_NOW), 1);
    EXPECT_EQ(run_join(kept), 0);
    EXPECT_EQ(run_join(gone), 0);
}

struct crowd {
    cosched_barrier b;
    atomic_int passed, lasts;
};

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct crowd *c = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        int rc = cosched_barrier_wait(&c->b, storm_deadline_soon(t));
        if (!storm_gave_up(rc)) {
            atomic_fetch_add(&c->passed, 1);
            atomic_fetch_add(&c->lasts, rc);
        }
        storm_pause(t);
    }
    return 0;
}

SCENARIO(in_a_storm_they_pass_by_threes_only)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(60, 20, 10); round++) {
        struct crowd c = {.passed = 0};
        EXPECT_EQ(cosched_barrier_init(&c.b, 3), 0);
        storm_round(storm, &c, &rng);
        EXPECT_EQ(c.passed, 3 * c.lasts);
        for (int i = 0; i < 3;
             i++) { /* none of them is left in it: the first two of three time out */
            EXPECT_EQ(cosched_barrier_wait(&c.b, COSCHED_NOW), -ETIMEDOUT);
        }
    }
}

RUN_MAIN("barrier", ONCE(it_is_for_at_least_one_and_for_tasks), EACH(one_alone_never_waits),
         EACH(nobody_runs_ahead_and_one_is_the_last), EACH(who_gives_up_was_never_there),
         EACH(who_is_cancelled_but_still_in_line_when_the_last_comes_has_been_there),
         EACH(in_a_storm_they_pass_by_threes_only))
