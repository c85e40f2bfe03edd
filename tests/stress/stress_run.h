/* What the stresses of the scheduler share: a size, a seed, a place to run. */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include <sys/mman.h>

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

/* What the scenarios of a program add up to. Each is a process of its own, hence memory that they share. */
struct stress_sums {
    atomic_ullong runs, tasks, steals, hops, parks;
};

static struct stress_sums *stress_sums;

/* Adds what this runtime has counted: what a scenario's MAIN task does last. */
static inline void stress_count(void)
{
    cosched_stats s = run_stats();
    atomic_fetch_add(&stress_sums->runs, 1);
    atomic_fetch_add(&stress_sums->tasks, s.completed);
    atomic_fetch_add(&stress_sums->hops, s.hops_to_main + s.hops_to_worker);
    for (uint32_t i = 0; i < s.workers; i++) {
        atomic_fetch_add(&stress_sums->steals, s.worker[i].steals);
        atomic_fetch_add(&stress_sums->parks, s.worker[i].parks);
    }
}

static inline int stress_suite(const char *name, const struct run_test *tests, size_t count)
{
    stress_sums =
        mmap(NULL, sizeof *stress_sums, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stress_sums == MAP_FAILED) {
        return EXIT_FAILURE;
    }
    int status = run_suite(name, tests, count);
    const char *workers = getenv("COSCHED_WORKERS");
    printf("FIGURES %s: workers %s, runtimes %llu, tasks %llu, steals %llu, migrations by hop "
           "%llu, parks %llu\n",
           name, workers != NULL ? workers : "0 1 2 4 8", atomic_load(&stress_sums->runs),
           atomic_load(&stress_sums->tasks), atomic_load(&stress_sums->steals),
           atomic_load(&stress_sums->hops), atomic_load(&stress_sums->parks));
    munmap(stress_sums, sizeof *stress_sums);
    return status;
}

/* RUN_MAIN, and a line with the figures of them all. */
#define STRESS_MAIN(name, ...)                                            \
    int main(void)                                                        \
    {                                                                     \
        const struct run_test tests[] = {__VA_ARGS__};                    \
        return stress_suite(name, tests, sizeof tests / sizeof tests[0]); \
    }

#endif
