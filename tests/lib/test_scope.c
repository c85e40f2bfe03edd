/* Scopes: what ends with them, deadlines, and shields. */
#include "test_cancel.h"

SCENARIO(scope_deadline_cancels_what_waits_inside)
{
    cosched_scope s;
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_scope_begin(&s, deadline, 0), 0);
    cosched_task t = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT(cosched_now() >= deadline);
    EXPECT(cosched_cancelled());
    EXPECT(cosched_scope_end(&s));
    EXPECT(!cosched_cancelled());
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NOW), 0);
}

SCENARIO(scope_that_ends_in_time_did_not_expire)
{
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(600000), 0), 0);
    EXPECT_EQ(run_join(run_spawn(run_return, (void *)2, COSCHED_WORKER)), 2);
    EXPECT(!cosched_scope_end(&s));
    EXPECT_EQ(cosched_scope_begin(&s, COSCHED_NEVER, 0), 0);
    EXPECT(!cosched_scope_end(&s));
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
}

SCENARIO(scope_with_a_past_deadline_is_cancelled_at_once)
{
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, 1, 0), 0);
    EXPECT(cosched_cancelled());
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    EXPECT(cosched_scope_end(&s));
    EXPECT(!cosched_cancelled());
}

SCENARIO(nested_scopes_end_with_their_own_deadlines)
{
    cosched_scope outer, middle, inner;
    EXPECT_EQ(cosched_scope_begin(&outer, cosched_in_ms(600000), 0), 0);
    EXPECT_EQ(cosched_scope_begin(&middle, cosched_in_ms(1), 0), 0);
    EXPECT_EQ(cosched_scope_begin(&inner, cosched_in_ms(600000), 0), 0);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED); /* by the middle one */
    EXPECT(!cosched_scope_end(&inner));
    EXPECT(cosched_cancelled());
    EXPECT(cosched_scope_end(&middle));
    EXPECT(!cosched_cancelled());
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1)), 0);
    EXPECT(!cosched_scope_end(&outer));
}

SCENARIO(scope_arguments_are_checked)
{
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, COSCHED_NEVER, COSCHED_SHIELD), -EINVAL);
    EXPECT_EQ(cosched_scope_begin(&s, COSCHED_NEVER, 0x40), -EINVAL);
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(1), COSCHED_SHIELD | 0x40), -EINVAL);
}

static int64_t spawn_in_scope_and_go(void *arg)
{
    cosched_task *out = arg;
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(600000), 0), 0);
    *out = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    EXPECT(!cosched_scope_end(&s));
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(child_that_outlives_its_scope_stays_below_what_encloses_it)
{
    cosched_task kid = {0, 0};
    started = 0;
    cosched_task t = run_spawn(spawn_in_scope_and_go, &kid, COSCHED_WORKER);
    UNTIL(started >= 1);
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

SCENARIO(child_that_outlives_its_scope_is_free_of_its_deadline)
{
    cosched_scope s;
    int64_t deadline = cosched_in_ms(3);
    started = 0;
    EXPECT_EQ(cosched_scope_begin(&s, deadline, 0), 0);
    cosched_task t = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    UNTIL(started == 1 || cosched_cancelled());
    if (!cosched_scope_end(&s)) { /* a slow machine may be past it */
        EXPECT_EQ(cosched_sleep_until(deadline + 2000000), 0);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NOW), -ETIMEDOUT);
        cosched_cancel(t);
    }
    EXPECT_EQ(run_join(t), -ECANCELED);
}

static atomic_int in_shield, cancel_sent;

static int64_t shielded(void *arg)
{
    int64_t grace_ms = (intptr_t)arg;
    cosched_scope s;
    int64_t deadline = cosched_in_ms(grace_ms);
    EXPECT_EQ(cosched_scope_begin(&s, deadline, COSCHED_SHIELD), 0);
    in_shield = 1;
    UNTIL(cancel_sent);
    if (grace_ms > 1000) {
        EXPECT(!cosched_cancelled());
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)8, COSCHED_WORKER)), 8);
        EXPECT(!cosched_scope_end(&s));
    } else { /* the grace ends */
        EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
        EXPECT(cosched_now() >= deadline);
        EXPECT(cosched_scope_end(&s));
    }
    EXPECT(cosched_cancelled()); /* outside it was cancelled all the while */
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(shield_keeps_a_cancellation_out_until_its_grace_ends)
{
    static const intptr_t grace[] = {600000, 2};
    for (int i = 0; i < 2; i++) {
        in_shield = cancel_sent = 0;
        cosched_task t = run_spawn(shielded, (void *)grace[i], COSCHED_WORKER);
        UNTIL(in_shield);
        cosched_cancel(t);
        cancel_sent = 1;
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
}

static int64_t shield_over_a_spawn(void *arg)
{
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(600000), COSCHED_SHIELD), 0);
    run_spawn(in_sleep, NULL, COSCHED_WORKER);
    cosched_task kid = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    UNTIL(started == 2);
    if (arg != NULL) { /* cancelled while the shield is up */
        in_shield = 1;
        UNTIL(cancel_sent);
    }
    EXPECT(!cosched_scope_end(&s));
    in_shield = 1;
    EXPECT_EQ(cosched_sleep_until(COSCHED_NEVER), -ECANCELED);
    /* A new shield, to see how the children fare without our own help. */
    EXPECT_EQ(cosched_scope_begin(&s, cosched_in_ms(600000), COSCHED_SHIELD), 0);
    int64_t result = run_join(kid);
    EXPECT(!cosched_scope_end(&s));
    return result;
}

SCENARIO(children_left_by_a_shield_are_cancelled_with_what_encloses_it)
{
    for (intptr_t during = 0; during < 2; during++) {
        started = in_shield = cancel_sent = 0;
        cosched_task t = run_spawn(shield_over_a_spawn, (void *)during, COSCHED_WORKER);
        UNTIL(in_shield);
        cosched_cancel(t);
        cancel_sent = 1;
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
}

SCENARIO(scope_of_one_task_does_not_touch_its_siblings)
{
    started = 0;
    cosched_task a = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    cosched_task b = run_spawn(in_sleep, NULL, COSCHED_WORKER);
    UNTIL(started == 2);
    cosched_cancel(a);
    EXPECT_EQ(run_join(a), -ECANCELED);
    EXPECT_EQ(cosched_await(&b, NULL, cosched_in_ms(1)), -ETIMEDOUT);
    cosched_cancel(b);
    EXPECT_EQ(run_join(b), -ECANCELED);
}

RUN_MAIN("scope", EACH(scope_deadline_cancels_what_waits_inside),
         EACH(scope_that_ends_in_time_did_not_expire),
         EACH(scope_with_a_past_deadline_is_cancelled_at_once),
         EACH(nested_scopes_end_with_their_own_deadlines), EACH(scope_arguments_are_checked),
         EACH(child_that_outlives_its_scope_stays_below_what_encloses_it),
         EACH(child_that_outlives_its_scope_is_free_of_its_deadline),
         EACH(shield_keeps_a_cancellation_out_until_its_grace_ends),
         EACH(children_left_by_a_shield_are_cancelled_with_what_encloses_it),
         EACH(scope_of_one_task_does_not_touch_its_siblings))
