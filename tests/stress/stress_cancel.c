/* Cancellations from tasks and foreign threads against timers, channels, events, joins, groups and the pool: each task ends,
 * each ends once, and what each one waited for is in good order afterwards. */
#include "stress_run.h"

static uint64_t seed;
static atomic_int begun, ended;
static cosched_chan *ch;
static atomic_bool stop_threads;

enum { VICTIMS = 64 };

static _Atomic(uint64_t) victims[VICTIMS];

static int64_t sleep_random(uint64_t *rng)
{
    return cosched_sleep_until(cosched_in_ns(cos_rng_below(rng, 3000000)));
}

static int64_t wait_in_channel(uint64_t *rng)
{
    int64_t v = 1;
    int64_t deadline = cosched_in_ns(cos_rng_below(rng, 2000000));
    return cos_rng_below(rng, 2) ? cosched_chan_send(ch, &v, deadline)
                                 : cosched_chan_recv(ch, &v, deadline);
}

static int64_t small_sleep(void *arg)
{
    return cosched_sleep_until(cosched_in_ns((int64_t)(intptr_t)arg));
}

static int64_t wait_in_group(uint64_t *rng)
{
    cosched_group g;
    EXPECT_EQ(cosched_group_init(&g, NULL), 0);
    for (int i = 0; i < 3; i++) {
        int rc = cosched_group_spawn(&g, small_sleep, (void *)(intptr_t)cos_rng_below(rng, 1000000),
                                     run_at(stress_place(rng)));
        EXPECT(rc == 0 || rc == -ECANCELED);
    }
    return cosched_group_join(&g, cosched_in_ns(cos_rng_below(rng, 2000000)));
}

static int64_t wait_in_join(uint64_t *rng)
{
    cosched_task t =
        run_spawn(small_sleep, (void *)(intptr_t)cos_rng_below(rng, 1000000), stress_place(rng));
    return cosched_await(
        &t, NULL, cos_rng_below(rng, 2) ? COSCHED_NEVER : cosched_in_ns(cos_rng_below(rng, 500000)));
}

static int64_t wait_in_scope(uint64_t *rng)
{
    cosched_scope s;
    bool shield = cos_rng_below(rng, 2) != 0;
    int64_t deadline = cosched_in_ns(cos_rng_below(rng, 1000000));
    EXPECT_EQ(cosched_scope_begin(&s, deadline, shield ? COSCHED_SHIELD : 0), 0);
    int64_t rc = cos_rng_below(rng, 2) ? sleep_random(rng) : wait_in_join(rng);
    bool expired = cosched_scope_end(&s);
    EXPECT(!expired || cosched_now() >= deadline);
    return rc;
}

static int64_t wait_in_pool(uint64_t *rng)
{
    (void)rng;
    return cosched_blocking(NULL, run_return, NULL);
}

static int64_t victim(void *arg)
{
    uint64_t rng = stress_rng(seed, (uint64_t)(uintptr_t)arg);
    static int64_t (*const ways[])(uint64_t *) = {sleep_random, wait_in_channel, wait_in_group,
                                                  wait_in_join, wait_in_scope,   wait_in_pool};
    atomic_fetch_add(&begun, 1);
    bool canceled = false;
    for (int i = 0; i < 6; i++) {
        int64_t rc = ways[cos_rng_below(&rng, 6)](&rng);
        EXPECT(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
        EXPECT(!canceled || cosched_cancelled()); /* level-triggered: it does not go away */
        canceled = cosched_cancelled();
    }
    atomic_fetch_add(&ended, 1);
    return 0;
}

static void *canceler(void *arg)
{
    uint64_t rng = stress_rng(seed, UINT64_C(1) << 41 | (uint64_t)(uintptr_t)arg);
    while (!stop_threads) {
        uint64_t word = atomic_load(&victims[cos_rng_below(&rng, VICTIMS)]);
        cosched_cancel((cosched_task){(uint32_t)(word >> 32), (uint32_t)word});
        sched_yield();
    }
    return NULL;
}

static int64_t hunt(void *arg)
{
    int rounds = (int)(intptr_t)arg;
    pthread_t thread[2];
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), 4), 0);
    for (intptr_t i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_create(&thread[i], NULL, canceler, (void *)i), 0);
    }
    uint64_t rng = stress_rng(seed, 0);
    cosched_task t[VICTIMS];
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < VICTIMS; i++) {
            uint64_t n = (uint64_t)round * VICTIMS + (unsigned)i + 1;
            t[i] = run_spawn(victim, (void *)(uintptr_t)n, stress_place(&rng));
            atomic_store(&victims[i], (uint64_t)t[i].index << 32 |
                                          t[i].generation); /* older handles go stale there */
        }
        for (int i = 0; i < VICTIMS; i++) {
            if (cos_rng_below(&rng, 4) == 0) {
                cosched_cancel(t[i]);
            }
            EXPECT_EQ(run_join(t[i]), 0);
        }
    }
    stop_threads = true;
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_join(thread[i], NULL), 0);
    }
    EXPECT_EQ(begun, rounds * VICTIMS);
    EXPECT_EQ(ended, rounds * VICTIMS);
    EXPECT(!cosched_cancelled());
    UNTIL(run_stats().tasks_live == 1);
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    EXPECT_EQ(run_stats().blocking_queued, 0);
    cosched_chan_unref(ch); /* asserts that nobody is left in line */
    stress_count();
    return 0;
}

START_TEST(cancel_storm)
{
    seed = run_seed();
    begun = ended = 0;
    stop_threads = false;
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, hunt, (void *)(intptr_t)stress_size(40)), 0);
}

END_TEST

STRESS_MAIN("stress_cancel", EACH(cancel_storm))
