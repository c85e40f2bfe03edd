/* What one switch costs, one way: the plain form and the inline form (internal headers: the public API has no bare switch).
 * usage: bench_switch switch SWITCHES */
#include "../figure.h"
#include "arch/context.h"
#include "arch/stack.h"
#include "arch/switch_inline.h"

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
    int64_t start = now_ns();
    for (long i = 0; i < n; i += 2) {
        (void)cos_context_switch(&home, &fiber, NULL);
    }
    return now_ns() - start;
}

static COS_SWITCHES int64_t run_inline(long n)
{
    int64_t start = now_ns();
    for (long i = 0; i < n; i += 2) {
        (void)cos_context_switch_inline(&home, &fiber, NULL);
    }
    return now_ns() - start;
}

static double ns_of(int64_t (*run)(long n), long n)
{
    (void)run(n / 10 + 2);
    return (double)run(n) / (double)n;
}

int main(int argc, char **argv)
{
    long n = param(argc, argv, 1, 1000);
    struct cos_stack_cache cache;
    cos_stack_cache_init(&cache);
    if (cos_stack_get(&cache, 65536, &stack) != 0) {
        return 1;
    }
    cos_context_init_thread(&home);
    cos_context_make(&fiber, stack.lo, stack.hi, plain_entry);
    figure("plain", ns_of(run_plain, n), "ns");
    cos_context_fini(&fiber);
    cos_context_make(&fiber, stack.lo, stack.hi, inline_entry);
    figure("inline", ns_of(run_inline, n), "ns");
    cos_context_fini(&fiber);
    cos_stack_put(&cache, &stack);
    cos_stack_cache_fini(&cache);
    return cos_stack_shutdown() == 0 ? 0 : 1;
}
