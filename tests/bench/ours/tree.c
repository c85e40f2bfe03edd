/* Trees of calls: fib without a cut-off, and skynet, where the numbers of 10^n leaves are added up. Each by cosched_invoke, which is
 * what fork and join is written with, and by children that are spawned and awaited. */
#include "ours.h"

static int64_t fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_branch branch[2];
    branch[0].fn = branch[1].fn = fib;
    branch[0].arg = (void *)(n - 1);
    branch[1].arg = (void *)(n - 2);
    cosched_invoke(branch, 2);
    return branch[0].result + branch[1].result;
}

static int64_t fib_await(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_task task;
    int64_t left = 0;
    cosched_spawn(&task, fib_await, (void *)(n - 1), NULL);
    int64_t right = fib_await((void *)(n - 2));
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

static int64_t time_fib(const struct load *load, cosched_fn fn)
{
    int64_t value = 0;
    int64_t start = now_ns();
    cosched_call(&value, COSCHED_WORKER, fn, (void *)(intptr_t)load->count, COSCHED_NEVER);
    figure("fib", (double)(now_ns() - start) / calls_of(load->count), "ns");
    return value;
}

/* The count is n. */
int64_t run_fib(void *arg)
{
    return time_fib(arg, fib);
}

int64_t run_fib_await(void *arg)
{
    return time_fib(arg, fib_await);
}

struct part {
    int64_t first, leaves;
};

enum { FAN = 10 };

static int64_t skynet(void *arg)
{
    const struct part *p = arg;
    if (p->leaves == 1) {
        return p->first;
    }
    cosched_branch branch[FAN];
    struct part child[FAN];
    int64_t leaves = p->leaves / FAN;
    for (int i = 0; i < FAN; i++) {
        child[i] = (struct part){p->first + i * leaves, leaves};
        branch[i].fn = skynet;
        branch[i].arg = &child[i];
    }
    cosched_invoke(branch, FAN);
    int64_t sum = 0;
    for (int i = 0; i < FAN; i++) {
        sum += branch[i].result;
    }
    return sum;
}

static int64_t skynet_await(void *arg)
{
    const struct part *p = arg;
    if (p->leaves == 1) {
        return p->first;
    }
    cosched_task task[FAN];
    struct part child[FAN]; /* as long as the children, which are awaited here */
    int64_t leaves = p->leaves / FAN;
    for (int i = 0; i < FAN; i++) {
        child[i] = (struct part){p->first + i * leaves, leaves};
        cosched_spawn(&task[i], skynet_await, &child[i], NULL);
    }
    int64_t sum = 0;
    for (int i = FAN; i-- > 0;) { /* the youngest first: it is run where we stand */
        int64_t value = 0;
        cosched_await(&task[i], &value, COSCHED_NEVER);
        sum += value;
    }
    return sum;
}

static int64_t time_skynet(const struct load *load, cosched_fn fn)
{
    struct part root = {0, 1};
    while (root.leaves * FAN <= load->count) {
        root.leaves *= FAN;
    }
    int64_t sum = -1;
    int64_t start = now_ns();
    cosched_call(&sum, COSCHED_WORKER, fn, &root, COSCHED_NEVER);
    figure("skynet", (double)(now_ns() - start) / 1e6, "ms");
    figure("memory", memory_of("VmHWM") / 1e6, "MB");
    return sum == root.leaves * (root.leaves - 1) / 2 ? 0 : -1;
}

/* The count is the number of leaves, a power of ten. */
int64_t run_skynet(void *arg)
{
    return time_skynet(arg, skynet);
}

int64_t run_skynet_await(void *arg)
{
    return time_skynet(arg, skynet_await);
}
