/* Many tasks that go back and forth by hops and calls, some under cancellation and deadlines, on eight workers: nobody gets
 * lost, MAIN's code runs on MAIN's thread, and everything returns to the start. */
#include "stress_run.h"

static pthread_t main_thread;
static uint64_t seed;
static atomic_int arrived, withdrawn, finished;
static int on_main_now; /* plain: MAIN's thread only, or ThreadSanitizer finds out */

static int64_t on_main(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    EXPECT(pthread_equal(run_thread(), main_thread));
    on_main_now++;
    atomic_fetch_add(&arrived, 1);
    return 1;
}

static int64_t on_worker(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    atomic_fetch_add(&arrived, 1);
    return 2;
}

static void one_move(uint64_t *rng)
{
    cosched_affinity here = cosched_where();
    cosched_affinity there = here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
    switch (cos_rng_below(rng, 5)) {
    case 0: EXPECT_EQ(cosched_hop(there), here); break;
    case 1: cosched_yield(); break;
    default: {
        static const int64_t patience[] = {0, 20000, 1000000};
        int64_t result = 0;
        uint32_t kind = cos_rng_below(rng, 4);
        int64_t deadline = kind == 3   ? COSCHED_NEVER
                           : kind == 0 ? COSCHED_NOW
                                       : cosched_in_ns(patience[kind]);
        int rc = cosched_call(&result, there, there == COSCHED_MAIN ? on_main : on_worker, NULL,
                              deadline);
        EXPECT_EQ(cosched_where(), here);
        if (rc == 0) {
            EXPECT_EQ(result, there == COSCHED_MAIN ? 1 : 2);
            atomic_fetch_sub(&arrived, 1);
        } else {
            EXPECT(rc == -ETIMEDOUT ? deadline != COSCHED_NEVER : rc == -ECANCELED);
            atomic_fetch_add(&withdrawn, 1);
        }
        break;
    }
    }
    if (cosched_where() == COSCHED_MAIN) {
        EXPECT(pthread_equal(run_thread(), main_thread));
    }
}

static int64_t traveler(void *arg)
{
    uint64_t rng = stress_rng(seed, (uint64_t)(uintptr_t)arg);
    for (int i = 0; i < 200; i++) {
        one_move(&rng);
    }
    atomic_fetch_add(&finished, 1);
    return 0;
}

static int64_t storm(void *arg)
{
    int n = (int)(intptr_t)arg;
    main_thread = run_thread();
    uint64_t rng = stress_rng(seed, 0);
    cosched_task *t = calloc((size_t)n, sizeof *t);
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(traveler, (void *)(intptr_t)(i + 1), stress_place(&rng));
    }
    for (int i = 0; i < n; i++) {
        if (cos_rng_below(&rng, 3) == 0) {
            cosched_cancel(t[i]);
        }
        if (cos_rng_below(&rng, 8) == 0) {
            cosched_yield();
        }
    }
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    free(t);
    EXPECT_EQ(finished, n);
    EXPECT_EQ(arrived, 0); /* each that arrived was heard of, and nobody else did */
    EXPECT_EQ(run_stats().tasks_live, 1);
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    stress_count();
    return 0;
}

START_TEST(travelers_with_deadlines_and_cancels)
{
    seed = run_seed();
    finished = arrived = withdrawn = 0;
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, storm, (void *)(intptr_t)stress_size(600)), 0);
}

END_TEST

static int64_t ping_pong(void *arg)
{
    for (int i = 0; i < (int)(intptr_t)arg; i++) {
        cosched_hop(i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    return 0;
}

static int64_t ping_pongs(void *arg)
{
    cosched_task t[64];
    for (int i = 0; i < 64; i++) {
        t[i] = run_spawn(ping_pong, arg, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 64; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    stress_count();
    return 0;
}

START_TEST(ping_pong_storm)
{
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, ping_pongs, (void *)(intptr_t)stress_size(1000)), 0);
}

END_TEST

STRESS_MAIN("stress_hop", EACH(travelers_with_deadlines_and_cancels), EACH(ping_pong_storm))
