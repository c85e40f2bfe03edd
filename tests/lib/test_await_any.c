/* cosched_await_any: which one, once each, and what late enders may not do to the waits that follow. */
#include "base/rng.h"
#include "run.h"
#include "sched/join.h"

enum { MANY = COSCHED_ANY_MAX };

static cosched_affinity place(int i)
{
    return i % 3 == 0 ? COSCHED_INHERIT : i % 3 == 1 ? COSCHED_MAIN : COSCHED_WORKER;
}

SCENARIO(the_one_that_ends_is_named_and_consumed_and_the_others_stay)
{
    for (int which = 0; which < 5; which++) {
        cosched_task t[5];
        for (int i = 0; i < 5; i++) {
            t[i] = i == which ? run_spawn(run_return, (void *)(intptr_t)(70 + i), place(i))
                              : run_spawn(run_until_canceled, NULL, place(i));
        }
        int64_t result = 0;
        EXPECT_EQ(cosched_await_any(t, 5, &result, COSCHED_NEVER), which);
        EXPECT_EQ(result, 70 + which);
        for (int i = 0; i < 5; i++) {
            EXPECT_EQ(t[i].index == 0, i == which);
            if (i != which) {
                cosched_cancel(t[i]);
                EXPECT_EQ(run_join(t[i]), -ECANCELED);
            }
        }
    }
}

