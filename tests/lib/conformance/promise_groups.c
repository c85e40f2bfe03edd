/* Groups on their parent's stack: each policy's promise, and that no child is left when join returns; await of any. */
#include <cosched/inspect.h>

#include "base/alloc.h"
#include "promise.h"
#include "sync/group.h"

static atomic_int begun, ended, canceled, inside, peak;

static void reset(void)
{
    begun = ended = canceled = inside = peak = 0;
}

static cosched_group_attr policy(cosched_policy p)
{
    return (cosched_group_attr){.struct_size = sizeof(cosched_group_attr), .policy = p};
}

static void open(cosched_group *g, const cosched_group_attr *attr)
{
    reset();
    EXPECT_EQ(cosched_group_init(g, attr), 0);
}

static void add(cosched_group *g, cosched_fn fn, intptr_t arg, int place)
{
    int rc = cosched_group_spawn(g, fn, (void *)arg, run_at(promise_place(place)));
    EXPECT(rc == 0 || rc == -ECANCELED); /* it may be decided already */
}

/* Waits for its cancellation, and takes its time with the clean-up. */
static int64_t lingers(void *arg)
{
    cosched_scope shield;
    (void)arg;
    atomic_fetch_add(&begun, 1);
    int rc = cosched_sleep_until(COSCHED_NEVER);
    EXPECT_EQ(cosched_scope_begin(&shield, LATEST, COSCHED_SHIELD), 0);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(100000)), 0);
    cosched_scope_end(&shield);
    atomic_fetch_add(&canceled, rc == -ECANCELED);
    atomic_fetch_add(&ended, 1);
    return rc;
}

static int64_t ends(void *arg)
{
    atomic_fetch_add(&begun, 1);
    cosched_yield();
    atomic_fetch_add(&ended, 1);
    return run_return(arg);
}

static void none_is_left(void)
{
    EXPECT_EQ(ended, begun);
    promise_alone();
}

PROMISE(fail_fast_cancels_the_rest_and_returns_the_failure)
{
    cosched_group g;
    open(&g, NULL);
    for (int i = 0; i < 20; i++) {
        add(&g, lingers, 0, i);
    }
    add(&g, ends, 3, 0);
    add(&g, ends, -EIO, 1);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -EIO);
    EXPECT_EQ(canceled, 20);
    none_is_left();
    open(&g, NULL); /* without a failure nothing is cut short */
    for (int i = 0; i < 20; i++) {
        add(&g, ends, i, i);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    EXPECT_EQ(ended, 20);
    none_is_left();
}

PROMISE(collect_lets_all_end_and_counts_failures)
{
    cosched_group_attr attr = policy(COSCHED_COLLECT);
    cosched_group g;
    open(&g, &attr);
    for (int i = 0; i < 100; i++) {
        add(&g, ends, i % 4 == 0 ? -EIO : i, i / 3);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 25);
    EXPECT_EQ(ended, 100);
    none_is_left();
}

PROMISE(race_returns_the_first_result_and_cancels_the_rest)
{
    static const int64_t results[] = {7, 0, -EIO};
    for (int i = 0; i < 3; i++) {
        cosched_group_attr attr = policy(COSCHED_RACE);
        cosched_group g;
        open(&g, &attr);
        for (int k = 0; k < 15; k++) {
            add(&g, lingers, 0, k);
        }
        add(&g, ends, (intptr_t)results[i], i);
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), results[i]);
        EXPECT_EQ(canceled, 15);
        none_is_left();
    }
}

PROMISE(first_n_takes_n_successes_and_cancels_the_rest)
{
    cosched_group_attr attr = policy(COSCHED_FIRST_N);
    cosched_group g;
    attr.first_n = 4;
    open(&g, &attr);
    for (int i = 0; i < 10; i++) {
        add(&g, lingers, 0, i);
        add(&g, ends, -EIO, i); /* does not count */
    }
    for (int i = 0; i < 4; i++) {
        add(&g, ends, 5, i);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 4);
    EXPECT_EQ(canceled, 10);
    none_is_left();
    open(&g, &attr); /* not enough of them */
    for (int i = 0; i < 10; i++) {
        add(&g, ends, i < 3 ? 1 : -EIO, i);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 3);
    none_is_left();
}

