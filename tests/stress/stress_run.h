/* What the stresses of the scheduler share: a size, a seed, a place to run. */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include "base/rng.h"
#include "run.h"

/* COSCHED_STRESS multiplies: 1 is about a second. */
static inline int stress_size(int plain)
{
    const char *text = getenv("COSCHED_STRESS");
    int factor = text != NULL ? atoi(text) : 1;
    return RUN_SIZE(plain, plain / 8, plain / 20) * (factor > 0 ? factor : 1);
}

static inline cosched_affinity stress_place(uint64_t *rng)
{
    static const cosched_affinity places[] = {COSCHED_INHERIT, COSCHED_MAIN, COSCHED_WORKER,
                                              COSCHED_WORKER};
    return places[cos_rng_below(rng, 4)];
}

/* A generator of its own for the n-th task: what it does depends on the seed alone, not on who runs when. */
static inline uint64_t stress_rng(uint64_t seed, uint64_t n)
{
    uint64_t state = (seed ^ n * UINT64_C(0x9E3779B97F4A7C15)) | 1;
    cos_rng_next(&state);
    return state;
}

#endif
