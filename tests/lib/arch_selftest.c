/* The machine-dependent floor tested by itself: no libcheck, no libuv, static. For machines for which only a
 * cross compiler and an emulator are at hand (tests/support/machine.sh); the ordinary tests say more. Each
 * check that fails ends the program with its line. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/context.h"
#include "arch/fence.h"
#include "arch/fpenv.h"
#include "arch/futex.h"
#include "arch/guard.h"
#include "arch/lock.h"
#include "arch/overflow.h"
#include "arch/stack.h"
#include "arch/switch_inline.h"
#include "base/assert.h"
#include "base/clock.h"

#if defined(__GLIBC__) /* musl has no backtrace */
#include <execinfo.h>
#endif

uint64_t test_switch_keeping(struct cos_context *from, struct cos_context *to, void *message,
                             uint64_t seed);

static struct cos_stack_cache cache;
static struct cos_context home;
static struct cos_context fiber;
static struct cos_stack stack;

static void begin(void (*entry)(void *message))
{
    COS_ASSERT(cos_stack_get(&cache, 65536, &stack) == 0);
    cos_context_init_thread(&home);
    cos_context_make(&fiber, stack.lo, stack.hi, entry);
}

static void end(void)
{
    cos_context_fini(&fiber);
    cos_stack_put(&cache, &stack);
}

/* ---- switch ---- */

static uintptr_t entry_frame;

static COS_SWITCHES void echo_entry(void *message)
{
    entry_frame = (uintptr_t)__builtin_frame_address(0);
    uintptr_t value = (uintptr_t)message;
    while (value != UINTPTR_MAX) {
        value = (uintptr_t)cos_context_switch(&fiber, &home, (void *)(value + 1));
    }
    cos_context_switch_final(&fiber, &home, NULL);
}

static COS_SWITCHES void test_messages(void)
{
    begin(echo_entry);
    for (uintptr_t i = 0; i < 1000000; i++) {
        COS_ASSERT((uintptr_t)cos_context_switch_inline(&home, &fiber, (void *)(i * 3)) == i * 3 + 1);
    }
    COS_ASSERT(entry_frame % 16 == 0);
    COS_ASSERT(cos_context_switch(&home, &fiber, (void *)UINTPTR_MAX) == NULL);
    end();
}

#define REGISTER_ROUNDS 1000u
static uint64_t damaged;

static COS_SWITCHES void registers_entry(void *message)
{
    (void)message;
    for (uint64_t i = 0; i < REGISTER_ROUNDS; i++) {
        damaged |= test_switch_keeping(&fiber, &home, NULL, UINT64_C(0x5150000000) + i * 97);
    }
    cos_context_switch_final(&fiber, &home, NULL);
}

static COS_SWITCHES void test_registers(void)
{
    begin(registers_entry);
    (void)cos_context_switch(&home, &fiber, NULL);
    for (uint64_t i = 0; i < REGISTER_ROUNDS; i++) {
        damaged |= test_switch_keeping(&home, &fiber, NULL, UINT64_C(0xabcd00000000) + i * 89);
    }
    COS_ASSERT(damaged == 0);
    end();
}

static void test_fpenv(void)
{
    struct cos_fpenv before;
    struct cos_fpenv changed;
    cos_arch_fpenv_save(&before);
    changed = before;
    volatile double five = 5.0;
    volatile double three = 3.0;
    volatile double nearest = five / three;
#if defined(__x86_64__)
    changed.mxcsr |= 0x6000;
#elif defined(__riscv)
    changed.fcsr = (changed.fcsr & ~UINT64_C(0xe0)) | UINT64_C(1) << 5;
#else
    changed.fpcr |= UINT64_C(3) << 22;
#endif
    cos_arch_fpenv_restore(&changed);
    volatile double towards_zero = five / three;
    cos_arch_fpenv_restore(&before);
    volatile double again = five / three;
    COS_ASSERT(towards_zero < nearest);
    COS_ASSERT(again == nearest);
}

/* ---- a second stack, another thread ---- */

