/* Two threads and nothing else: a round trip by futex, asleep each time, and by atomics, never asleep.
 * usage: peer_threads futex|atomics ROUND-TRIPS */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../figure.h"

static long count;
static _Alignas(128)
    atomic_uint ball; /* whose turn; release by who gives it away, acquire by who takes it */

static void pass_asleep(unsigned mine)
{
    unsigned seen;
    while ((seen = atomic_load_explicit(&ball, memory_order_acquire)) != mine) {
        syscall(SYS_futex, &ball, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
    }
    atomic_store_explicit(&ball, 1 - mine, memory_order_release);
    syscall(SYS_futex, &ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void pass_awake(unsigned mine)
{
    while (atomic_load_explicit(&ball, memory_order_acquire) != mine) {
        spin_wait();
    }
    atomic_store_explicit(&ball, 1 - mine, memory_order_release);
}

static void (*pass)(unsigned mine);

static void *other_side(void *unused)
{
    for (long i = 0; i < count; i++) {
        pass(1);
    }
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    count = param(argc, argv, 1, 1000);
    pass = argc > 1 && strcmp(argv[1], "atomics") == 0 ? pass_awake : pass_asleep;
    pthread_create(&thread, NULL, other_side, NULL);
    int64_t start = now_ns();
    for (long i = 0; i < count; i++) {
        pass(0);
    }
    pthread_join(thread, NULL);
    figure("hop", (double)(now_ns() - start) / (double)count, "ns");
    return 0;
}
