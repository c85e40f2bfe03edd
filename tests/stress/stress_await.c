/* Random trees of tasks on eight workers: they spawn, await, forget, detach and cancel children, pass handles to strangers,
 * and move. Every body that was spawned ran exactly once, or was skipped when that was asked for. */
#include "stress_run.h"

#define BODIES_MAX 400000

static uint64_t seed;
static atomic_int next_id, ran_twice, ran_once, skippable;
static atomic_uchar ran[BODIES_MAX];
static _Atomic(uint64_t) post_box[16]; /* handles that strangers may find: index and generation */

struct seedling {
    int32_t id, depth;
};

static int64_t grow(void *arg);

static void forget_or_use(uint64_t *rng, cosched_task *t)
{
    int64_t result = 0;
    int rc;
    switch (cos_rng_below(rng, 8)) {
    case 0: break; /* cancelled and joined at our end */
    case 1: cosched_detach(t); break;
    case 2: cosched_cancel(*t); break;
    case 3:
        cosched_cancel(*t);
        cosched_detach(t);
        break;
    case 4:
        rc = cosched_await(t, &result, cosched_in_ns(cos_rng_below(rng, 2000000)));
        EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EBUSY || rc == -ESTALE);
        break;
    default:
        rc = cosched_await(t, &result, COSCHED_NEVER);
        EXPECT(rc == 0 || rc == -ECANCELED || rc == -EBUSY || rc == -ESTALE);
        EXPECT(rc < 0 || (t->index == 0 && (result == 0 || result == -ECANCELED)));
        break;
    }
}

static void meddle(uint64_t *rng)
{
    uint64_t word = atomic_load(&post_box[cos_rng_below(rng, 16)]);
    cosched_task t = {(uint32_t)(word >> 32), (uint32_t)word}, self = cosched_self();
    if (t.index == self.index) {
        return;
    }
    int rc;
    switch (cos_rng_below(rng, 4)) {
    case 0: cosched_cancel(t); break;
    case 1: cosched_detach(&t); break;
    default: /* with a deadline: strangers that wait for each other in a ring would wait for ever */
        rc = cosched_await(&t, NULL, cosched_in_ns(cos_rng_below(rng, 500000)));
        EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED || rc == -EBUSY || rc == -ESTALE ||
               rc == -EDEADLK);
        break;
    }
}

static bool spawn_one(uint64_t *rng, int depth, cosched_task *out)
{
    struct seedling s = {atomic_fetch_add(&next_id, 1), depth};
    if (s.id >= BODIES_MAX) {
        return false;
    }
    cosched_attr attr = *run_at(stress_place(rng));
    attr.arg_size = sizeof s;
    if (cos_rng_below(rng, 16) == 0) {
        attr.flags |= COSCHED_SKIP_IF_CANCELED;
        atomic_fetch_add(&skippable, 1);
    }
    if (cos_rng_below(rng, 32) == 0) {
        attr.timeout_ns = 1 + cos_rng_below(rng, 3000000);
    }
    EXPECT_EQ(cosched_spawn(out, grow, &s, &attr), 0);
    if (out != NULL && cos_rng_below(rng, 4) == 0) {
        atomic_store(&post_box[cos_rng_below(rng, 16)],
                     (uint64_t)out->index << 32 | out->generation);
    }
    return true;
}

static int64_t grow(void *arg)
{
    struct seedling me;
    memcpy(&me, arg, sizeof me);
    atomic_fetch_add(atomic_fetch_add(&ran[me.id], 1) == 0 ? &ran_once : &ran_twice, 1);
    uint64_t rng = stress_rng(seed, (uint64_t)me.id + 1);
    cosched_task kids[4];
    int n = me.depth > 0 ? (int)cos_rng_below(&rng, 5) : 0;
    int spawned = 0;
    for (int i = 0; i < n; i++) {
        if (cos_rng_below(&rng, 10) == 0) {
            spawn_one(&rng, me.depth - 1, NULL);
        } else if (spawn_one(&rng, me.depth - 1, &kids[spawned])) {
            spawned++;
        }
        switch (cos_rng_below(&rng, 12)) {
        case 0: cosched_yield(); break;
        case 1: cosched_hop(COSCHED_WORKER); break;
        case 2: cosched_hop(COSCHED_MAIN); break;
        case 3: meddle(&rng); break;
        case 4: cosched_sleep_until(cosched_in_ns(cos_rng_below(&rng, 300000))); break;
        default: break;
        }
    }
    for (int i = spawned; i > 0; i--) {
        forget_or_use(&rng, &kids[i - 1]);
    }
    return cosched_cancelled() ? -ECANCELED : 0;
}

