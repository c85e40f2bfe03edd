/* The context switch: what a flow finds when it starts, what it keeps, where it may go on. Every test owns its
 * stacks; threads are joined before the test ends; nothing depends on time. */
#include <check.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "arch/context.h"
#include "arch/fpenv.h"
#include "arch/stack.h"
#include "arch/switch_inline.h"
#include "base/atomic.h"
#include "inline_probe.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

uint64_t test_switch_keeping(struct cos_context *from, struct cos_context *to, void *message,
                             uint64_t seed);

static struct cos_stack_cache cache;

static struct cos_stack get_stack(size_t bytes)
{
    struct cos_stack stack;
    ck_assert_int_eq(cos_stack_get(&cache, bytes, &stack), 0);
    return stack;
}

static void setup(void)
{
    cos_stack_cache_init(&cache);
}

static void teardown(void)
{
    cos_stack_cache_fini(&cache);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
}

struct pair {
    struct cos_context home;
    struct cos_context fiber;
    uint64_t rounds;
    uint64_t seed;
    uintptr_t frame;
    uint64_t damaged;
    uint64_t sum;
    void *first_message;
};

/* ---- start ---- */

static COS_SWITCHES void note_alignment(void *message)
{
    struct pair *pair = message;
    pair->frame = (uintptr_t)__builtin_frame_address(0);
#if defined(__x86_64__)
    /* What a vectorised initialisation would do; faults when the stack is off by eight. */
    _Alignas(16) char block[16];
    __asm__ volatile("movaps %%xmm0, %0" : "=m"(block)::"memory");
#endif
    pair->first_message = message;
    cos_context_switch_final(&pair->fiber, &pair->home, pair);
}

START_TEST(entry_stack_is_aligned_whatever_the_top)
{
    struct cos_stack stack = get_stack(65536);
    for (size_t off = 0; off < 64; off++) {
        struct pair pair = {0};
        cos_context_init_thread(&pair.home);
        cos_context_make(&pair.fiber, stack.lo, stack.hi - off, note_alignment);
        ck_assert_ptr_eq(cos_context_switch(&pair.home, &pair.fiber, &pair), &pair);
        ck_assert_uint_eq(pair.frame % 16, 0);
        ck_assert_ptr_eq(pair.first_message, &pair);
        cos_context_fini(&pair.fiber);
    }
    cos_stack_put(&cache, &stack);
}

END_TEST

START_TEST(fini_accepts_null_and_zeroed)
{
    struct cos_context context = {0};
    cos_context_fini(NULL);
    cos_context_fini(&context);
    cos_context_init_thread(&context);
    cos_context_fini(&context);
}

END_TEST

/* ---- what survives ---- */

static COS_SWITCHES void keep_registers(void *message)
{
    struct pair *pair = message;
    for (uint64_t i = 0; i < pair->rounds; i++) {
        pair->damaged |=
            test_switch_keeping(&pair->fiber, &pair->home, NULL, UINT64_C(0x5150000000) + i * 97);
    }
    cos_context_switch_final(&pair->fiber, &pair->home, NULL);
}

/* Uses the bare assembly on both sides, so it is not for builds that must hear of each switch. */
START_TEST(callee_saved_registers_survive)
{
    if (COS_SANITIZED) {
        return;
    }
    struct cos_stack stack = get_stack(65536);
    struct pair pair = {.rounds = 1000};
    cos_context_init_thread(&pair.home);
    cos_context_make(&pair.fiber, stack.lo, stack.hi, keep_registers);
    (void)cos_context_switch(&pair.home, &pair.fiber, &pair);
    uint64_t damaged = 0;
    for (uint64_t i = 0; i < pair.rounds; i++) {
        damaged |=
            test_switch_keeping(&pair.home, &pair.fiber, NULL, UINT64_C(0xabcd00000000) + i * 89);
    }
    ck_assert_uint_eq(damaged, 0);
    ck_assert_uint_eq(pair.damaged, 0);
    cos_context_fini(&pair.fiber);
    cos_stack_put(&cache, &stack);
}

