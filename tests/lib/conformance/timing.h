/* For programs that print what a clock on the wall says. They gate nothing, so they abort only when they cannot run. */
#ifndef CONFORMANCE_TIMING_H
#define CONFORMANCE_TIMING_H

#include <cosched/cosched.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static inline void timing_must(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "timing: %s\n", cosched_strerror(rc));
        abort();
    }
}

/* Computes for so long on the clock; a machine that is shared computes less. */
static inline void timing_spin(int64_t ns)
{
    int64_t end = cosched_in_ns(ns);
    while (cosched_now() < end) {
    }
}

static inline cosched_task timing_spawn(cosched_fn fn, void *arg, cosched_affinity place)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = place};
    cosched_task t;
    timing_must(cosched_spawn(&t, fn, arg, &attr));
    return t;
}

static inline int64_t timing_await(cosched_task *t)
{
    int64_t result = 0;
    timing_must(cosched_await(t, &result, COSCHED_NEVER));
    return result;
}

/* --- percentiles ------------------------------------------------------------------------------------------ */

enum { TIMING_SAMPLES = 20000 };

struct timing {
    int64_t ns[TIMING_SAMPLES];
    int n;
};

static inline void timing_add(struct timing *t, int64_t ns)
{
    if (t->n < TIMING_SAMPLES) {
        t->ns[t->n++] = ns;
    }
}

static inline int timing_less(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static inline void timing_print(const char *what, int workers, struct timing *t)
{
    if (t->n == 0) {
        return;
    }
    qsort(t->ns, (size_t)t->n, sizeof t->ns[0], timing_less);
    printf("FIGURES %s: workers %d: p50 %.1f us, p99 %.1f us, max %.1f us (%d times)\n", what,
           workers, (double)t->ns[t->n / 2] / 1e3, (double)t->ns[t->n * 99 / 100] / 1e3,
           (double)t->ns[t->n - 1] / 1e3, t->n);
    fflush(stdout);
}

#endif