static int64_t forest(void *arg)
{
    int trees = (int)(intptr_t)arg;
    for (int round = 0; round < trees; round++) {
        uint64_t rng = stress_rng(seed, UINT64_C(1) << 40 | (unsigned)round);
        cosched_task t[8];
        int n = 0;
        while (n < 8 && spawn_one(&rng, 6, &t[n])) {
            n++;
        }
        for (int i = 0; i < n; i++) {
            forget_or_use(&rng, &t[i]);
        }
    }
    return 0;
}

static int64_t plant(void *arg)
{
    run_join(run_spawn(forest, arg, COSCHED_WORKER)); /* ends when all that it forgot have ended */
    UNTIL(run_stats().tasks_live == 1);               /* and the detached ones */
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
    stress_count();
    return 0;
}

START_TEST(random_trees)
{
    seed = run_seed();
    next_id = ran_twice = ran_once = skippable = 0;
    memset(ran, 0, sizeof ran);
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, plant, (void *)(intptr_t)stress_size(40)), 0);
    int spawned = next_id < BODIES_MAX ? next_id : BODIES_MAX;
    EXPECT_EQ(ran_twice, 0);
    EXPECT(ran_once <= spawned);
    EXPECT(ran_once + skippable >= spawned);
}

END_TEST

/* --- an end and a detach, a cancel, an await of one task at the same moment ------------------------------------- */

static atomic_int over; /* waits that have returned; statistics would publish nothing */

static int64_t wait_event(void *arg)
{
    int rc = cosched_event_wait(arg, COSCHED_NEVER);
    atomic_fetch_add(&over, 1);
    return rc;
}

static int64_t race_the_end(void *arg)
{
    uint64_t rng = stress_rng(seed, (uint64_t)(uintptr_t)arg);
    int n = stress_size(3000);
    cosched_event *ev = calloc((size_t)n, sizeof *ev); /* detached tasks may come to them late */
    for (int i = 0; i < n; i++) {
        cosched_event_init(&ev[i]);
        cosched_task t = run_spawn(wait_event, &ev[i], COSCHED_WORKER);
        for (uint32_t k = cos_rng_below(&rng, 6); k > 0; k--) {
            cosched_yield();
        }
        cosched_event_set(&ev[i]);
        switch (cos_rng_below(&rng, 4)) {
        case 0: cosched_detach(&t); break;
        case 1:
            cosched_cancel(t);
            cosched_detach(&t);
            break;
        case 2: cosched_await(&t, NULL, COSCHED_NOW); break;
        default: EXPECT_EQ(cosched_await(&t, NULL, COSCHED_NEVER), 0); break;
        }
    }
    return (int64_t)(intptr_t)ev;
}

static int64_t races(void *arg)
{
    (void)arg;
    cosched_task t[4];
    int64_t ev[4];
    over = 0;
    EXPECT_EQ(cosched_spawn(NULL, run_until_canceled, NULL, run_at(COSCHED_WORKER)),
              0); /* the end of the run walks the roots */
    for (intptr_t i = 0; i < 4; i++) {
        t[i] = run_spawn(race_the_end, (void *)(i + 1), COSCHED_WORKER);
    }
    for (int i = 0; i < 4; i++) {
        ev[i] = run_join(t[i]);
    }
    UNTIL(over == 4 * stress_size(3000));
    for (int i = 0; i < 4; i++) {
        free((void *)(intptr_t)ev[i]);
    }
    stress_count();
    return 0;
}

START_TEST(detach_cancel_and_await_race_with_the_end)
{
    seed = run_seed();
    cosched_config c = {.struct_size = sizeof c, .workers = run_workers[_i]};
    EXPECT_EQ(run_config(&c, races, NULL), 0);
}

END_TEST

STRESS_MAIN("stress_await", EACH(random_trees), EACH(detach_cancel_and_await_race_with_the_end))
