/* Bodies of tests inside a runtime, with 0, 1, 2, 4 and 8 workers, and what every run must leave behind: nothing.
 *
 * The assertions of check report each one that holds, too; here millions hold, on many threads, so EXPECT speaks only when
 * it fails. It may be used on any thread and inside tasks: the test's process ends there. */
#ifndef SUPPORT_RUN_H
#define SUPPORT_RUN_H

#include <cosched/cosched.h>

#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/stack.h"
#include "sched/task.h"

#if defined(__SANITIZE_THREAD__)
#define RUN_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RUN_TSAN 1
#endif
#endif
#ifndef RUN_TSAN
#define RUN_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RUN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RUN_ASAN 1
#endif
#endif
#ifndef RUN_ASAN
#define RUN_ASAN 0
#endif

/* Under the simulator (tests/support/sim/check.h says so) waiting in place lets virtual time pass. */
#ifdef RUN_SIM
#define RUN_PAUSE() sim_pause()
#else
#define RUN_SIM     0
#define RUN_PAUSE() ((void)0)
#endif

/* Whether MAIN helps the workers in scenarios. A test that says on which thread a WORKER task runs, or how many workers it keeps
 * busy, defines it as COSCHED_HELP_OFF before it includes this. */
#ifndef RUN_HELP
#define RUN_HELP COSCHED_HELP_IDLE
#endif

/* A count that is full size without a sanitizer and in real time. */
#define RUN_SIZE(plain, asan, tsan) (RUN_TSAN || RUN_SIM ? (tsan) : RUN_ASAN ? (asan) : (plain))

#define EXPECT(cond)    ((cond) ? (void)0 : ck_abort_msg("%s:%d: %s", __FILE__, __LINE__, #cond))
#define EXPECT_EQ(a, b) run_expect_eq((int64_t)(a), (int64_t)(b), #a " == " #b, __FILE__, __LINE__)

static inline void run_expect_eq(int64_t a, int64_t b, const char *text, const char *file, int line)
{
    if (a != b) {
        ck_abort_msg("%s:%d: %s: %" PRId64 " and %" PRId64, file, line, text, a, b);
    }
}

static int run_workers[] = {0, 1, 2, 4, 8}; /* COSCHED_WORKERS: one round, with so many */

enum { RUN_WORKERS = sizeof run_workers / sizeof run_workers[0] };

static inline void run_left_nothing(void)
{
    struct cos_stack_stats stacks;
    cos_stack_stats(&stacks);
    EXPECT_EQ(stacks.in_use, 0);
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

static inline int64_t run_config(const cosched_config *config, cosched_fn fn, void *arg)
{
    int64_t result = cosched_run(config, fn, arg);
    run_left_nothing();
    return result;
}

/* Before run.h: a file that says which thread a WORKER task is on has COSCHED_HELP_OFF, or MAIN may start one. */
#ifndef RUN_HELP
#define RUN_HELP COSCHED_HELP_IDLE
#endif

static inline void run_on(int workers, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .main_help = RUN_HELP};
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

/* A test whose body runs as the MAIN task of a runtime; listed with EACH (all numbers of workers) or, for SCENARIO_ON, ONCE. */
#define SCENARIO_ON(workers, name)        \
    static void name##_body(void);        \
    static int64_t name##_task(void *arg) \
    {                                     \
        (void)arg;                        \
        name##_body();                    \
        return 0;                         \
    }                                     \
    START_TEST(name)                      \
    {                                     \
        run_on(workers, name##_task);     \
    }                                     \
    END_TEST                              \
    static void name##_body(void)
#define SCENARIO(name) SCENARIO_ON(run_workers[_i], name)

struct run_test {
    const TTest *test;
    int rounds;
};

#define EACH(name)        \
    {                     \
        name, RUN_WORKERS \
    }
#define ONCE(name) \
    {              \
        name, 1    \
    }

static inline int run_suite(const char *name, const struct run_test *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    /* One scenario by name, and one of its rounds: for a debugger, and for the mutants. */
    const char *only = getenv("COSCHED_TEST");
    const char *round = getenv("COSCHED_ROUND");
    const char *workers = getenv("COSCHED_WORKERS");
    if (workers != NULL) {
        run_workers[0] = atoi(workers);
        round = "0";
    }
    for (size_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, tests[i].test->name) == 0) {
            int first = round != NULL ? atoi(round) : 0;
            int end = round != NULL && first < tests[i].rounds ? first + 1 : tests[i].rounds;
            tcase_add_loop_test(tcase, tests[i].test, first, end);
        }
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define RUN_MAIN(name, ...)                                            \
    int main(void)                                                     \
    {                                                                  \
        const struct run_test tests[] = {__VA_ARGS__};                 \
        return run_suite(name, tests, sizeof tests / sizeof tests[0]); \
    }

/* --- words that most scenarios use ------------------------------------------------------------------------- */

/* Waits for a condition that other tasks or threads bring about, without blocking this thread or choosing a time. */
#define UNTIL(cond)          \
    do {                     \
        while (!(cond)) {    \
            cosched_yield(); \
            RUN_PAUSE();     \
        }                    \
    } while (0)

/* The same for code that must keep its thread, or is no task. */
#define UNTIL_SPIN(cond)   \
    do {                   \
        while (!(cond)) {  \
            sched_yield(); \
            RUN_PAUSE();   \
        }                  \
    } while (0)

static inline const cosched_attr *run_at(cosched_affinity affinity)
{
    static const cosched_attr attrs[] = {
        {.struct_size = sizeof(cosched_attr)},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_MAIN},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_WORKER},
        {.struct_size = sizeof(cosched_attr), .affinity = COSCHED_BLOCKING, .flags = COSCHED_PINNED},
    };
    return &attrs[affinity];
}

static inline cosched_task run_spawn(cosched_fn fn, void *arg, cosched_affinity affinity)
{
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, fn, arg, run_at(affinity)), 0);
    return t;
}

/* The task's own result, once it has ended. */
static inline int64_t run_join(cosched_task t)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_await(&t, &result, COSCHED_NEVER), 0);
    return result;
}

/* Like pthread_self, which is declared const: a compiler may keep its value over a suspension. */
__attribute__((noinline, unused)) static pthread_t run_thread(void)
{
    __asm__ volatile("" ::: "memory");
    return pthread_self();
}

static inline cosched_stats run_stats(void)
{
    cosched_stats s = {.struct_size = sizeof s};
    EXPECT_EQ(cosched_stats_get(cosched_runtime_self(), &s), 0);
    return s;
}

static inline int64_t run_return(void *arg)
{
    return (int64_t)(intptr_t)arg;
}

/* Sleeps until it is cancelled. */
static inline int64_t run_until_canceled(void *arg)
{
    (void)arg;
    return cosched_sleep_until(COSCHED_NEVER);
}

static inline uint64_t run_seed(void)
{
    const char *text = getenv("COSCHED_SEED");
    uint64_t fresh = RUN_SIM ? 1 : (uint64_t)cosched_now(); /* the simulator varies runs itself */
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : fresh;
    seed = seed != 0 ? seed : 1;
    printf("COSCHED_SEED=%" PRIu64 "\n", seed);
    fflush(stdout);
    return seed;
}

#endif
