/* What can be done with a handle, in every order, has a defined result and leaks nothing. */
#include "promise.h"

static cosched_event go;
static atomic_int ended;

static int64_t waits_for_go(void *arg)
{
    EXPECT_EQ(cosched_event_wait(&go, COSCHED_NEVER), 0);
    atomic_fetch_add(&ended, 1);
    return run_return(arg);
}

static void reset(void)
{
    cosched_event_init(&go);
    ended = 0;
}

PROMISE(moved_from_is_consumed)
{
    for (int place = COSCHED_INHERIT; place <= COSCHED_BLOCKING; place++) {
        cosched_task from = run_spawn(run_return, (void *)5, (cosched_affinity)place), to = from;
        EXPECT(from.index != 0);
        EXPECT_EQ(run_join(to), 5);
        EXPECT_EQ(cosched_await(&to, NULL, COSCHED_NEVER), -ESTALE);
        EXPECT_EQ(cosched_await(&from, NULL, COSCHED_NEVER), -ESTALE);
        from = run_spawn(run_return, (void *)6, (cosched_affinity)place);
        EXPECT_EQ(cosched_await(&from, NULL, LATEST), 0);
        EXPECT(from.index == 0 && from.generation == 0);
        cosched_detach(&from); /* none: nothing */
        cosched_cancel(from);
    }
}

PROMISE(awaited_twice_is_stale_the_second_time)
{
    for (int i = 0; i < 100; i++) {
        int64_t result = 0;
        cosched_task t = run_spawn(run_return, (void *)7, promise_place(i)), copy = t;
        EXPECT_EQ(cosched_await(&t, &result, i % 4 < 2 ? COSCHED_NEVER : LATEST), 0);
        EXPECT_EQ(result, 7);
        result = 99;
        EXPECT_EQ(cosched_await(&copy, &result, COSCHED_NEVER), -ESTALE);
        EXPECT_EQ(result, 99);
        /* another task in the same block, most likely: the old name does not touch it */
        cosched_task fresh = run_spawn(run_return, (void *)8, promise_place(i));
        cosched_cancel(copy);
        cosched_detach(&copy);
        EXPECT_EQ(run_join(fresh), 8);
    }
}

static atomic_int in_await;

static int64_t awaits(void *arg)
{
    cosched_task t = *(cosched_task *)arg;
    int64_t result = 0;
    atomic_fetch_add(&in_await, 1);
    int rc = cosched_await(&t, &result, LATEST);
    return rc < 0 ? rc : 1000 + result;
}

PROMISE(awaited_by_two_tasks_one_has_the_result)
{
    for (int round = 0; round < 40; round++) {
        reset();
        in_await = 0;
        cosched_task t = run_spawn(waits_for_go, (void *)1, promise_place(round));
        cosched_task a = run_spawn(awaits, &t, COSCHED_WORKER);
        cosched_task b = run_spawn(awaits, &t, promise_place(round / 2));
        if (round % 3 != 0) {
            UNTIL(in_await == 2);
        }
        cosched_event_set(&go);
        int64_t ra = run_join(a), rb = run_join(b), other = ra == 1001 ? rb : ra;
        EXPECT(ra == 1001 || rb == 1001);
        EXPECT(other == -EBUSY || other == -ESTALE);
        EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), -ESTALE);
    }
}

PROMISE(detached_then_awaited_is_stale_and_runs_on)
{
    for (int i = 0; i < 20; i++) {
        reset();
        cosched_task t = run_spawn(waits_for_go, NULL, promise_place(i)), copy = t;
        if (i % 4 < 2) {
            cosched_event_set(&go);
            UNTIL(ended == 1); /* it has ended, or is about to */
        }
        cosched_detach(&t);
        EXPECT_EQ(t.index, 0);
        EXPECT_EQ(cosched_await(&copy, NULL, COSCHED_NEVER), -ESTALE);
        if (i % 4 >= 2) {
            EXPECT_EQ(ended, 0);
            cosched_event_set(&go);
        }
        promise_alone();
        EXPECT_EQ(ended, 1);
    }
}

struct brood {
    atomic_int begun, canceled;
    int place;
};

