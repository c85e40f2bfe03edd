/* Groups under fire: children fail, detach, hop and open groups of their own while deadlines and foreign threads cancel. No
 * child outlives its join, and each is counted once. */
#include "stress_run.h"

static uint64_t seed;
static atomic_int ran;

struct leaf {
    atomic_int *alive; /* on the opener's stack: a child that outlives the join writes into a dead frame */
    uint64_t n;
    int32_t depth;
};

static int64_t open_group(uint64_t *rng, uint64_t n, int depth);

static int64_t touch(void *arg)
{
    (void)arg;
    return cosched_cancelled() ? 1 : 0;
}

static int64_t child(void *arg)
{
    struct leaf l;
    memcpy(&l, arg, sizeof l);
    uint64_t rng = stress_rng(seed, l.n);
    atomic_fetch_add(&ran, 1);
    int64_t rc = 0;
    switch (cos_rng_below(&rng, 8)) {
    case 0: rc = cosched_sleep_until(cosched_in_ns(cos_rng_below(&rng, 1000000))); break;
    case 1: cosched_hop(COSCHED_WORKER); break;
    case 2: cosched_hop(COSCHED_MAIN); break;
    case 3: cosched_yield(); break;
    case 4: {
        cosched_task t = run_spawn(touch, NULL, stress_place(&rng));
        cosched_detach(&t); /* it may look for its ancestors while they end */
        break;
    }
    case 5:
        if (l.depth > 0) {
            rc = open_group(&rng, l.n * 31, l.depth - 1);
        }
        break;
    case 6: rc = cos_rng_below(&rng, 4) == 0 ? -EIO : 0; break;
    default: break;
    }
    atomic_fetch_sub(l.alive, 1);
    return rc < 0 ? rc : 0;
}

static int64_t open_group(uint64_t *rng, uint64_t n, int depth)
{
    atomic_int alive = 0;
    cosched_group g;
    cosched_group_attr attr = {.struct_size = sizeof attr,
                               .policy =
                                   cos_rng_below(rng, 2) ? COSCHED_COLLECT : COSCHED_FAIL_FAST};
    EXPECT_EQ(cosched_group_init(&g, &attr), 0);
    int children = (int)cos_rng_below(rng, 12), spawned = 0;
    for (int i = 0; i < children; i++) {
        struct leaf l = {&alive, n * 16 + (unsigned)i + 1, depth};
        cosched_attr a = *run_at(stress_place(rng));
        a.arg_size = sizeof l;
        atomic_fetch_add(&alive, 1);
        int rc = cosched_group_spawn(&g, child, &l, &a);
        EXPECT(rc == 0 || rc == -ECANCELED);
        if (rc < 0) {
            atomic_fetch_sub(&alive, 1);
        } else {
            spawned++;
        }
    }
    if (cos_rng_below(rng, 6) == 0) {
        cosched_group_cancel(&g);
    }
    int64_t deadline =
        cos_rng_below(rng, 3) ? COSCHED_NEVER : cosched_in_ns(cos_rng_below(rng, 500000));
    int64_t rc = cosched_group_join(&g, deadline);
    EXPECT_EQ(alive, 0);
    if (attr.policy == COSCHED_COLLECT) {
        EXPECT(rc <= spawned);
    } else {
        EXPECT(rc <= 0);
    }
    memset(&g, 0x5a, sizeof g);
    return rc < 0 ? rc : 0;
}

static int64_t opener(void *arg)
{
    uint64_t n = (uint64_t)(uintptr_t)arg, rng = stress_rng(seed, n);
    for (int i = 0; i < 10; i++) {
        open_group(&rng, n * 100 + (unsigned)i, 3);
    }
    return 0;
}

static int64_t open_many(void *arg)
{
    int n = (int)(intptr_t)arg;
    cosched_task *t = calloc((size_t)n, sizeof *t);
    uint64_t rng = stress_rng(seed, 0);
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(opener, (void *)(intptr_t)(i + 1), stress_place(&rng));
        if (cos_rng_below(&rng, 5) == 0) {
            cosched_cancel(t[i]);
        }
    }
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    free(t);
    UNTIL(run_stats().tasks_live == 1);
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    stress_count();
    return 0;
}

START_TEST(groups_within_groups_under_cancellation)
{
    seed = run_seed();
    ran = 0;
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, open_many, (void *)(intptr_t)stress_size(300)), 0);
    EXPECT(ran > 0);
}

END_TEST

STRESS_MAIN("stress_group", EACH(groups_within_groups_under_cancellation))