#define DEPTH 1000
static struct cos_stack stacks[DEPTH];
static int depth;
static struct cos_context *back;

static COS_SWITCHES int64_t nest_in(void *arg)
{
    int level = depth++;
    int64_t below = 0;
    if (level < DEPTH) {
        below = cos_context_call(&fiber, stacks[level].lo, stacks[level].hi, nest_in, arg);
    } else {
#if defined(__GLIBC__)
        void *frames[64];
        COS_ASSERT(backtrace(frames, 64) == 64); /* on through hundreds of seams */
#endif
    }
    (void)cos_context_switch(&fiber, back, NULL);
    return below + level;
}

static COS_SWITCHES void nest_entry(void *message)
{
    int64_t sum = nest_in(message);
    COS_ASSERT(sum == (int64_t)DEPTH * (DEPTH + 1) / 2);
    cos_context_switch_final(&fiber, back, &depth);
}

/* Runs the fiber once here; joined before the next thread takes it. */
static COS_SWITCHES void *resume_once(void *arg)
{
    (void)arg;
    struct cos_context mine;
    cos_context_init_thread(&mine);
    back = &mine;
    return cos_context_switch(&mine, &fiber, NULL);
}

static void test_call_and_migration(void)
{
    for (int i = 0; i < DEPTH; i++) {
        COS_ASSERT(cos_stack_get(&cache, 16384, &stacks[i]) == 0);
    }
    begin(nest_entry);
    void *result = NULL;
    int rides = 0;
    while (result == NULL) {
        pthread_t thread;
        COS_ASSERT(pthread_create(&thread, NULL, resume_once, NULL) == 0);
        COS_ASSERT(pthread_join(thread, &result) == 0);
        rides++;
    }
    COS_ASSERT(rides == DEPTH + 2);
    end();
    for (int i = 0; i < DEPTH; i++) {
        cos_stack_put(&cache, &stacks[i]);
    }
}

/* ---- stacks, locks ---- */

static void test_stacks(void)
{
    static struct cos_stack many[5000];
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 5000; i++) {
            COS_ASSERT(cos_stack_get(&cache, 32768, &many[i]) == 0);
            many[i].lo[0] = 1;
            many[i].hi[-1] = 1;
            COS_ASSERT(cos_stack_canary_ok(&many[i]));
            struct cos_stack found;
            COS_ASSERT(cos_stack_find_guard(many[i].lo - 1, &found) && found.hi == many[i].hi);
        }
        for (size_t i = 0; i < 5000; i++) {
            cos_stack_put(&cache, &many[i]);
        }
    }
}

static struct cos_lock lock;
static uint64_t counted; /* lock */

static void *count_up(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        cos_lock_acquire(&lock);
        counted++;
        cos_lock_release(&lock);
    }
    return NULL;
}

static void test_lock_futex_fence(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        COS_ASSERT(pthread_create(&threads[i], NULL, count_up, NULL) == 0);
    }
    for (int i = 0; i < 3; i++) {
        COS_ASSERT(pthread_join(threads[i], NULL) == 0);
    }
    COS_ASSERT(counted == 60000);
    COS_ATOMIC(uint32_t) word = 1;
    COS_ASSERT(cos_futex_wait(&word, 0, INT64_MAX) == -EAGAIN);
    COS_ASSERT(cos_futex_wait(&word, 1, cos_clock_now() + 1000) == -ETIMEDOUT);
    COS_ASSERT(cos_futex_wake(&word, 1) == 0);
    cos_fence_init();
    cos_fence_heavy();
    cos_fence_light();
}

/* ---- guards ---- */

static void *outer_guard, *inner_guard;

static int64_t guarded_return(void *arg)
{
    return (int64_t)(intptr_t)arg * 2;
}

