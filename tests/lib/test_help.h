/* What the tests of helping share. The workers are held by tasks that spin on a gate, so whatever runs meanwhile runs on
 * MAIN. */
#ifndef TEST_HELP_H
#define TEST_HELP_H
#include "base/clock.h"
#include "run.h"
#include "sched/help.h"
#include "sched/runtime.h"

enum { HOGS_MAX = 8 };

static pthread_t main_thread;
static atomic_bool gate;
static atomic_uint held;
static cosched_task hogs[HOGS_MAX];

static inline struct cos_help *help(void)
{
    return &cosched_runtime_self()->help;
}

static inline uint64_t helped(void)
{
    return run_stats().main_helped;
}

/* Keeps the thread it runs on. */
static inline int64_t hog(void *arg)
{
    held++;
    UNTIL_SPIN(gate);
    return run_return(arg);
}

static inline cosched_attr worker_with(uint32_t flags)
{
    return (cosched_attr){
        .struct_size = sizeof(cosched_attr), .affinity = COSCHED_WORKER, .flags = flags};
}

static inline cosched_task spawn_with(cosched_fn fn, void *arg, uint32_t flags)
{
    cosched_attr a = worker_with(flags);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, fn, arg, &a), 0);
    return t;
}

static inline void hold_workers(void)
{
    main_thread = run_thread();
    gate = false;
    held = 0;
    uint32_t n = run_stats().workers;
    for (uint32_t i = 0; i < n; i++) {
        hogs[i] = spawn_with(hog, NULL, COSCHED_NO_HELP);
    }
    UNTIL(held == n);
}

static inline void release_workers(void)
{
    gate = true;
    uint32_t n = run_stats().workers;
    for (uint32_t i = 0; i < n; i++) {
        EXPECT_EQ(run_join(hogs[i]), 0);
    }
}

/* As if the workers had measured it. */
static inline void teach(cosched_fn fn, int64_t ns)
{
    for (int i = 0; i < COS_HELP_SEEN; i++) {
        cos_help_learn(help(), fn, ns, false);
    }
}

static inline void forget(void)
{
    for (size_t i = 0; i < sizeof help()->cost / sizeof help()->cost[0]; i++) {
        cos_atomic_store(&help()->cost[i], 0, relaxed);
    }
}

/* MAIN has nothing to do, many times over. */
static inline void let_main_poll(void)
{
    uint64_t polls = run_stats().main_polls;
    while (run_stats().main_polls < polls + 20) {
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
    }
}

static atomic_int started, on_main;

static inline int64_t brief(void *arg)
{
    started++;
    on_main += pthread_equal(run_thread(), main_thread) ? 1 : 0;
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    return run_return(arg);
}

static inline void reset(void)
{
    started = on_main = 0;
}

/* As the MAIN task of a runtime with n > 0 workers and this kind of help. */
static inline void with_help(int workers, cosched_help kind, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .main_help = kind};
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

static const int some_workers[] = {1, 2, 4, 8};

#define HELPED(kind, name)                              \
    static void name##_body(void);                      \
    static int64_t name##_task(void *arg)               \
    {                                                   \
        (void)arg;                                      \
        reset();                                        \
        name##_body();                                  \
        return 0;                                       \
    }                                                   \
    START_TEST(name)                                    \
    {                                                   \
        with_help(some_workers[_i], kind, name##_task); \
    }                                                   \
    END_TEST                                            \
    static void name##_body(void)
#define SOME(name) \
    {              \
        name, 4    \
    }

enum { BRIEF = 20 };

static inline void expect_left_alone(cosched_fn fn, uint32_t flags)
{
    uint64_t before = helped();
    hold_workers();
    cosched_task t = spawn_with(fn, (void *)3, flags);
    let_main_poll();
    EXPECT_EQ(started, 0);
    release_workers();
    EXPECT_EQ(run_join(t), 3);
    EXPECT_EQ(on_main, 0);
    EXPECT_EQ(helped(), before);
}

#endif