SCENARIO(a_loop_takes_each_result_once_until_nothing_is_left)
{
    cosched_task t[MANY];
    int64_t sum = 0;
    for (int i = 0; i < MANY; i++) {
        t[i] = run_spawn(run_return, (void *)(intptr_t)(i + 1), place(i));
    }
    for (int taken = 0; taken < MANY; taken++) {
        int64_t result = 0;
        int index = cosched_await_any(t, MANY, &result, COSCHED_NEVER);
        EXPECT_EQ(result, index + 1);
        sum += result;
    }
    EXPECT_EQ(sum, MANY * (MANY + 1) / 2);
    EXPECT_EQ(cosched_await_any(t, MANY, NULL, COSCHED_NEVER), -ESTALE);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

START_TEST(counts_and_callers_that_are_refused)
{
    cosched_task none = {0, 0};
    EXPECT_EQ(cosched_await_any(&none, 1, NULL, COSCHED_NEVER), -EPERM);
}

END_TEST

SCENARIO(handles_that_cannot_be_awaited_are_named)
{
    cosched_task t[MANY + 1] = {{0, 0}}, self = cosched_self();
    EXPECT_EQ(cosched_await_any(t, 0, NULL, COSCHED_NEVER), -EINVAL);
    EXPECT_EQ(cosched_await_any(t, MANY + 1, NULL, COSCHED_NEVER), -EINVAL);
    EXPECT_EQ(cosched_await_any(t, MANY, NULL, COSCHED_NEVER), -ESTALE);
    EXPECT_EQ(cosched_await_any(&self, 1, NULL, COSCHED_NEVER), -EDEADLK);
    cosched_task sleeper = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
    cosched_task used = run_spawn(run_return, NULL, COSCHED_WORKER), copy = used;
    EXPECT_EQ(run_join(used), 0);
    cosched_task pair[2] = {sleeper, copy};
    EXPECT_EQ(cosched_await_any(pair, 2, NULL, COSCHED_NEVER), -ESTALE);
    cosched_task twice[2] = {sleeper, sleeper};
    EXPECT_EQ(cosched_await_any(twice, 2, NULL, cosched_in_ns(1)), -ETIMEDOUT);
    cosched_cancel(sleeper);
    int64_t result = 0;
    int index = cosched_await_any(twice, 2, &result, COSCHED_NEVER);
    EXPECT(index == 0 || index == 1); /* it may end between the looks at one and at the other */
    EXPECT_EQ(result, -ECANCELED);
    EXPECT_EQ(cosched_await_any(twice, 2, NULL, COSCHED_NEVER), -ESTALE);
}

static atomic_int awaiting;

static int64_t await_given(void *arg)
{
    cosched_task t = *(cosched_task *)arg;
    awaiting = 1;
    return cosched_await(&t, NULL, COSCHED_NEVER);
}

SCENARIO(one_that_another_task_awaits_is_busy_and_the_others_are_given_up)
{
    awaiting = 0;
    cosched_task t[2] = {run_spawn(run_until_canceled, NULL, COSCHED_WORKER),
                         run_spawn(run_until_canceled, NULL, COSCHED_WORKER)};
    cosched_task other = run_spawn(await_given, &t[1], COSCHED_MAIN);
    UNTIL(awaiting);
    int rc;
    while ((rc = cosched_await_any(t, 2, NULL, cosched_in_ns(1))) == -ETIMEDOUT) {
        cosched_yield(); /* it is about to wait */
    }
    EXPECT_EQ(rc, -EBUSY);
    EXPECT_EQ(cosched_await(&t[0], NULL, cosched_in_ns(1)),
              -ETIMEDOUT); /* nobody is in its join word */
    cosched_cancel(t[0]);
    cosched_cancel(t[1]);
    EXPECT_EQ(run_join(other), 0);
    EXPECT_EQ(run_join(t[0]), -ECANCELED);
}

static int64_t await_pair(void *arg)
{
    awaiting = 1;
    return cosched_await_any(arg, 2, NULL, COSCHED_NEVER);
}

SCENARIO(a_cancelled_waiter_and_a_deadline_consume_nothing)
{
    awaiting = 0;
    cosched_task t[2] = {run_spawn(run_until_canceled, NULL, COSCHED_WORKER),
                         run_spawn(run_until_canceled, NULL, COSCHED_MAIN)};
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_await_any(t, 2, NULL, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_await_any(t, 2, NULL, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    cosched_task waiter = run_spawn(await_pair, t, COSCHED_WORKER);
    UNTIL(awaiting);
    cosched_cancel(waiter);
    EXPECT_EQ(run_join(waiter), -ECANCELED);
    cosched_cancel(t[0]);
    cosched_cancel(t[1]);
    EXPECT_EQ(run_join(t[0]), -ECANCELED);
    EXPECT_EQ(run_join(t[1]), -ECANCELED);
}

/* --- storms --------------------------------------------------------------------------------------------- */

enum { POOL = 12 };

static uint64_t seed;
static atomic_int delivered[POOL];

struct body {
    int32_t id, yields;
};

static int64_t ends_some_time(void *arg)
{
    struct body b = *(struct body *)arg;
    for (int i = 0; i < b.yields; i++) {
        cosched_yield();
    }
    return b.id;
}

/* Waits of other kinds between, which a late wake-up of the last await_any must not end. */
static void other_waits(uint64_t *rng)
{
    switch (cos_rng_below(rng, 4)) {
    case 0: {
        int64_t deadline = cosched_in_ns(1000);
        if (cosched_sleep_until(deadline) == 0) {
            EXPECT(cosched_now() >= deadline);
        } else {
            EXPECT(cosched_cancelled());
        }
        break;
    }
    case 1: {
        cosched_event e = {{0}};
        int rc = cosched_event_wait(&e, cosched_in_ns(1000)); /* nobody sets it */
        EXPECT(rc == -ETIMEDOUT || rc == -ECANCELED);
        break;
    }
    case 2: {
        cosched_task t = run_spawn(run_until_canceled, NULL, COSCHED_WORKER);
        int rc = cosched_await(&t, NULL, cosched_in_ns(1000));
        EXPECT(rc == -ETIMEDOUT || rc == -ECANCELED || (rc == 0 && cosched_cancelled()));
        cosched_cancel(t);
        break; /* left to its parent's end */
    }
    default: break;
    }
}

static void spawn_pool(cosched_task *t, uint64_t *rng)
{
    for (int i = 0; i < POOL; i++) {
        struct body b = {i, (int32_t)cos_rng_below(rng, 8)};
        cosched_attr attr = {.struct_size = sizeof attr,
                             .arg_size = sizeof b,
                             .affinity = place((int)cos_rng_below(rng, 3))};
        EXPECT_EQ(cosched_spawn(&t[i], ends_some_time, &b, &attr), 0);
    }
}

/* Takes all of a pool with deadlines of all lengths; cancelled or not. How many it took. */
static int64_t taker(void *arg)
{
    uint64_t rng = *(uint64_t *)arg;
    cosched_task t[POOL];
    int taken = 0;
    spawn_pool(t, &rng);
    while (taken < POOL) {
        int64_t result = -1, pick = (int64_t)cos_rng_below(&rng, 4);
        int64_t deadline = pick == 0   ? COSCHED_NOW
                           : pick == 1 ? cosched_in_ns(1)
                           : pick == 2 ? cosched_in_ns(100000)
                                       : COSCHED_NEVER;
        int rc = cosched_await_any(t, POOL, &result, deadline);
        if (rc == -ECANCELED) {
            EXPECT(cosched_cancelled());
            return taken;
        }
        if (rc == -ETIMEDOUT) {
            EXPECT(deadline != COSCHED_NEVER);
            cosched_yield();
            continue;
        }
        EXPECT(rc >= 0 && rc == result);
        atomic_fetch_add(&delivered[rc], 1);
        taken++;
        other_waits(&rng);
    }
    int rc = cosched_await_any(t, POOL, NULL, COSCHED_NEVER);
    EXPECT(rc == -ESTALE || (rc == -ECANCELED && cosched_cancelled()));
    return taken;
}

SCENARIO(storm_of_ends_deadlines_and_cancels_delivers_each_once)
{
    uint64_t rng = seed;
    int rounds = RUN_SIZE(60, 20, 10);
    for (int round = 0; round < rounds; round++) {
        cosched_task t[8];
        int64_t taken = 0, seen = 0;
        memset(delivered, 0, sizeof delivered);
        for (int i = 0; i < 8; i++) {
            uint64_t own = cos_rng_next(&rng) | 1;
            cosched_attr attr = {
                .struct_size = sizeof attr, .arg_size = sizeof own, .affinity = place(i)};
            EXPECT_EQ(cosched_spawn(&t[i], taker, &own, &attr), 0);
        }
        for (unsigned i = (unsigned)cos_rng_below(&rng, 8); i > 0; i--) {
            cosched_yield();
        }
        bool cancels = round % 2 != 0;
        if (cancels) {
            cosched_cancel(t[cos_rng_below(&rng, 8)]);
            cosched_cancel(t[cos_rng_below(&rng, 8)]);
        }
        for (int i = 0; i < 8; i++) {
            int64_t n = run_join(t[i]);
            EXPECT(n == POOL || cancels);
            taken += n;
        }
        for (int i = 0; i < POOL; i++) {
            seen += delivered[i];
        }
        EXPECT_EQ(seen, taken);
        EXPECT_EQ(run_stats().tasks_live, 1);
    }
}

static atomic_uint late_for; /* index of the task that is woken all the time */
static cosched_task long_ended;

/* Whoever ended a task and looks at its waiter only much later, again and again. */
static void *ends_late(void *arg)
{
    (void)arg;
    uint32_t index;
    UNTIL_SPIN(late_for != 0);
    while ((index = late_for) != UINT32_MAX) {
        cos_join_wake(NULL, index, long_ended);
    }
    return NULL;
}

static int64_t woken_late(void *arg)
{
    late_for = cosched_self().index;
    for (int i = 0; i < RUN_SIZE(40, 15, 10); i++) {
        EXPECT_EQ(taker(arg), POOL);
    }
    return 0;
}

SCENARIO(late_enders_disturb_no_wait_of_another_kind)
{
    pthread_t thread;
    uint64_t own = seed;
    late_for = 0;
    cosched_task t = run_spawn(run_return, NULL, COSCHED_WORKER);
    long_ended = t;
    EXPECT_EQ(run_join(t), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, ends_late, NULL), 0);
    EXPECT_EQ(run_join(run_spawn(woken_late, &own, COSCHED_WORKER)), 0);
    late_for = UINT32_MAX;
    EXPECT_EQ(pthread_join(thread, NULL), 0);
}

/* Another task detaches or awaits copies of the handles meanwhile: each result goes to one of them. */
static int64_t steals_some(void *arg)
{
    cosched_task t[POOL];
    memcpy(t, *(cosched_task **)arg, sizeof t);
    int64_t taken = 0;
    for (int i = POOL - 1; i >= 0; i -= 2) {
        taken += cosched_await(&t[i], NULL, COSCHED_NEVER) == 0;
    }
    return taken;
}

SCENARIO(copies_of_the_handles_elsewhere_share_the_results)
{
    uint64_t rng = seed;
    for (int round = 0; round < RUN_SIZE(200, 50, 30); round++) {
        cosched_task t[POOL], *all = t;
        spawn_pool(t, &rng);
        cosched_attr attr = {
            .struct_size = sizeof attr, .arg_size = sizeof all, .affinity = COSCHED_WORKER};
        cosched_task thief, copies[POOL];
        memcpy(copies, t, sizeof t);
        all = copies;
        EXPECT_EQ(cosched_spawn(&thief, steals_some, &all, &attr), 0);
        int64_t taken = 0;
        for (int left = POOL; left > 0;) {
            int rc = cosched_await_any(t, POOL, NULL, cosched_in_ms(1));
            taken += rc >= 0;
            if (rc == -ESTALE ||
                rc == -EBUSY) { /* one was taken from us: which one is found by trying */
                for (int i = 0; i < POOL; i++) {
                    int each =
                        t[i].index == 0 ? -ETIMEDOUT : cosched_await(&t[i], NULL, COSCHED_NOW);
                    taken += each == 0;
                    if (each == -ESTALE) {
                        t[i] = (cosched_task){0, 0};
                    }
                }
                cosched_yield();
            }
            left = 0;
            for (int i = 0; i < POOL; i++) {
                left += t[i].index != 0;
            }
        }
        EXPECT_EQ(taken + run_join(thief), POOL);
    }
}

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        EACH(the_one_that_ends_is_named_and_consumed_and_the_others_stay),
        EACH(a_loop_takes_each_result_once_until_nothing_is_left),
        ONCE(counts_and_callers_that_are_refused),
        EACH(handles_that_cannot_be_awaited_are_named),
        EACH(one_that_another_task_awaits_is_busy_and_the_others_are_given_up),
        EACH(a_cancelled_waiter_and_a_deadline_consume_nothing),
        EACH(storm_of_ends_deadlines_and_cancels_delivers_each_once),
        EACH(late_enders_disturb_no_wait_of_another_kind),
        EACH(copies_of_the_handles_elsewhere_share_the_results),
    };
    return run_suite("await_any", tests, sizeof tests / sizeof tests[0]);
}
