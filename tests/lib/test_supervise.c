/* Supervised groups: who is run again, how often, and that a cancel or too many failures end it. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "run.h"
#include "sync/group.h"

static uint64_t seed;
static atomic_int begun, ended, canceled;

static cosched_affinity place(int i)
{
    return i % 3 == 0 ? COSCHED_INHERIT : i % 3 == 1 ? COSCHED_MAIN : COSCHED_WORKER;
}

static int64_t sleeper(void *arg)
{
    (void)arg;
    atomic_fetch_add(&begun, 1);
    int rc = cosched_sleep_until(COSCHED_NEVER);
    atomic_fetch_add(&canceled, rc == -ECANCELED);
    atomic_fetch_add(&ended, 1);
    return rc;
}

static void reset(void)
{
    begun = ended = canceled = 0;
}

static cosched_group_attr policy(cosched_policy p)
{
    return (cosched_group_attr){.struct_size = sizeof(cosched_group_attr), .policy = p};
}

static void only_we_live(void)
{
    EXPECT_EQ(run_stats().tasks_live, 1);
}

START_TEST(restarts_are_counted_within_a_window)
{
    struct cos_supervise *s = cos_supervise_create(3, 100, 0);

    static const struct {
        int64_t now;
        bool permitted;
    } table[] = {{0, true},    {50, true},   {60, true},   {99, false},  {100, true},
                 {149, false}, {150, true},  {159, false}, {160, true},  {161, false},
                 {1000, true}, {1000, true}, {1000, true}, {1000, false}};

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        EXPECT_EQ(cos_supervise_permit(s, table[i].now), table[i].permitted);
    }
    cos_free(s);
    s = cos_supervise_create(2, 0, 0);
    EXPECT(cos_supervise_permit(s, 0) && cos_supervise_permit(s, INT64_MAX) &&
           !cos_supervise_permit(s, INT64_MAX));
    cos_free(s);
    s = cos_supervise_create(0, 10, 0);
    for (int i = 0; i < 5000; i++) {
        EXPECT(cos_supervise_permit(s, 5));
    }
    cos_free(s);
    uint64_t rng = seed; /* never more than max in any window, and not refused without reason */
    s = cos_supervise_create(5, 1000, 0);
    int64_t last[5] = {-5000, -5000, -5000, -5000, -5000}, now = 0;
    for (int i = 0; i < 100000; i++) {
        now += cos_rng_below(&rng, 300);
        bool yes = cos_supervise_permit(s, now);
        EXPECT_EQ(yes, now - last[0] >= 1000);
        if (yes) {
            memmove(last, last + 1, 4 * sizeof last[0]);
            last[4] = now;
        }
    }
    cos_free(s);
}

END_TEST

struct failing {
    atomic_int *runs;
    int good_after;
};

static int64_t fails_at_first(void *arg)
{
    struct failing f = *(struct failing *)arg;
    ((struct failing *)arg)->good_after = 1000000; /* the copy of this run */
    int n = atomic_fetch_add(f.runs, 1);
    cosched_yield();
    return n < f.good_after ? -EIO : n;
}

SCENARIO(a_failing_child_is_run_again_until_it_succeeds)
{
    enum { KIDS = 20 };

    static atomic_int runs[KIDS];
    for (int round = 0; round < 2; round++) {
        cosched_group_attr attr = policy(COSCHED_SUPERVISE);
        attr.backoff_ns = round == 0 ? 0 : 1000;
        attr.max_parallel = round == 0 ? 0 : 3;
        cosched_group g;
        reset();
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        for (int i = 0; i < KIDS; i++) {
            struct failing f = {&runs[i], i % 5};
            cosched_attr child = {
                .struct_size = sizeof child, .arg_size = sizeof f, .affinity = place(i)};
            runs[i] = 0;
            EXPECT_EQ(cosched_group_spawn(&g, fails_at_first, &f, &child), 0);
        }
        EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
        for (int i = 0; i < KIDS; i++) {
            EXPECT_EQ(runs[i], i % 5 + 1);
        }
        only_we_live();
    }
}

