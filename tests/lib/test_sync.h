/* Storms for what tasks wait in line for: rounds of tasks on all executors, whose waits end by chance in every possible
 * way. The seed is printed; COSCHED_SEED repeats it. */
#ifndef TEST_SYNC_H
#define TEST_SYNC_H
#include "base/rng.h"
#include "run.h"

enum { STORM_TASKS = 16, STORM_STEPS = 12 };

struct storm_task {
    void *object;
    uint64_t rng;
    int index;
};

static inline uint32_t storm_below(struct storm_task *t, uint32_t n)
{
    return cos_rng_below(&t->rng, n);
}

/* Never waits for ever. */
static inline int64_t storm_deadline_soon(struct storm_task *t)
{
    return storm_below(t, 4) == 0 ? COSCHED_NOW : cosched_in_ns(storm_below(t, 200000));
}

static inline int64_t storm_deadline(struct storm_task *t)
{
    return storm_below(t, 3) == 0 ? COSCHED_NEVER : storm_deadline_soon(t);
}

/* Somewhere else, or later, or not. */
static inline void storm_pause(struct storm_task *t)
{
    switch (storm_below(t, 6)) {
    case 0: cosched_yield(); break;
    case 1: cosched_hop(COSCHED_MAIN); break;
    case 2: cosched_hop(COSCHED_WORKER); break;
    default: break;
    }
}

/* Was this a way in which a wait may end without success? */
static inline bool storm_gave_up(int64_t rc)
{
    EXPECT(rc >= 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc < 0;
}

/* One round: body for each task, its argument a struct storm_task; some are cancelled at some time. */
static inline void storm_round(cosched_fn body, void *object, uint64_t *rng)
{
    cosched_task tasks[STORM_TASKS];
    struct storm_task args[STORM_TASKS];
    for (int i = 0; i < STORM_TASKS; i++) {
        args[i] = (struct storm_task){object, cos_rng_next(rng) | 1, i};
        tasks[i] = run_spawn(body, &args[i], i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (uint32_t n = cos_rng_below(rng, STORM_TASKS); n > 0; n--) {
        if (cos_rng_below(rng, 2)) {
            cosched_yield();
        }
        cosched_cancel(tasks[cos_rng_below(rng, STORM_TASKS)]);
    }
    for (int i = 0; i < STORM_TASKS; i++) {
        EXPECT_EQ(run_join(tasks[i]), 0);
    }
}

/* MAIN runs in order: after this a task spawned there before has gone as far as it can without us. */
static inline cosched_task sync_spawn_and_let_wait(cosched_fn fn, void *arg)
{
    cosched_task t = run_spawn(fn, arg, COSCHED_MAIN);
    cosched_yield();
    return t;
}

#endif