END_TEST

static COS_SWITCHES void echo(void *message)
{
    struct pair *pair = message;
    uintptr_t value = 0;
    for (uint64_t i = 0; i < pair->rounds; i++) {
        value = (uintptr_t)cos_context_switch(&pair->fiber, &pair->home, (void *)(value + 1));
    }
    cos_context_switch_final(&pair->fiber, &pair->home, (void *)(value + 1));
}

START_TEST(messages_pass_both_ways_a_million_times)
{
    uint64_t rounds = COS_SANITIZED ? 100000 : 1000000;
    struct cos_stack stack = get_stack(16384);
    struct pair pair = {.rounds = rounds};
    cos_context_init_thread(&pair.home);
    cos_context_make(&pair.fiber, stack.lo, stack.hi, echo);
    ck_assert_uint_eq((uintptr_t)cos_context_switch(&pair.home, &pair.fiber, &pair), 1);
    for (uintptr_t i = 1; i <= rounds; i++) {
        uintptr_t got = (uintptr_t)cos_context_switch(&pair.home, &pair.fiber, (void *)(i * 2));
        if (got != i * 2 + 1) {
            ck_abort_msg("round %zu answered %zu", (size_t)i, (size_t)got);
        }
    }
    cos_context_fini(&pair.fiber);
    cos_stack_put(&cache, &stack);
}

END_TEST

static double five_thirds(void)
{
    volatile double five = 5.0; /* rounded to nearest this one goes up */
    volatile double three = 3.0;
    volatile double quotient = five / three; /* here, not where it is used */
    return quotient;
}

static struct cos_fpenv towards_zero(void)
{
    struct cos_fpenv env;
    cos_arch_fpenv_save(&env);
#if defined(__x86_64__)
    env.mxcsr |= 0x6000;
    env.x87_control |= 0x0c00;
#else
    env.fpcr |= UINT64_C(3) << 22;
#endif
    return env;
}

static COS_SWITCHES void round_to_zero_and_leave(void *message)
{
    struct pair *pair = message;
    struct cos_fpenv env = towards_zero();
    cos_arch_fpenv_restore(&env);
    cos_context_switch_final(&pair->fiber, &pair->home, NULL);
}

START_TEST(fp_environment_travels_only_by_hand)
{
    double before = five_thirds();
    struct cos_fpenv mine;
    struct cos_fpenv theirs = towards_zero();
    cos_arch_fpenv_save(&mine);
    cos_arch_fpenv_restore(&theirs);
    bool honoured = five_thirds() < before; /* valgrind always rounds to nearest */
    cos_arch_fpenv_restore(&mine);
    ck_assert(five_thirds() == before);

    struct cos_stack stack = get_stack(16384);
    struct pair pair = {0};
    cos_context_init_thread(&pair.home);
    cos_context_make(&pair.fiber, stack.lo, stack.hi, round_to_zero_and_leave);
    (void)cos_context_switch(&pair.home, &pair.fiber, &pair);
    double under_theirs = five_thirds();
    cos_arch_fpenv_restore(&mine);
    double after = five_thirds();
    ck_assert(!honoured || under_theirs < before);
    ck_assert(after == before);
    cos_context_fini(&pair.fiber);
    cos_stack_put(&cache, &stack);
}

END_TEST

/* ---- the inline form ---- */

static void compare_forms(inline_probe_fn *probe)
{
    struct cos_stack stack = get_stack(65536);
    for (uint64_t rounds = 1; rounds <= 4096; rounds *= 8) {
        uint64_t plain = probe(stack.lo, stack.hi, 0, 0, rounds);
        ck_assert_uint_eq(probe(stack.lo, stack.hi, 1, 0, rounds), plain);
        ck_assert_uint_eq(probe(stack.lo, stack.hi, 0, 1, rounds), plain);
        ck_assert_uint_eq(probe(stack.lo, stack.hi, 1, 1, rounds), plain);
    }
    cos_stack_put(&cache, &stack);
}