static int64_t counts_inside(void *arg)
{
    int now = atomic_fetch_add(&inside, 1) + 1, seen = peak;
    while (seen < now && !atomic_compare_exchange_weak(&peak, &seen, now)) {
    }
    atomic_fetch_add(&begun, 1);
    for (int i = 0; i < 3; i++) {
        cosched_yield();
        cosched_hop(i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    atomic_fetch_sub(&inside, 1);
    atomic_fetch_add(&ended, 1);
    return run_return(arg);
}

PROMISE(max_parallel_holds_and_all_have_their_turn)
{
    for (uint32_t limit = 1; limit <= 9; limit += 4) {
        cosched_group_attr attr = policy(COSCHED_COLLECT);
        cosched_group g;
        attr.max_parallel = limit;
        open(&g, &attr);
        for (int i = 0; i < 60; i++) {
            add(&g, counts_inside, 0, i);
        }
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        EXPECT_EQ(ended, 60);
        EXPECT(peak >= 1 && peak <= (int)limit);
        none_is_left();
    }
}

/* --- supervision ------------------------------------------------------------------------------------------------ */

static int64_t fails_twice(void *arg)
{
    int n = atomic_fetch_add((atomic_int *)arg, 1);
    atomic_fetch_add(&begun, 1);
    cosched_yield();
    atomic_fetch_add(&ended, 1);
    return n < 2 ? -EIO : n;
}

static int64_t fails_always(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return -EIO;
}

PROMISE(a_supervisor_restarts_what_failed)
{
    atomic_int runs[12];
    cosched_group_attr attr = policy(COSCHED_SUPERVISE);
    cosched_group g;
    open(&g, &attr);
    for (int i = 0; i < 12; i++) {
        runs[i] = 0;
        add(&g, fails_twice, (intptr_t)&runs[i], i);
    }
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
    for (int i = 0; i < 12; i++) {
        EXPECT_EQ(runs[i], 3);
    }
    none_is_left();
}

PROMISE(a_supervisor_gives_up_when_restarts_are_too_many)
{
    atomic_int runs = 0;
    cosched_group_attr attr = policy(COSCHED_SUPERVISE);
    attr.restarts_max = 5;
    attr.restart_window_ns = HOUR;
    attr.backoff_ns = 300000;
    cosched_group g;
    int64_t start = cosched_now();
    open(&g, &attr);
    for (int i = 0; i < 6; i++) {
        add(&g, lingers, 0, i);
    }
    add(&g, fails_always, (intptr_t)&runs, 1);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -EIO);
    EXPECT_EQ(runs, 6);
    EXPECT(cosched_now() >= start + 5 * attr.backoff_ns); /* a pause before each */
    none_is_left();
}

/* The intensity is what it says in any stretch of time; here time is an argument. */
START_TEST(restart_intensity_is_counted_within_its_window)
{
    struct cos_supervise *s = cos_supervise_create(3, 1000, 0);
    int64_t last[3] = {-2000, -2000, -2000}, now = 0;
    uint64_t rng = promise_seed;
    for (int i = 0; i < 100000; i++) {
        now += cos_rng_below(&rng, 500);
        bool may = cos_supervise_permit(s, now);
        EXPECT_EQ(may, now - last[0] >= 1000);
        if (may) {
            memmove(last, last + 1, 2 * sizeof last[0]);
            last[2] = now;
        }
    }
    cos_free(s);
}

END_TEST

/* --- no child is left --------------------------------------------------------------------------------------------- */

static int64_t body_fails(cosched_group *g, void *arg)
{
    for (int i = 0; i < 10; i++) {
        add(g, lingers, 0, i);
    }
    return (intptr_t)arg;
}

static int64_t joins_and_is_cancelled(void *arg)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, arg), 0);
    for (int i = 0; i < 10; i++) {
        add(&g, lingers, 0, i);
    }
    int64_t rc = cosched_group_join(&g, COSCHED_NEVER);
    EXPECT_EQ(ended, begun);
    return rc;
}

