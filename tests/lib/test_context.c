/* The context switch: what a flow finds when it starts, what it keeps, where it may go on. Every test owns its
 * stacks; threads are joined before the test ends; nothing depends on time. */
#include "test_context.h"

#include <pthread.h>
#include <sched.h>

#include "arch/fpenv.h"
#include "arch/switch_inline.h"
#include "inline_probe.h"

#if COS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

/* ---- start ---- */

uint64_t test_switch_keeping(struct cos_context *from, struct cos_context *to, void *message,
                             uint64_t seed);

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