static int64_t always_fails(void *arg)
{
    atomic_fetch_add(&ended, 1);
    cosched_task left; /* closed at the end of each run */
    EXPECT_EQ(cosched_spawn(&left, run_until_canceled, NULL, NULL), 0);
    return run_return(arg);
}

SCENARIO(too_many_failures_end_the_group)
{
    for (uint32_t max = 1; max <= 40; max += 13) {
        for (int window = 0; window < 2; window++) {
            cosched_group_attr attr = policy(COSCHED_SUPERVISE);
            attr.restarts_max = max;
            attr.restart_window_ns = window * 3600 * COS_NS_PER_S;
            cosched_group g;
            reset();
            EXPECT_EQ(cosched_group_init(&g, &attr), 0);
            for (int i = 0; i < 10; i++) {
                EXPECT_EQ(cosched_group_spawn(&g, sleeper, NULL, run_at(place(i))), 0);
            }
            EXPECT_EQ(cosched_group_spawn(&g, always_fails, (void *)(intptr_t)-EPROTO,
                                          run_at(COSCHED_WORKER)),
                      0);
            EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), -EPROTO);
            EXPECT_EQ(ended - canceled, max + 1);
            EXPECT_EQ(canceled, begun);
            only_we_live();
        }
    }
}

static int64_t joins_supervised(void *arg)
{
    cosched_group_attr attr = policy(COSCHED_SUPERVISE);
    attr.backoff_ns = (int64_t)(intptr_t)arg;
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(cosched_group_spawn(&g, always_fails, (void *)(intptr_t)-EIO, run_at(place(i))),
                  0);
        EXPECT_EQ(cosched_group_spawn(&g, sleeper, NULL, run_at(place(i))), 0);
    }
    return cosched_group_join(&g, COSCHED_NEVER);
}

SCENARIO(cancelled_in_a_run_or_in_a_pause_nobody_is_run_again)
{
    for (int i = 0; i < 2; i++) { /* restarting for ever, or pausing for ever */
        reset();
        cosched_task t = run_spawn(
            joins_supervised, (void *)(i == 0 ? (intptr_t)0 : (intptr_t)INT64_MAX), COSCHED_WORKER);
        UNTIL(ended >= 8 && begun == 8);
        cosched_cancel(t);
        int64_t rc = run_join(t); /* -EIO: all had ended before it came to wait for them */
        EXPECT(rc == -ECANCELED || rc == -EIO);
        EXPECT_EQ(canceled, 8);
        only_we_live();
    }
}

SCENARIO_ON(0, no_memory_for_a_supervisor_or_its_child)
{
    cosched_group_attr attr = policy(COSCHED_SUPERVISE);
    cosched_group g;
    cos_alloc_fail_at(1);
    EXPECT_EQ(cosched_group_init(&g, &attr), -ENOMEM);
    cos_alloc_fail_at(0);
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    cos_alloc_fail_at(1);
    EXPECT_EQ(cosched_group_spawn(&g, run_return, NULL, NULL), -ENOMEM);
    cos_alloc_fail_at(0);
    EXPECT_EQ(cosched_group_spawn(&g, run_return, NULL, NULL), 0);
    EXPECT_EQ(cosched_group_join(&g, COSCHED_NEVER), 0);
}

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        ONCE(restarts_are_counted_within_a_window),
        EACH(a_failing_child_is_run_again_until_it_succeeds),
        EACH(too_many_failures_end_the_group),
        EACH(cancelled_in_a_run_or_in_a_pause_nobody_is_run_again),
        ONCE(no_memory_for_a_supervisor_or_its_child),
    };
    return run_suite("supervise", tests, sizeof tests / sizeof tests[0]);
}