static int note_wait(void *joins, const cosched_task_info *info)
{
    *(bool *)joins =
        info->state == COSCHED_WAITING && info->reason == COSCHED_FOR_GROUP && info->stack_size > 0;
    return 1; /* of the others nothing need be told */
}

/* It has left its stack to wait. Cancelled before that it would wait for nobody if its children were faster to end, and return
 * what the policy says. */
static bool joins(cosched_task t)
{
    bool it_does = false;
    EXPECT_EQ(cosched_tasks_chain(cosched_runtime_self(), t, note_wait, &it_does), 1);
    return it_does;
}

PROMISE(a_group_never_outlives_a_child)
{
    for (int p = COSCHED_FAIL_FAST; p <= COSCHED_SUPERVISE; p++) {
        cosched_group_attr attr = policy((cosched_policy)p);
        cosched_group g;
        attr.first_n = 2;
        open(&g, &attr);
        for (int i = 0; i < 10; i++) {
            add(&g, lingers, 0, i);
        }
        EXPECT_EQ(cosched_group_join(&g, cosched_in_ms(1)), -ETIMEDOUT);
        none_is_left();
        reset();
        EXPECT_EQ(cosched_group_run(&attr, body_fails, (void *)(intptr_t)-EPERM), -EPERM);
        none_is_left();
        reset();
        cosched_task t = run_spawn(joins_and_is_cancelled, &attr, promise_place(p));
        UNTIL(begun > 4 && joins(t));
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
        none_is_left();
    }
}

/* --- any -------------------------------------------------------------------------------------------------------- */

enum { ANY = 24 };

static cosched_event gate[ANY];

static int64_t waits_at(void *arg)
{
    intptr_t i = (intptr_t)arg;
    EXPECT_EQ(cosched_event_wait(&gate[i], COSCHED_NEVER), 0);
    return 100 + i;
}

PROMISE(await_any_takes_the_first_and_leaves_the_others)
{
    cosched_task t[ANY];
    int64_t result = -1;
    for (intptr_t i = 0; i < ANY; i++) {
        cosched_event_init(&gate[i]);
        t[i] = run_spawn(waits_at, (void *)i, promise_place(i));
    }
    EXPECT_EQ(cosched_await_any(t, ANY, &result, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_await_any(t, ANY, &result, cosched_in_ns(MS)), -ETIMEDOUT);
    for (int i = 0; i < ANY; i++) {
        int open_now = (i * 7) % ANY; /* 7 and ANY have no common divisor */
        cosched_event_set(&gate[open_now]);
        EXPECT_EQ(cosched_await_any(t, ANY, &result, i % 2 ? COSCHED_NEVER : LATEST), open_now);
        EXPECT_EQ(result, 100 + open_now);
        EXPECT_EQ(t[open_now].index, 0);
    }
    EXPECT_EQ(cosched_await_any(t, ANY, &result, COSCHED_NEVER), -ESTALE);
    promise_alone();
}

PROMISE_MAIN("promise_groups", ALL(fail_fast_cancels_the_rest_and_returns_the_failure),
             ALL(collect_lets_all_end_and_counts_failures),
             ALL(race_returns_the_first_result_and_cancels_the_rest),
             ALL(first_n_takes_n_successes_and_cancels_the_rest),
             ALL(max_parallel_holds_and_all_have_their_turn), ALL(a_supervisor_restarts_what_failed),
             ALL(a_supervisor_gives_up_when_restarts_are_too_many),
             ONCE(restart_intensity_is_counted_within_its_window),
             ALL(a_group_never_outlives_a_child),
             ALL(await_any_takes_the_first_and_leaves_the_others))
