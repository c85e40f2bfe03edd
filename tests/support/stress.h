/* Shared by the stress programs: bounded work scaled by COSCHED_STRESS (a factor, 1 by default), threads that start
 * together, a seed that is printed and repeated by COSCHED_SEED. No sleeps, no clocks: counts end each run. */
#ifndef SUPPORT_STRESS_H
#define SUPPORT_STRESS_H
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define STRESS_CHECK(x)                                                     \
    do {                                                                    \
        if (!(x)) {                                                         \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #x); \
            abort();                                                        \
        }                                                                   \
    } while (0)

enum { STRESS_THREADS_MAX = 32 };

struct stress {
    void (*body)(unsigned id);
    pthread_barrier_t start;
    pthread_t thread[STRESS_THREADS_MAX];
};

struct stress_arg {
    struct stress *stress;
    unsigned id;
};

static inline uint64_t stress_seed(void)
{
    const char *given = getenv("COSCHED_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    seed += seed == 0;
    printf("COSCHED_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* n times the factor; a third under the thread sanitizer, whose accesses cost that much more. */
static inline uint64_t stress_scale(uint64_t n)
{
    const char *given = getenv("COSCHED_STRESS");
    double factor = given != NULL ? strtod(given, NULL) : 1;
#if defined(__SANITIZE_THREAD__)
    factor /= 3;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    factor /= 3;
#endif
#endif
    uint64_t scaled = (uint64_t)((double)n * factor);
    return scaled > 0 ? scaled : 1;
}

static inline void *stress_thread(void *arg)
{
    struct stress_arg *a = arg;
    pthread_barrier_wait(&a->stress->start);
    a->stress->body(a->id);
    return NULL;
}

/* Runs body(0) … body(n - 1), each on its own thread, and waits for all. */
static inline void stress_run(unsigned n, void (*body)(unsigned id))
{
    struct stress stress = {.body = body};
    struct stress_arg arg[STRESS_THREADS_MAX];
    STRESS_CHECK(n <= STRESS_THREADS_MAX);
    STRESS_CHECK(pthread_barrier_init(&stress.start, NULL, n) == 0);
    for (unsigned i = 0; i < n; i++) {
        arg[i] = (struct stress_arg){&stress, i};
        STRESS_CHECK(pthread_create(&stress.thread[i], NULL, stress_thread, &arg[i]) == 0);
    }
    for (unsigned i = 0; i < n; i++) {
        STRESS_CHECK(pthread_join(stress.thread[i], NULL) == 0);
    }
    pthread_barrier_destroy(&stress.start);
}
#endif