START_TEST(inline_form_equals_plain_form)
{
    compare_forms(inline_probe_o0);
    compare_forms(inline_probe_o2);
    compare_forms(inline_probe_o3);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        compare_forms(inline_probe_avx2);
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
        compare_forms(inline_probe_avx512);
    }
#endif
}

END_TEST

/* ---- a flow belongs to no thread ---- */

struct nest;

struct traveller {
    struct cos_context fiber;
    struct cos_context *back; /* of the thread that runs it now */
    COS_ATOMIC(int)
    turn; /* release by the thread that let it go, acquire by the one that takes it */
    int threads;
    int rounds;
    int64_t steps;
    struct nest *nest;
};

static COS_SWITCHES void travel(void *message)
{
    struct traveller *traveller = message;
    int64_t local = 0;
    for (int i = 0; i < traveller->threads * traveller->rounds; i++) {
        local += i;
        traveller->steps++;
        (void)cos_context_switch(&traveller->fiber, traveller->back, NULL);
    }
    traveller->steps += local;
    cos_context_switch_final(&traveller->fiber, traveller->back, traveller);
}

struct ride {
    struct traveller *traveller;
    int number;
    bool saw_end;
};

static COS_SWITCHES void ride_in_turn(struct ride *ride, struct cos_context *home)
{
    struct traveller *traveller = ride->traveller;
    for (;;) {
        int turn;
        do {
            turn = cos_atomic_load(&traveller->turn, acquire);
            sched_yield();
        } while (turn >= 0 && turn % traveller->threads != ride->number);
        if (turn < 0) {
            return;
        }
        traveller->back = home;
        if (cos_context_switch(home, &traveller->fiber, traveller) != NULL) {
            ride->saw_end = true;
            cos_atomic_store(&traveller->turn, -1, release);
            return;
        }
        cos_atomic_store(&traveller->turn, turn + 1, release);
    }
}

static void *ride_thread(void *arg)
{
    struct cos_context home;
    cos_context_init_thread(&home);
    ride_in_turn(arg, &home);
    cos_context_fini(&home);
    return NULL;
}

static void run_riders(struct traveller *traveller, int threads)
{
    pthread_t ids[4];
    struct ride rides[4];
    traveller->threads = threads;
    for (int i = 0; i < threads; i++) {
        rides[i] = (struct ride){.traveller = traveller, .number = i};
        ck_assert_int_eq(pthread_create(&ids[i], NULL, ride_thread, &rides[i]), 0);
    }
    int ends = 0;
    for (int i = 0; i < threads; i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
        ends += rides[i].saw_end;
    }
    ck_assert_int_eq(ends, 1);
}

START_TEST(context_migrates_between_threads)
{
    struct cos_stack stack = get_stack(65536);
    for (int threads = 1; threads <= 4; threads++) {
        struct traveller traveller = {.rounds = 500};
        cos_context_make(&traveller.fiber, stack.lo, stack.hi, travel);
        run_riders(&traveller, threads);
        int64_t n = (int64_t)threads * traveller.rounds;
        ck_assert_int_eq(traveller.steps, n + n * (n - 1) / 2);
        cos_context_fini(&traveller.fiber);
    }
    cos_stack_put(&cache, &stack);
}

END_TEST

/* ---- calls onto a second stack ---- */

struct nest {
    struct cos_context *context;
    struct cos_context **back; /* NULL: never suspend */
    struct cos_stack *stacks;  /* ends with a zeroed one */
    int depth;
};

