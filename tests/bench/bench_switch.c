/* What one switch costs, one way: the plain form, the inline form, and Boost.Context in the same run. Ratios within
 * a run are what counts (PEERS); the median of several rounds is printed. Arguments: switches a round, rounds.
 *
 *   cc -O2 -I lib/src tests/bench/bench_switch.c … -DBENCH_BOOST=1 -lboost_context   (libboost-context-dev) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/context.h"
#include "arch/stack.h"
#include "arch/switch_inline.h"
#include "base/assert.h"
#include "base/clock.h"

#ifndef BENCH_BOOST
#define BENCH_BOOST 0
#endif

#define ROUNDS_MAX 101

static struct cos_context home;
static struct cos_context fiber;
static struct cos_stack stack;

static COS_SWITCHES void plain_entry(void *message)
{
    for (;;) {
        message = cos_context_switch(&fiber, &home, message);
    }
}

static COS_SWITCHES void inline_entry(void *message)
{
    for (;;) {
        message = cos_context_switch_inline(&fiber, &home, message);
    }
}

static COS_SWITCHES int64_t run_plain(long n)
{
    int64_t start = cos_clock_now();
    for (long i = 0; i < n; i += 2) {
        (void)cos_context_switch(&home, &fiber, NULL);
    }
    return cos_clock_now() - start;
}

static COS_SWITCHES int64_t run_inline(long n)
{
    int64_t start = cos_clock_now();
    for (long i = 0; i < n; i += 2) {
        (void)cos_context_switch_inline(&home, &fiber, NULL);
    }
    return cos_clock_now() - start;
}

#if BENCH_BOOST
typedef struct {
    void *fctx;
    void *data;
} transfer_t;

transfer_t jump_fcontext(void *to, void *message);
void *make_fcontext(void *stack_hi, size_t size, void (*fn)(transfer_t));

static void *boost_fiber;

static void boost_entry(transfer_t from)
{
    for (;;) {
        from = jump_fcontext(from.fctx, from.data);
    }
}

static int64_t run_boost(long n)
{
    int64_t start = cos_clock_now();
    for (long i = 0; i < n; i += 2) {
        boost_fiber = jump_fcontext(boost_fiber, NULL).fctx;
    }
    return cos_clock_now() - start;
}
#endif

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double median_ns(int64_t (*run)(long n), long n, int rounds)
{
    int64_t times[ROUNDS_MAX];
    (void)run(n / 10 + 2);
    for (int i = 0; i < rounds; i++) {
        times[i] = run(n);
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    return (double)times[rounds / 2] / (double)n;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? strtol(argv[1], NULL, 10) : 20000000;
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    COS_ASSERT(n >= 2 && rounds >= 1 && rounds <= ROUNDS_MAX);

    struct cos_stack_cache cache;
    cos_stack_cache_init(&cache);
    COS_ASSERT(cos_stack_get(&cache, 65536, &stack) == 0);
    cos_context_init_thread(&home);
    cos_context_make(&fiber, stack.lo, stack.hi, plain_entry);
    double plain = median_ns(run_plain, n, rounds);
    cos_context_fini(&fiber);
    cos_context_make(&fiber, stack.lo, stack.hi, inline_entry);
    double inlined = median_ns(run_inline, n, rounds);
    cos_context_fini(&fiber);
    printf("switch_plain_ns %.2f\nswitch_inline_ns %.2f\n", plain, inlined);
#if BENCH_BOOST
    boost_fiber = make_fcontext(stack.hi, (size_t)(stack.hi - stack.lo), boost_entry);
    double boost = median_ns(run_boost, n, rounds);
    printf("switch_boost_context_ns %.2f\nplain_to_boost %.2f\ninline_to_boost %.2f\n", boost,
           plain / boost, inlined / boost);
#endif
    cos_stack_put(&cache, &stack);
    cos_stack_cache_fini(&cache);
    return cos_stack_shutdown() == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