static int64_t forgotten(void *arg)
{
    struct brood *b = arg;
    atomic_fetch_add(&b->begun, 1);
    int rc = cosched_sleep_until(COSCHED_NEVER);
    cosched_yield(); /* has its clean-up */
    atomic_fetch_add(&b->canceled, rc == -ECANCELED);
    return rc;
}

static int64_t forgets(void *arg)
{
    struct brood *b = arg;
    for (int i = 0; i < 16; i++) {
        run_spawn(forgotten, b, promise_place(i));
        if (i % 5 == b->place) {
            cosched_yield();
        }
    }
    return 77;
}

PROMISE(never_awaited_is_cancelled_and_joined_when_its_parent_returns)
{
    for (int place = COSCHED_INHERIT; place <= COSCHED_WORKER; place++) {
        struct brood b = {.place = place};
        EXPECT_EQ(run_join(run_spawn(forgets, &b, (cosched_affinity)place)), 77);
        EXPECT_EQ(b.begun, 16);
        EXPECT_EQ(b.canceled, 16); /* b is on our stack: none of them is left */
    }
    EXPECT_EQ(run_stats().tasks_live, 1);
}

PROMISE(awaited_with_a_time_out_and_again)
{
    for (int i = 0; i < 4; i++) {
        reset();
        cosched_task t = run_spawn(waits_for_go, (void *)3, promise_place(i)), before = t;
        int64_t result = 99, deadline = cosched_in_ms(1);
        EXPECT_EQ(cosched_await(&t, &result, COSCHED_NOW), -ETIMEDOUT);
        EXPECT_EQ(cosched_await(&t, &result, deadline), -ETIMEDOUT);
        EXPECT(cosched_now() >= deadline);
        EXPECT_EQ(cosched_await(&t, &result, cosched_in_ns(1)), -ETIMEDOUT);
        EXPECT_EQ(result, 99);
        EXPECT_EQ(memcmp(&t, &before, sizeof t), 0); /* nothing was delivered: nothing is consumed */
        cosched_event_set(&go);
        EXPECT_EQ(cosched_await(&t, &result, i < 2 ? COSCHED_NEVER : LATEST), 0);
        EXPECT_EQ(result, 3);
    }
}

/* --- millions ------------------------------------------------------------------------------------------------ */

static int64_t returns_late(void *arg)
{
    cosched_yield();
    return run_return(arg);
}

static int64_t await_batch(intptr_t n)
{
    cosched_task t[64];
    int64_t sum = 0;
    for (intptr_t i = 0; i < n; i++) {
        t[i] = run_spawn(i % 4 == 3 ? returns_late : run_return, (void *)i, promise_place(i / 4));
    }
    for (intptr_t i = n - 1; i >= 0; i--) {
        sum += run_join(t[i]);
    }
    return sum;
}

/* All numbers of workers together make ten million in the full run; the end of each process looks for leaks. */
PROMISE(ten_million_awaits_leave_nothing)
{
    int64_t n = promise_size(RUN_SIZE(200000, 200000, 24000), 10000000) / PROMISE_WORKERS + 1;
    uint64_t live = run_stats().tasks_live;
    for (int64_t i = 0; i < n; i += 128) {
        for (intptr_t k = 0; k < 64; k++) { /* inside their awaiter */
            EXPECT_EQ(run_join(run_spawn(run_return, (void *)k, COSCHED_INHERIT)), k);
        }
        EXPECT_EQ(await_batch(64), 64 * 63 / 2);
    }
    UNTIL(run_stats().tasks_live == live);
    UNTIL(run_stats().stacks_in_use == 1); /* an ended task's stack goes a moment later */
}

PROMISE_MAIN("promise_handles", ALL(moved_from_is_consumed),
             ALL(awaited_twice_is_stale_the_second_time),
             ALL(awaited_by_two_tasks_one_has_the_result),
             ALL(detached_then_awaited_is_stale_and_runs_on),
             ALL(never_awaited_is_cancelled_and_joined_when_its_parent_returns),
             ALL(awaited_with_a_time_out_and_again), ALL(ten_million_awaits_leave_nothing))
