/* Trees of tasks: fib without a cut-off, and skynet, where each of 10^n leaves is a task whose numbers are added up. */
#include "ours.h"

static int64_t fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_task task;
    int64_t left = 0;
    cosched_spawn(&task, fib, (void *)(n - 1), NULL);
    int64_t right = fib((void *)(n - 2));
    cosched_await(&task, &left, COSCHED_NEVER);
    return left + right;
}

/* A call of fib(n) makes 2 fib(n + 1) - 1. */
static double calls_of(long n)
{
    double a = 1, b = 1;
    for (long i = 1; i <= n; i++) {
        double next = a + b;
        a = b;
        b = next;
    }
    return 2 * a - 1;
}

/* The count is n. */
int64_t run_fib(void *arg)
{
    struct load *load = arg;
    int64_t value = 0;
    int64_t start = now_ns();
    cosched_call(&value, COSCHED_WORKER, fib, (void *)(intptr_t)load->count, COSCHED_NEVER);
    figure("fib", (double)(now_ns() - start) / calls_of(load->count), "ns");
    return value;
}

struct branch {
    int64_t first, leaves;
};

enum { FAN = 10 };

static int64_t skynet(void *arg)
{
    const struct branch *b = arg;
    if (b->leaves == 1) {
        return b->first;
    }
    cosched_task task[FAN];
    struct branch child[FAN]; /* as long as the children, which are awaited here */
    int64_t leaves = b->leaves / FAN;
    for (int i = 0; i < FAN; i++) {
        child[i] = (struct branch){b->first + i * leaves, leaves};
        cosched_spawn(&task[i], skynet, &child[i], NULL);
    }
    int64_t sum = 0;
    for (int i = FAN; i-- > 0;) { /* the youngest first: it is run where we stand */
        int64_t part = 0;
        cosched_await(&task[i], &part, COSCHED_NEVER);
        sum += part;
    }
    return sum;
}

/* The count is the number of leaves, a power of ten. */
int64_t run_skynet(void *arg)
{
    struct load *load = arg;
    struct branch root = {0, 1};
    while (root.leaves * FAN <= load->count) {
        root.leaves *= FAN;
    }
    int64_t sum = -1;
    int64_t start = now_ns();
    cosched_call(&sum, COSCHED_WORKER, skynet, &root, COSCHED_NEVER);
    figure("skynet", (double)(now_ns() - start) / 1e6, "ms");
    figure("memory", memory_of("VmHWM") / 1e6, "MB");
    return sum == root.leaves * (root.leaves - 1) / 2 ? 0 : -1;
}
