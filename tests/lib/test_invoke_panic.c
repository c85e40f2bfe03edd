/* cosched_invoke and failure: a panic in a branch is one of its caller, whoever runs it; trees in which whatever meets whatever. */
#include "base/rng.h"
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"

struct meeting {
    _Atomic(int) here, canceled;
};

static _Atomic(int) ended;

static int64_t count_end(void *arg)
{
    atomic_fetch_add(&ended, 1);
    return (int64_t)(intptr_t)arg;
}

/* Holds its worker until the other branch runs on another one. */
static int64_t keeps_its_worker(void *arg)
{
    struct meeting *m = arg;
    UNTIL_SPIN(m->here == 1);
    return 1;
}

static int64_t sleeps_for_ever(void *arg)
{
    struct meeting *m = arg;
    m->here = 1;
    int64_t rc = cosched_sleep_until(COSCHED_NEVER);
    m->canceled += rc == -ECANCELED ? 1 : 0;
    return rc;
}

static _Atomic(int) failures;

static void on_failed(void *data, const cosched_failure *failure)
{
    (void)data;
    EXPECT_EQ(failure->result, -ENOTRECOVERABLE);
    atomic_fetch_add(&failures, 1);
}

static void on_log(void *data, cosched_log_level level, const char *text)
{
    (void)data;
    (void)level;
    EXPECT(strstr(text, "panicked") != NULL);
}

static void run_hooked(int workers, cosched_fn fn)
{
    cosched_hooks hooks = {.struct_size = sizeof hooks, .log = on_log, .task_failed = on_failed};
    cosched_config config = {.struct_size = sizeof config,
                             .workers = workers,
                             .hooks = &hooks,
                             .main_help = COSCHED_HELP_OFF};
    failures = 0;
    EXPECT_EQ(run_config(&config, fn, NULL), 0);
}

static int64_t panics(void *arg)
{
    if (arg != NULL) {
        cosched_hop(COSCHED_WORKER);
    }
    cosched_panic("a branch fails");
}

static int64_t panics_between(void *arg)
{
    cosched_branch b[5] = {{.fn = count_end},
                           {.fn = count_end},
                           {.fn = panics, .arg = arg},
                           {.fn = count_end},
                           {.fn = count_end}};
    cosched_invoke(b, 5);
    ck_abort_msg("it returned");
}

static int64_t panics_below(void *arg)
{
    cosched_branch b[3] = {{.fn = panics_between, .arg = arg}, {.fn = count_end}, {.fn = count_end}};
    cosched_invoke(b, 3);
    ck_abort_msg("it returned");
}

/* On MAIN, where nobody takes any. */
static int64_t untaken(void *arg)
{
    (void)arg;
    ended = 0;
    EXPECT_EQ(run_join(run_spawn(panics_between, NULL, COSCHED_MAIN)), -ENOTRECOVERABLE);
    EXPECT_EQ(ended, 2);
    ended = 0;
    EXPECT_EQ(run_join(run_spawn(panics_below, NULL, COSCHED_MAIN)), -ENOTRECOVERABLE);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(failures, 2);
    for (cosched_affinity at = COSCHED_MAIN; at <= COSCHED_BLOCKING; at++) {
        EXPECT_EQ(run_join(run_spawn(panics_below, &ended, at)), -ENOTRECOVERABLE);
    }
    EXPECT_EQ(run_stats().tasks_live, 1);
    return 0;
}

START_TEST(a_panic_withdraws_the_branches_that_have_not_begun)
{
    run_hooked(run_workers[_i], untaken);
}

END_TEST

static int64_t panics_when_met(void *arg)
{
    struct meeting *m = arg;
    UNTIL_SPIN(m->here == 1);
    cosched_panic("the caller fails");
}

static int64_t panics_beside(void *arg)
{
    cosched_branch b[2] = {{.fn = panics_when_met, .arg = arg}, {.fn = sleeps_for_ever, .arg = arg}};
    cosched_invoke(b, 2);
    ck_abort_msg("it returned");
}

static int64_t panics_elsewhere(void *arg)
{
    struct meeting *m = arg;
    m->here = 1;
    cosched_panic("a branch fails elsewhere");
}

static int64_t joins_a_panic(void *arg)
{
    cosched_branch b[2] = {{.fn = keeps_its_worker, .arg = arg},
                           {.fn = panics_elsewhere, .arg = arg}};
    cosched_invoke(b, 2);
    ck_abort_msg("it returned");
}

static int64_t taken(void *arg)
{
    (void)arg;
    struct meeting m = {0};
    EXPECT_EQ(run_join(run_spawn(panics_beside, &m, COSCHED_WORKER)), -ENOTRECOVERABLE);
    EXPECT_EQ(m.canceled, 1);
    EXPECT_EQ(failures, 1);
    m.here = 0;
    EXPECT_EQ(run_join(run_spawn(joins_a_panic, &m, COSCHED_WORKER)), -ENOTRECOVERABLE);
    EXPECT_EQ(failures, 2); /* told once, by the branch */
    EXPECT_EQ(run_stats().tasks_live, 1);
    return 0;
}

START_TEST(a_panic_reaches_over_to_branches_that_others_run_and_back)
{
    run_hooked(2 << _i, taken);
}

END_TEST

/* Trees in which every so often a leaf fails, a caller is cancelled, or both suspend: whatever meets whatever. */
static int64_t wild(void *arg)
{
    uint64_t rng = (uint64_t)(uintptr_t)arg | 1;
    unsigned depth = (unsigned)(uintptr_t)arg % 8;
    unsigned what = cos_rng_below(&rng, 40);
    if (what == 0) {
        cosched_panic("a leaf fails");
    } else if (what == 1) {
        cosched_cancel(cosched_self());
    } else if (what < 6) {
        cosched_yield();
    }
    if (depth == 0) {
        return 1;
    }
    cosched_branch b[4];
    size_t n = 1 + cos_rng_below(&rng, 4);
    for (size_t i = 0; i < n; i++) {
        void *below = (void *)(uintptr_t)((cos_rng_next(&rng) >> 8 & ~UINT64_C(7)) | (depth - 1));
        b[i] = (cosched_branch){.fn = wild, .arg = below};
    }
    int rc = cosched_invoke(b, n);
    EXPECT(rc == 0 || rc == -ECANCELED);
    return rc;
}

static int64_t wild_trees(void *arg)
{
    (void)arg;
    uint64_t rng = run_seed();
    for (int i = 0; i < RUN_SIZE(400, 150, 60); i++) {
        cosched_task t[3];
        for (int k = 0; k < 3; k++) {
            void *seed = (void *)(uintptr_t)((cos_rng_next(&rng) >> 8 & ~UINT64_C(7)) | 6);
            t[k] = run_spawn(wild, seed, k == 0 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        for (int k = 0; k < 3; k++) {
            (void)run_join(t[k]);
        }
    }
    cosched_stats s = run_stats();
    EXPECT_EQ(s.tasks_live, 1);
    EXPECT_EQ(s.spawned, s.completed + s.tasks_live);
    return 0;
}

START_TEST(trees_with_panics_and_cancels_leave_nothing)
{
    run_hooked(run_workers[_i], wild_trees);
}

END_TEST

RUN_MAIN("invoke_panic", EACH(a_panic_withdraws_the_branches_that_have_not_begun),
         {a_panic_reaches_over_to_branches_that_others_run_and_back, 3},
         EACH(trees_with_panics_and_cancels_leave_nothing))