/* Fills every register that a caller expects to keep, some frames deep, and leaves. */
static __attribute__((noinline)) int64_t dive(intptr_t depth, double x, int64_t a, int64_t b)
{
    int64_t c = a * 3 + b, d = b * 5 + a, e = c ^ d, f = c + d;
    double y = x * 1.5, z = y + x, u = z * y, v = u - z, w = v * x;
    if (depth == 0) {
        cos_arch_throw(outer_guard, 77);
    }
    if (depth < 0) {
        return 0;
    }
    int64_t below = dive(depth - 1, x + 1, e, f);
    return below + c + d + e + f + (int64_t)(y + z + u + v + w);
}

static int64_t guarded_dive(void *arg)
{
    return dive((intptr_t)arg, 0.5, 3, 4);
}

static int64_t guarded_twice(void *arg)
{
    int64_t inner = cos_arch_guard(arg, guarded_return, &inner_guard);
    COS_ASSERT(inner == 2 * (intptr_t)arg);
    inner = cos_arch_guard((void *)20, guarded_dive, &inner_guard); /* leaves both */
    return inner + 1;
}

static __attribute__((noinline)) void check_guard(int64_t (*fn)(void *), intptr_t n, int64_t want,
                                                  volatile int64_t *in, volatile double *real)
{
    /* More values than registers, alive over the call. */
    int64_t a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6], h = in[7];
    int64_t k = in[8], l = in[9], m = in[10], o = in[11];
    double p = real[0], q = real[1], r = real[2], s = real[3], t = real[4], u = real[5], v = real[6];
    int64_t got = cos_arch_guard((void *)n, fn, &outer_guard);
    COS_ASSERT(got == want);
    COS_ASSERT(a == 1 && b == 2 && c == 3 && d == 4 && e == 5 && f == 6 && g == 7 && h == 8);
    COS_ASSERT(k == 9 && l == 10 && m == 11 && o == 12);
    COS_ASSERT(p + q + r + s + t + u + v == 1 + 2 + 4 + 8 + 16 + 32 + 64);
}

static void test_guards(void)
{
    volatile int64_t in[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    volatile double real[7] = {1, 2, 4, 8, 16, 32, 64};
    for (int i = 0; i < 3; i++) {
        check_guard(guarded_return, 21, 42, in, real);
        check_guard(guarded_dive, i * 10, 77, in, real);
        check_guard(guarded_twice, 5, 77, in, real);
    }
}

/* ---- overflow: run as "arch_selftest overflow", which must die of SIGSEGV ---- */

static void describe(char *stack_hi, int fd)
{
    dprintf(fd, "%s\n", stack_hi == stack.hi ? "task: the victim" : "task: somebody else");
}

static __attribute__((noinline)) uint64_t devour(uint64_t level)
{
    volatile char frame[512];
    frame[level % sizeof frame] = (char)level;
    uint64_t below = level == UINT64_MAX ? 0 : devour(level + 1);
    return below + (uint64_t)frame[level % sizeof frame];
}

static COS_SWITCHES void overflow_entry(void *message)
{
    uint64_t sum = devour((uintptr_t)message);
    cos_context_switch_final(&fiber, &home, (void *)(uintptr_t)sum);
}

static COS_SWITCHES void overflow(void)
{
    struct cos_overflow_thread thread;
    COS_ASSERT(cos_overflow_thread_init(&thread) == 0);
    COS_ASSERT(cos_overflow_install(describe) == 0);
    begin(overflow_entry);
    (void)cos_context_switch(&home, &fiber, NULL);
}

int main(int argc, char **argv)
{
    cos_stack_cache_init(&cache);
    if (argc > 1 && strcmp(argv[1], "overflow") == 0) {
        overflow();
        return EXIT_FAILURE;
    }
    test_messages();
    test_registers();
    test_fpenv();
    test_call_and_migration();
    test_guards();
    test_stacks();
    test_lock_futex_fence();
    static const char *const names[] = {"none", "madvise", "mprotect", "canary"};
    struct cos_stack_stats stats;
    cos_stack_stats(&stats);
    COS_ASSERT(stats.in_use == 0);
    cos_stack_cache_fini(&cache);
    COS_ASSERT(cos_stack_shutdown() == 0);
    printf("arch_selftest: passed; guards by %s\n", names[stats.guard]);
    return EXIT_SUCCESS;
}
