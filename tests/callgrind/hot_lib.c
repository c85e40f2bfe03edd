/* The one-threaded hot paths of libcosched, for compare.sh. All on one worker, and with a clock that only counts how often it is
 * looked at: what the time of a turn decides would depend on how fast valgrind is. */
#include <cosched/cosched.h>

#include <stdint.h>
#include <stdlib.h>

#include "arch/context.h"
#include "arch/stack.h"
#include "base/assert.h"
#include "base/clock.h"
#include "marks.h"
#include "queue/deque.h"
#include "queue/injector.h"

/* The linker puts it in the place of cos_clock_now. */
int64_t __wrap_cos_clock_now(void);

int64_t __wrap_cos_clock_now(void)
{
    static int64_t now = COS_NS_PER_S;
    return __atomic_add_fetch(&now, 100, __ATOMIC_RELAXED);
}

static int64_t leaf(void *arg)
{
    return (int64_t)(intptr_t)arg + 1;
}

static void run_call(long n)
{
    for (long i = 0; i < n; i++) {
        int64_t value;
        cosched_call(&value, COSCHED_INHERIT, leaf, NULL, COSCHED_NEVER);
    }
}

static void run_spawn_await(long n)
{
    for (long i = 0; i < n; i++) {
        cosched_task task;
        int64_t value;
        cosched_spawn(&task, leaf, NULL, NULL);
        cosched_await(&task, &value, COSCHED_NEVER);
    }
}

#define FIB       12
#define FIB_CALLS 465 /* of fib(12), leaves included */

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

static void run_fib(long n)
{
    for (long i = 0; i < n; i++) {
        int64_t value;
        cosched_call(&value, COSCHED_INHERIT, fib, (void *)(intptr_t)FIB, COSCHED_NEVER);
    }
}

static int64_t fork_fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_branch branch[2];
    branch[0].fn = branch[1].fn = fork_fib;
    branch[0].arg = (void *)(n - 1);
    branch[1].arg = (void *)(n - 2);
    cosched_invoke(branch, 2);
    return branch[0].result + branch[1].result;
}

static void run_fork_fib(long n)
{
    for (long i = 0; i < n; i++) {
        (void)fork_fib((void *)(intptr_t)FIB);
    }
}

static void run_fork(long n)
{
    cosched_branch branch[2] = {{.fn = leaf}, {.fn = leaf}};
    for (long i = 0; i < n; i++) {
        cosched_invoke(branch, 2);
    }
}

static int64_t yield_all(void *arg)
{
    for (long i = (long)(intptr_t)arg; i > 0; i--) {
        cosched_yield();
    }
    return 0;
}

/* Two tasks in turn. */
static void run_yield(long n)
{
    cosched_task other;
    cosched_spawn(&other, yield_all, (void *)(intptr_t)n, NULL);
    yield_all((void *)(intptr_t)n);
    cosched_await(&other, NULL, COSCHED_NEVER);
}

static int64_t receive_all(void *arg)
{
    int64_t value;
    while (cosched_chan_recv(arg, &value, COSCHED_NEVER) == 0) {
    }
    return 0;
}

static void run_channel(long n)
{
    cosched_chan *ch;
    cosched_task receiver;
    COS_ASSERT(cosched_chan_create(&ch, sizeof(int64_t), 64) == 0);
    cosched_spawn(&receiver, receive_all, ch, NULL);
    for (int64_t i = 0; i < n; i++) {
        cosched_chan_send(ch, &i, COSCHED_NEVER);
    }
    cosched_chan_close(ch);
    cosched_await(&receiver, NULL, COSCHED_NEVER);
    cosched_chan_unref(ch);
}

static int64_t count_scheduled(void *arg)
{
    count("call", run_call, 20000, 1);
    count("spawn_await", run_spawn_await, 4000, 1);
    count("fib", run_fib, 10, FIB_CALLS);
    count("fork", run_fork, 4000, 1);
    count("fork_fib", run_fork_fib, 10, FIB_CALLS);
    count("yield", run_yield, 4000, 2);
    count("channel", run_channel, 6400, 1);
    return arg != NULL;
}

static int64_t in_task(void *arg)
{
    cosched_call(NULL, COSCHED_WORKER, count_scheduled, arg, COSCHED_NEVER);
    return 0;
}

/* --- the floors below ----------------------------------------------------------------------------------- */

static struct cos_context home, flow;

static COS_SWITCHES void back_and_forth(void *message)
{
    for (;;) {
        message = cos_context_switch(&flow, &home, message);
    }
}

static COS_SWITCHES void run_switch(long n)
{
    for (long i = 0; i < n; i++) {
        (void)cos_context_switch(&home, &flow, NULL);
    }
}

static void count_switch(void)
{
    const size_t bytes = (size_t)256 * 1024;
    char *stack = malloc(bytes);
    COS_ASSERT(stack != NULL);
    cos_context_init_thread(&home);
    cos_context_make(&flow, stack, stack + bytes, back_and_forth);
    count("switch", run_switch, 20000, 2);
    free(stack);
}

static struct cos_deque deque;

static void run_deque_newest(long n)
{
    for (long i = 0; i < n; i++) {
        COS_ASSERT(cos_deque_push_owner(&deque, 1) == 0);
        COS_ASSERT(cos_deque_push_owner(&deque, 2) == 0);
        COS_ASSERT(cos_deque_take_bottom_owner(&deque) == 2);
        COS_ASSERT(cos_deque_take_bottom_owner(&deque) == 1);
    }
}

static void run_deque_oldest(long n)
{
    for (long i = 0; i < n; i++) {
        COS_ASSERT(cos_deque_push_owner(&deque, 1) == 0);
        COS_ASSERT(cos_deque_take_top_owner(&deque) == 1);
    }
}

static struct cos_injector injector;

static COS_ATOMIC(uint32_t) * no_link(void *ctx, uint32_t v)
{
    (void)ctx;
    (void)v;
    return NULL; /* never full */
}

static void run_injector(long n)
{
    for (long i = 0; i < n; i++) {
        cos_injector_push(&injector, 1);
        COS_ASSERT(cos_injector_pop(&injector) == 1);
    }
}

static void run_injector_32(long n)
{
    uint32_t some[32], out[32];
    for (uint32_t i = 0; i < 32; i++) {
        some[i] = i + 1;
    }
    for (long i = 0; i < n; i++) {
        cos_injector_push_batch(&injector, some, 32);
        COS_ASSERT(cos_injector_pop_batch(&injector, out, 32) == 32);
    }
}

static void count_queues(void)
{
    COS_ASSERT(cos_deque_init(&deque, 8) == 0 &&
               cos_injector_init(&injector, COS_INJECTOR_CAPACITY_LOG2, no_link, NULL) == 0);
    count("deque_newest", run_deque_newest, 20000, 2);
    count("deque_oldest", run_deque_oldest, 20000, 1);
    count("injector", run_injector, 20000, 1);
    count("injector_32", run_injector_32, 1000, 32);
    cos_deque_fini(&deque);
    cos_injector_fini(&injector);
}

int main(void)
{
    cosched_config config = {.struct_size = sizeof config, .workers = 1};
    count_switch();
    COS_ASSERT(cosched_run(&config, in_task, NULL) == 0);
    count_queues(); /* after the runtime: it has chosen the fences */
    print_marks();
    return 0;
}
