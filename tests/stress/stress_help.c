/* MAIN takes WORKER tasks from under the workers' hands while tasks of all priorities, bound and free, are made, awaited,
 * cancelled and moved. Every body that was spawned ran exactly once. */
#include "stress_run.h"

#define BODIES_MAX 200000

static uint64_t seed;
static atomic_int next_id, ran_twice, ran_once;
static atomic_uchar ran[BODIES_MAX];

struct seedling {
    int32_t id, depth;
};

static int64_t grow(void *arg);

static cosched_attr random_attr(uint64_t *rng)
{
    cosched_attr a = {.struct_size = sizeof a,
                      .affinity = stress_place(rng),
                      .arg_size = sizeof(struct seedling),
                      .priority = (int8_t)((int)cos_rng_below(rng, 3) - 1)};
    static const uint32_t flags[] = {COSCHED_NO_HELP, COSCHED_ONE_EXECUTOR, COSCHED_PINNED};
    uint32_t flag = cos_rng_below(rng, 12);
    a.flags = flag < 3 ? flags[flag] : 0;
    a.timeout_ns = cos_rng_below(rng, 8) == 0 ? cos_rng_below(rng, 3000000) + 1 : 0;
    return a;
}

static bool spawn_one(uint64_t *rng, int32_t depth, cosched_task *out)
{
    struct seedling s = {atomic_fetch_add(&next_id, 1), depth};
    if (s.id >= BODIES_MAX) {
        return false;
    }
    cosched_attr a = random_attr(rng);
    bool detached = cos_rng_below(rng, 16) == 0;
    EXPECT_EQ(cosched_spawn(detached ? NULL : out, grow, &s, &a), 0);
    return !detached;
}

static int64_t count_call(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

static void wander(uint64_t *rng)
{
    atomic_int calls = 0;
    cosched_affinity to = cos_rng_below(rng, 2) == 0 ? COSCHED_MAIN : COSCHED_WORKER;
    int rc;
    switch (cos_rng_below(rng, 8)) {
    case 0: cosched_yield(); break;
    case 1: cosched_hop(to); break;
    case 2:
        rc = cosched_call(NULL, to, count_call, &calls, cosched_in_ns(cos_rng_below(rng, 100000)));
        EXPECT(calls == (rc == 0 ? 1 : 0));
        break;
    case 3:
        rc = cosched_call_all(NULL, to, count_call, &calls, COSCHED_NEVER);
        EXPECT(calls == (rc == 0 ? 1 : 0));
        break;
    case 4: cosched_sleep_until(cosched_in_ns(cos_rng_below(rng, 200000))); break;
    default: break;
    }
}

static int64_t grow(void *arg)
{
    struct seedling s = *(struct seedling *)arg;
    uint64_t rng = stress_rng(seed, (uint64_t)s.id);
    if (atomic_exchange(&ran[s.id], 1) != 0) {
        ran_twice++;
    }
    ran_once++;
    cosched_task t[6];
    uint32_t kids = s.depth > 0 ? cos_rng_below(&rng, 6) : 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < kids; i++) {
        n += spawn_one(&rng, s.depth - 1, &t[n]) ? 1 : 0;
        wander(&rng);
    }
    while (n > 0 && cos_rng_below(&rng, 16) !=
                        0) { /* now and then some are cancelled and joined at our end */
        int rc = cosched_await(&t[--n], NULL, COSCHED_NEVER);
        EXPECT(rc == 0 || rc == -ECANCELED);
        wander(&rng);
    }
    return 0;
}

static int64_t grow_forest(void *arg)
{
    int trees = *(const int *)arg;

    enum { ABREAST = 16 };

    for (int i = 0; i < trees; i += ABREAST) {
        cosched_task t[ABREAST];
        uint32_t n = 0;
        for (int k = i; k < i + ABREAST; k++) {
            uint64_t rng = stress_rng(seed, UINT64_C(1) << 40 | (uint64_t)k);
            n += spawn_one(&rng, 5, &t[n]) ? 1 : 0;
        }
        while (n > 0) {
            EXPECT_EQ(cosched_await(&t[--n], NULL, COSCHED_NEVER), 0);
        }
    }
    return (int64_t)run_stats().main_helped;
}

static void stress(int workers, cosched_help help, uint32_t flags)
{
    int trees = stress_size(120);
    for (int i = 0; i < BODIES_MAX; i++) {
        ran[i] = 0;
    }
    next_id = ran_twice = ran_once = 0;
    cosched_config config = {
        .struct_size = sizeof config, .workers = workers, .main_help = help, .flags = flags};
    int64_t helped = run_config(&config, grow_forest, &trees);
    EXPECT(helped >= 0);
    int spawned = next_id < BODIES_MAX ? next_id : BODIES_MAX;
    printf("FIGURES stress_help: workers %d, help %d, mode %u: %d tasks, %d helped\n", workers,
           (int)help, flags, spawned, (int)helped);
    fflush(stdout);
    EXPECT_EQ(ran_twice, 0);
    EXPECT_EQ(ran_once, spawned);
}

START_TEST(everything_runs_once_whoever_runs_it)
{
    static const int workers[] = {1, 2, 8};
    seed = run_seed();
    for (cosched_help help = COSCHED_HELP_IDLE; help <= COSCHED_HELP_ALWAYS; help++) {
        stress(workers[_i], help, 0);
    }
    stress(workers[_i], COSCHED_HELP_ALWAYS, COSCHED_ALWAYS_OWN);
    stress(workers[_i], COSCHED_HELP_ALWAYS, COSCHED_ALWAYS_INLINE);
}

END_TEST

RUN_MAIN("stress_help", {everything_runs_once_whoever_runs_it, 3})