static COS_SWITCHES int64_t nest_in(void *arg)
{
    struct nest *nest = arg;
    int level = nest->depth++;
    volatile char frame[256]; /* something that must be here still afterwards */
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (char)(level + (int)i);
    }
    int64_t below = 0;
    if (nest->stacks[level].lo != NULL) {
        below = cos_context_call(nest->context, nest->stacks[level].lo, nest->stacks[level].hi,
                                 nest_in, nest);
    }
    if (nest->back != NULL) {
        (void)cos_context_switch(nest->context, *nest->back, NULL);
    }
    for (size_t i = 0; i < sizeof frame; i++) {
        if (frame[i] != (char)(level + (int)i)) {
            return -1;
        }
    }
    return below < 0 ? below : below + level;
}

#define NEST_DEPTH 1000

static struct cos_stack *get_stacks(int n)
{
    struct cos_stack *stacks = calloc((size_t)n + 1, sizeof *stacks);
    ck_assert_ptr_nonnull(stacks);
    for (int i = 0; i < n; i++) {
        stacks[i] = get_stack(16384);
    }
    return stacks;
}

static void put_stacks(struct cos_stack *stacks, int n)
{
    for (int i = 0; i < n; i++) {
        cos_stack_put(&cache, &stacks[i]);
    }
    free(stacks);
}

START_TEST(call_nests_a_thousand_stacks)
{
    struct cos_context self;
    cos_context_init_thread(&self);
    struct nest nest = {.context = &self, .stacks = get_stacks(NEST_DEPTH)};
    ck_assert_int_eq(nest_in(&nest), (int64_t)NEST_DEPTH * (NEST_DEPTH + 1) / 2);
    ck_assert_int_eq(nest.depth, NEST_DEPTH + 1);
    put_stacks(nest.stacks, NEST_DEPTH);
    cos_context_fini(&self);
}

END_TEST

static COS_SWITCHES void travel_nested(void *message)
{
    struct traveller *traveller = message;
    traveller->steps = nest_in(traveller->nest);
    cos_context_switch_final(&traveller->fiber, traveller->back, traveller);
}

START_TEST(call_is_resumed_and_returns_on_another_thread)
{
    struct cos_stack stack = get_stack(65536);
    for (int threads = 2; threads <= 3; threads++) {
        struct traveller traveller = {0};
        struct nest nest = {
            .context = &traveller.fiber, .back = &traveller.back, .stacks = get_stacks(NEST_DEPTH)};
        traveller.nest = &nest;
        cos_context_make(&traveller.fiber, stack.lo, stack.hi, travel_nested);
        run_riders(&traveller, threads);
        ck_assert_int_eq(nest.depth, NEST_DEPTH + 1);
        ck_assert_int_eq(traveller.steps, (int64_t)NEST_DEPTH * (NEST_DEPTH + 1) / 2);
        put_stacks(nest.stacks, NEST_DEPTH);
        cos_context_fini(&traveller.fiber);
    }
    cos_stack_put(&cache, &stack);
}

END_TEST

/* ---- back traces ---- */

#define FRAMES_MAX 64

struct trace {
    struct cos_context *context;
    struct cos_stack stack;
    void *callers[3]; /* return addresses that must all appear, innermost first */
    void *frames[FRAMES_MAX];
    int count;
};

static COS_SWITCHES int64_t take_trace(void *arg)
{
    struct trace *trace = arg;
    trace->callers[0] = __builtin_return_address(0);
    trace->count = backtrace(trace->frames, FRAMES_MAX);
    return trace->count;
}

static COS_SWITCHES int64_t call_over(struct trace *trace)
{
    trace->callers[1] = __builtin_return_address(0);
    int64_t result =
        cos_context_call(trace->context, trace->stack.lo, trace->stack.hi, take_trace, trace);
    return result + 1;
}

static COS_SWITCHES int64_t call_call_over(struct trace *trace)
{
    trace->callers[2] = __builtin_return_address(0);
    return call_over(trace) + 1;
}

