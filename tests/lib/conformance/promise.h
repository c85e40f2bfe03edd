/* What the tests of this folder share: each promise with 0, 1, 2, 4, 8 and 64 workers, sizes for every day and for the
 * full run (COSCHED_FULL=1), and the line with the suite's figures. README.md says which promise is which test. */
#ifndef CONFORMANCE_PROMISE_H
#define CONFORMANCE_PROMISE_H

#include <semaphore.h>

#include "base/rng.h"
#include "run.h"

static const int promise_workers[] = {0, 1, 2, 4, 8, 64};

enum { PROMISE_WORKERS = sizeof promise_workers / sizeof promise_workers[0] };

#define PROMISE(name) SCENARIO_ON(promise_workers[_i], name)
#define ALL(name)             \
    {                         \
        name, PROMISE_WORKERS \
    }

static uint64_t promise_seed; /* of this process; printed, and repeated by COSCHED_SEED */

static inline bool promise_full(void)
{
    return getenv("COSCHED_FULL") != NULL;
}

static inline int promise_size(int daily, int full)
{
    return promise_full() ? full : daily;
}

static inline int promise_suite(const char *name, const struct run_test *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, promise_full() ? 900 : 60);
    promise_seed = run_seed();
    const char *only = getenv("COSCHED_TEST");
    int named = 0;
    for (size_t i = 0; i < count; i++) {
        if (only == NULL || strcmp(only, tests[i].test->name) == 0) {
            tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].rounds);
            named++;
        }
    }
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    printf("FIGURES %s: tests %d, points %d, failed %d, workers 0 1 2 4 8 64%s\n", name, named,
           srunner_ntests_run(runner), failed, promise_full() ? ", in full" : "");
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define PROMISE_MAIN(name, ...)                                            \
    int main(void)                                                         \
    {                                                                      \
        const struct run_test tests[] = {__VA_ARGS__};                     \
        return promise_suite(name, tests, sizeof tests / sizeof tests[0]); \
    }

/* --- words ----------------------------------------------------------------------------------------------- */

#define MS     INT64_C(1000000) /* in nanoseconds */
#define HOUR   (3600 * 1000 * MS)
#define LATEST cosched_in_ms(600000) /* a deadline, so that an await parks; nothing waits for it */

static inline cosched_affinity promise_place(int64_t i)
{
    return i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

/* UNTIL for what takes its time: leaves the thread alone meanwhile. */
#define WAIT_UNTIL(cond)                                          \
    do {                                                          \
        while (!(cond)) {                                         \
            EXPECT_EQ(cosched_sleep_until(cosched_in_ns(MS)), 0); \
        }                                                         \
    } while (0)

/* What was detached has ended, too. */
static inline void promise_alone(void)
{
    for (int i = 0; i < 100 && run_stats().tasks_live > 1; i++) {
        cosched_yield();
    }
    WAIT_UNTIL(run_stats().tasks_live == 1);
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
}

/* Blocks the threads of all workers but `spare`, which a task must not do: what comes to WORKER meanwhile has to wait, or to
 * run on the spare ones. From MAIN. */
struct promise_hogs {
    sem_t reached, leave;
    uint32_t count;
    cosched_task task[COSCHED_WORKERS_MAX];
};

static inline int64_t promise_hog(void *arg)
{
    struct promise_hogs *h = arg;
    EXPECT_EQ(sem_post(&h->reached), 0);
    EXPECT_EQ(sem_wait(&h->leave), 0);
    return 0;
}

static inline void promise_hogs_begin(struct promise_hogs *h, uint32_t spare)
{
    uint32_t workers = run_stats().workers;
    EXPECT_EQ(sem_init(&h->reached, 0, 0), 0);
    EXPECT_EQ(sem_init(&h->leave, 0, 0), 0);
    h->count = workers > spare ? workers - spare : 0;
    cosched_attr held = {
        .struct_size = sizeof held, .affinity = COSCHED_WORKER, .flags = COSCHED_NO_HELP};
    for (uint32_t i = 0; i < h->count; i++) {
        EXPECT_EQ(cosched_spawn(&h->task[i], promise_hog, h, &held), 0);
        UNTIL(sem_trywait(&h->reached) == 0);
    }
}

static inline void promise_hogs_end(struct promise_hogs *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        EXPECT_EQ(sem_post(&h->leave), 0);
    }
    for (uint32_t i = 0; i < h->count; i++) {
        EXPECT_EQ(run_join(h->task[i]), 0);
    }
    EXPECT_EQ(sem_destroy(&h->reached), 0);
    EXPECT_EQ(sem_destroy(&h->leave), 0);
}

#endif
