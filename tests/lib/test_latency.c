/* Histograms of hops and of MAIN's polls: where a value goes, what a reader makes of it, and that what is counted is what
 * happened. Times are asked for exactly only in virtual time (tests/sim runs this file, too). */
#define RUN_HELP COSCHED_HELP_OFF
#include <cosched/inspect.h>

#include "base/histogram.h"
#include "base/ticks.h"
#include "run.h"

static cosched_latency latency(cosched_latency_kind kind)
{
    cosched_latency l = {.struct_size = sizeof l};
    EXPECT_EQ(cosched_latency_get(cosched_runtime_self(), kind, &l), 0);
    return l;
}

START_TEST(every_value_has_a_bucket_that_ends_at_or_above_it)
{
    (void)_i;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int64_t off = -2; off <= 2; off++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)off;
            unsigned b = cos_histogram_bucket(value);
            EXPECT(b < COS_HISTOGRAM_BUCKETS);
            if (b < COS_HISTOGRAM_BUCKETS - 1) {
                EXPECT(cos_histogram_end(b) >= value);
                EXPECT(b == 0 || cos_histogram_end(b - 1) < value);
                EXPECT(cos_histogram_end(b) - value <= value / 16);
            }
        }
    }
    EXPECT_EQ(cos_histogram_bucket(UINT64_MAX), COS_HISTOGRAM_BUCKETS - 1);
}

END_TEST

START_TEST(ticks_follow_the_monotonic_clock)
{
    (void)_i;
    cos_ticks_init();
    struct cos_ticks_rate rate;
    for (int i = 0; i < 100; i++) {
        cos_ticks_rate(&rate);
        int64_t before = cos_clock_now();
        int64_t stamp = cos_ticks_at(&rate, cos_ticks_now());
        int64_t after = cos_clock_now();
        /* One CPU after another, and a rate from 2 ms of base: it errs by more the longer it is used, and this thread may get no
         * CPU for a while. */
        int64_t error = 100000 + (after - rate.ns) / 1000;
        EXPECT(stamp >= before - error && stamp <= after + error);
        EXPECT(cos_ticks_at(&rate, rate.ticks) == rate.ns);
        EXPECT(rate.ns_per_tick > 0 && rate.ns_per_tick < 1001);
    }
    EXPECT_EQ(cos_ticks_between(7, 5), 0);
}

END_TEST

SCENARIO(every_hop_is_measured_where_it_arrives)
{
    uint64_t workers = run_stats().workers;
    EXPECT_EQ(latency(COSCHED_LATENCY_HOP).count, 0);
    EXPECT_EQ(latency(COSCHED_LATENCY_HOP).max_ns, 0);
    for (int i = 0; i < 100; i++) {
        cosched_hop(COSCHED_WORKER);
        cosched_hop(COSCHED_MAIN);
        int64_t seven;
        EXPECT_EQ(cosched_call(&seven, COSCHED_WORKER, run_return, (void *)7, COSCHED_NEVER), 0);
        EXPECT_EQ(seven, 7);
    }
    cosched_latency there = latency(COSCHED_LATENCY_HOP_TO_WORKER);
    cosched_latency back = latency(COSCHED_LATENCY_HOP_TO_MAIN);
    cosched_latency both = latency(COSCHED_LATENCY_HOP);
    /* Without workers a hop is a change of name. */
    EXPECT_EQ(there.count, workers > 0 ? 200 : 0);
    EXPECT_EQ(back.count, workers > 0 ? 200 : 0);
    EXPECT_EQ(both.count, there.count + back.count);
    /* Each look knows the rate of the ticks a little better. */
    uint64_t larger = there.max_ns > back.max_ns ? there.max_ns : back.max_ns;
    EXPECT(both.max_ns + both.max_ns / 100 >= larger && both.max_ns <= larger + larger / 100);
    EXPECT(both.p50_ns <= both.p90_ns && both.p90_ns <= both.p99_ns &&
           both.p99_ns <= both.p999_ns && both.p999_ns <= both.max_ns);
    EXPECT(both.sum_ns <= both.count * both.max_ns + both.count);
    for (int i = 1; i < COSCHED_LATENCY_STEPS; i++) {
        EXPECT(both.within[i] >= both.within[i - 1]);
    }
    EXPECT(both.within[COSCHED_LATENCY_STEPS - 1] <= both.count);
    EXPECT(workers == 0 || both.max_ns > 0);
}

static int64_t compute(void *arg)
{
    int64_t until = cosched_in_ns((int64_t)(intptr_t)arg);
    while (cosched_now() < until) {
        RUN_PAUSE();
    }
    return 0;
}

#define MS ((intptr_t)1000000)