static void check_trace(const struct trace *trace)
{
    int at = 0;
    for (int caller = 0; caller < 3; caller++) {
        while (at < trace->count && trace->frames[at] != trace->callers[caller]) {
            at++;
        }
        ck_assert_msg(at < trace->count, "caller %d is missing", caller);
    }
}

struct traced_fiber {
    struct cos_context home;
    struct cos_context fiber;
    struct trace trace;
};

static COS_SWITCHES void trace_from_entry(void *message)
{
    struct traced_fiber *traced = message;
    (void)call_call_over(&traced->trace);
    cos_context_switch_final(&traced->fiber, &traced->home, NULL);
}

START_TEST(backtrace_crosses_the_seam_and_ends_at_the_entry)
{
    struct cos_context self;
    cos_context_init_thread(&self);
    struct trace direct = {.context = &self, .stack = get_stack(65536)};
    ck_assert_int_gt(call_call_over(&direct), 3);
    check_trace(&direct);
    ck_assert_int_lt(direct.count, FRAMES_MAX);

    struct cos_stack stack = get_stack(65536);
    struct traced_fiber traced = {.trace = {.stack = direct.stack}};
    traced.trace.context = &traced.fiber;
    cos_context_init_thread(&traced.home);
    cos_context_make(&traced.fiber, stack.lo, stack.hi, trace_from_entry);
    (void)cos_context_switch(&traced.home, &traced.fiber, &traced);
    check_trace(&traced.trace);
    /* take_trace, [announced,] call, context_call, over, call_over, entry, trampoline: and nothing beyond */
    ck_assert_int_le(traced.trace.count, 12);
    cos_context_fini(&traced.fiber);
    cos_stack_put(&cache, &stack);
    cos_stack_put(&cache, &direct.stack);
}

END_TEST

/* ---- what a suspended flow holds is no leak ---- */

#if COS_ASAN
static COS_SWITCHES void hold_memory(void *message)
{
    struct pair *pair = message;
    char *volatile held = malloc(1234); /* known to this stack only */
    (void)cos_context_switch(&pair->fiber, &pair->home, NULL);
    free(held);
    cos_context_switch_final(&pair->fiber, &pair->home, NULL);
}

START_TEST(leak_checker_scans_suspended_stacks)
{
    if (__asan_get_current_fake_stack() != NULL) {
        return; /* locals are in fake frames then, and nobody scans those of a suspended flow */
    }
    struct cos_stack stack = get_stack(65536);
    struct pair pair = {0};
    cos_context_init_thread(&pair.home);
    cos_context_make(&pair.fiber, stack.lo, stack.hi, hold_memory);
    (void)cos_context_switch(&pair.home, &pair.fiber, &pair);
    ck_assert_int_eq(__lsan_do_recoverable_leak_check(), 0);
    (void)cos_context_switch(&pair.home, &pair.fiber, NULL);
    cos_context_fini(&pair.fiber);
    cos_stack_put(&cache, &stack);
}

END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("context");
    TCase *tcase = tcase_create("context");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, entry_stack_is_aligned_whatever_the_top);
    tcase_add_test(tcase, fini_accepts_null_and_zeroed);
    tcase_add_test(tcase, callee_saved_registers_survive);
    tcase_add_test(tcase, messages_pass_both_ways_a_million_times);
    tcase_add_test(tcase, fp_environment_travels_only_by_hand);
    tcase_add_test(tcase, inline_form_equals_plain_form);
    tcase_add_test(tcase, context_migrates_between_threads);
    tcase_add_test(tcase, call_nests_a_thousand_stacks);
    tcase_add_test(tcase, call_is_resumed_and_returns_on_another_thread);
    tcase_add_test(tcase, backtrace_crosses_the_seam_and_ends_at_the_entry);
#if COS_ASAN
    tcase_add_test(tcase, leak_checker_scans_suspended_stacks);
#endif
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
