/* One measurement of libcosched, or of what it is compared with, a process: prints nanoseconds per operation. The driver
 * (table.py) runs ours and the peer's in turn, several rounds, and prints medians and ratios.
 *
 *   bench_core call | spawn_await | fib WORKERS | yield | chan | hop | futex     [COUNT] */
#include <cosched/cosched.h>

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long count;

static double per(int64_t start, double n)
{
    return (double)(cosched_now() - start) / n;
}

static void print(double ns)
{
    printf("%.3f\n", ns);
}

static int64_t leaf(void *arg)
{
    return (int64_t)(intptr_t)arg + 1;
}

static int64_t bench_call(void *arg)
{
    (void)arg;
    int64_t start = cosched_now();
    for (long i = 0; i < count; i++) {
        int64_t value;
        cosched_call(&value, COSCHED_INHERIT, leaf, (void *)(intptr_t)i, COSCHED_NEVER);
    }
    print(per(start, (double)count));
    return 0;
}

static int64_t bench_spawn_await(void *arg)
{
    (void)arg;
    int64_t start = cosched_now();
    for (long i = 0; i < count; i++) {
        cosched_task task;
        int64_t value;
        cosched_spawn(&task, leaf, (void *)(intptr_t)i, NULL);
        cosched_await(&task, &value, COSCHED_NEVER);
    }
    print(per(start, (double)count));
    return 0;
}

static int64_t fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_task task;
    int64_t left;
    cosched_spawn(&task, fib, (void *)(n - 1), NULL);
    int64_t right = fib((void *)(n - 2));
    cosched_await(&task, &left, COSCHED_NEVER);
    return left + right;
}

static int64_t bench_fib(void *arg)
{
    (void)arg;
    int64_t value;
    int64_t start = cosched_now();
    cosched_call(&value, COSCHED_WORKER, fib, (void *)(intptr_t)count, COSCHED_NEVER);
    double a = 1, b = 1; /* calls of fib(n): 2 fib(n + 1) - 1 */
    for (long i = 1; i <= count; i++) {
        double next = a + b;
        a = b;
        b = next;
    }
    print(per(start, 2 * a - 1));
    return 0;
}

static int64_t bench_yield(void *arg)
{
    (void)arg;
    int64_t start = cosched_now();
    for (long i = 0; i < count; i++) {
        cosched_yield();
    }
    print(per(start, (double)count));
    return 0;
}

static int64_t receive_all(void *arg)
{
    cosched_chan *ch = arg;
    int64_t value, n = 0;
    while (cosched_chan_recv(ch, &value, COSCHED_NEVER) == 0) {
        n++;
    }
    return n;
}

static int64_t bench_chan(void *arg)
{
    (void)arg;
    cosched_chan *ch;
    cosched_task receiver;
    cosched_chan_create(&ch, sizeof(int64_t), 64);
    cosched_spawn(&receiver, receive_all, ch, NULL);
    int64_t start = cosched_now();
    for (int64_t i = 0; i < count; i++) {
        cosched_chan_send(ch, &i, COSCHED_NEVER);
    }
    cosched_chan_close(ch);
    cosched_await(&receiver, NULL, COSCHED_NEVER);
    print(per(start, (double)count));
    cosched_chan_unref(ch);
    return 0;
}

static int64_t bench_hop(void *arg)
{
    (void)arg;
    int64_t start = cosched_now();
    for (long i = 0; i < count; i++) {
        int64_t value;
        cosched_call(&value, COSCHED_WORKER, leaf, NULL, COSCHED_NEVER);
    }
    print(per(start, (double)count));
    return 0;
}

/* --- the peer of a hop: two threads that wake each other by futex ------------------------------------- */

static atomic_uint ball;

static void pass(unsigned mine)
{
    unsigned seen;
    while ((seen = atomic_load_explicit(&ball, memory_order_acquire)) != mine) {
        syscall(SYS_futex, &ball, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    atomic_store_explicit(&ball, 1 - mine, memory_order_release);
    syscall(SYS_futex, &ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *other_side(void *arg)
{
    for (long i = 0; i < count; i++) {
        pass(1);
    }
    return arg;
}

static int bench_futex(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, other_side, NULL);
    int64_t start = cosched_now();
    for (long i = 0; i < count; i++) {
        pass(0);
    }
    pthread_join(thread, NULL);
    print(per(start, (double)count));
    return 0;
}

static const struct {
    const char *name;
    cosched_fn body;
    long count;
    int workers;
} benches[] = {
    {"call", bench_call, 20000000, 0},  {"spawn_await", bench_spawn_await, 5000000, 0},
    {"fib1", bench_fib, 30, 1},         {"fib2", bench_fib, 30, 2},
    {"yield", bench_yield, 3000000, 0}, {"chan", bench_chan, 3000000, 0},
    {"hop", bench_hop, 20000, 1},
};

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "futex") == 0) {
        count = argc > 2 ? atol(argv[2]) : 20000;
        return bench_futex();
    }
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        if (strcmp(name, benches[i].name) == 0) {
            count = argc > 2 ? atol(argv[2]) : benches[i].count;
            cosched_config config = {.struct_size = sizeof config, .workers = benches[i].workers};
            return cosched_run(&config, benches[i].body, NULL) == 0 ? 0 : 1;
        }
    }
    fprintf(stderr, "usage: bench_core call|spawn_await|fib1|fib2|yield|chan|hop|futex [COUNT]\n");
    return 64;
}