SCENARIO(a_slice_that_keeps_main_is_a_gap)
{
    cosched_sleep_until(cosched_in_ms(5));
    cosched_latency before = latency(COSCHED_LATENCY_POLL_GAP);
    EXPECT(before.count > 0);
    (void)compute((void *)(30 * MS));
    cosched_sleep_until(cosched_in_ms(1)); /* only once it has polled are gaps counted */
    cosched_latency after = latency(COSCHED_LATENCY_POLL_GAP);
    EXPECT(after.count > before.count);
    /* By another clock, whose rate each look knows a little better. */
    EXPECT(after.max_ns >= 29 * (uint64_t)MS);
    EXPECT(after.sum_ns >= before.sum_ns + 29 * (uint64_t)MS - before.sum_ns / 100);
    EXPECT(after.count - after.within[14] >= 1); /* 16.4 ms */
}

/* Waiting in the poll is no gap: a minute in which MAIN has nothing to do. */
SCENARIO(a_poll_that_waits_is_no_gap)
{
    cosched_latency before = latency(COSCHED_LATENCY_POLL_GAP);
    int64_t ms = RUN_SIM ? 60000 : 100;
    for (int i = 0; i < 3; i++) {
        cosched_sleep_until(cosched_in_ms(ms));
    }
    cosched_latency after = latency(COSCHED_LATENCY_POLL_GAP);
    EXPECT(after.count > before.count);
    if (RUN_SIM) { /* elsewhere a loaded machine may keep MAIN for as long as it likes */
        EXPECT(after.max_ns < (uint64_t)MS);
    } else {
        EXPECT(after.sum_ns - before.sum_ns < 3 * (uint64_t)ms * (uint64_t)MS);
    }
}

#if RUN_SIM
/* To the nanosecond of virtual time: what a hop takes while its worker computes. */
SCENARIO_ON(1, a_hop_behind_a_busy_worker_takes_as_long_as_that_one_computes)
{
    cosched_task busy = run_spawn(compute, (void *)(40 * MS), COSCHED_WORKER);
    cosched_sleep_until(cosched_in_ms(10)); /* it has begun */
    cosched_hop(COSCHED_WORKER);
    cosched_hop(COSCHED_MAIN);
    EXPECT_EQ(run_join(busy), 0);
    cosched_latency there = latency(COSCHED_LATENCY_HOP_TO_WORKER);
    EXPECT_EQ(there.count, 1);
    EXPECT(there.max_ns > 20 * (uint64_t)MS && there.max_ns < 32 * (uint64_t)MS);
    EXPECT_EQ(there.p50_ns, there.max_ns);
    EXPECT_EQ(there.sum_ns, there.max_ns);
    EXPECT_EQ(there.within[14], 0); /* 16.4 ms */
    EXPECT_EQ(there.within[15], 1); /* 32.8 ms */
}
#endif

SCENARIO(what_is_asked_wrongly_is_refused)
{
    cosched_runtime *rt = cosched_runtime_self();
    cosched_latency l = {.struct_size = 0};
    EXPECT_EQ(cosched_latency_get(rt, COSCHED_LATENCY_HOP, &l), -EINVAL);
    l.struct_size = sizeof l + 1;
    EXPECT_EQ(cosched_latency_get(rt, COSCHED_LATENCY_HOP, &l), -EINVAL);
    l.struct_size = sizeof l;
    EXPECT_EQ(cosched_latency_get(NULL, COSCHED_LATENCY_HOP, &l), -EINVAL);
    EXPECT_EQ(cosched_latency_get(rt, (cosched_latency_kind)4, &l), -EINVAL);
    memset(&l, 0xa5, sizeof l);
    l.struct_size = offsetof(cosched_latency, p90_ns);
    EXPECT_EQ(cosched_latency_get(rt, COSCHED_LATENCY_HOP, &l), 0);
    EXPECT_EQ(l.count, 0);
    EXPECT_EQ(l.p90_ns, UINT64_C(0xa5a5a5a5a5a5a5a5));
}

#if RUN_SIM
#define IN_VIRTUAL_TIME ONCE(a_hop_behind_a_busy_worker_takes_as_long_as_that_one_computes),
#else
#define IN_VIRTUAL_TIME
#endif

RUN_MAIN("latency", IN_VIRTUAL_TIME ONCE(every_value_has_a_bucket_that_ends_at_or_above_it),
         ONCE(ticks_follow_the_monotonic_clock), EACH(every_hop_is_measured_where_it_arrives),
         EACH(a_slice_that_keeps_main_is_a_gap), EACH(a_poll_that_waits_is_no_gap),
         EACH(what_is_asked_wrongly_is_refused))
