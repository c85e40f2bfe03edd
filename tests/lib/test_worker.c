/* Workers: they find work wherever it is, sleep when there is none, and do not need each other. */
#include "base/rng.h"
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"
#include "sched/runtime.h"

static atomic_int inside;

/* Each keeps its worker until all are there: only if every worker found one does this end. */
static int64_t barrier(void *arg)
{
    atomic_fetch_add(&inside, 1);
    UNTIL_SPIN(inside == (int)(intptr_t)arg);
    return 0;
}

SCENARIO(work_made_on_main_reaches_every_worker)
{
    intptr_t n = (intptr_t)run_stats().workers;
    cosched_task t[8];
    inside = 0;
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(barrier, (void *)n, COSCHED_WORKER);
    }
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(inside, n);
}

static int64_t spawn_barriers(void *arg)
{
    intptr_t n = (intptr_t)arg;
    cosched_task t[8];
    inside = 0;
    for (int i = 1; i < n; i++) {
        t[i] = run_spawn(barrier, arg, COSCHED_WORKER);
    }
    barrier(arg); /* we keep ours: the others must be stolen from us */
    for (int i = 1; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    return 0;
}

SCENARIO_ON(run_workers[_i + 1], work_made_on_a_worker_is_stolen_by_the_others)
{
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(run_join(run_spawn(spawn_barriers, (void *)(intptr_t)run_stats().workers,
                                     COSCHED_WORKER)),
                  0);
    }
    EXPECT(run_stats().workers < 2 ||
           run_stats().worker[0].steals + run_stats().worker[1].steals > 0);
}

struct post {
    cosched_runtime *rt;
    intptr_t workers;
};

static void *post_barriers(void *arg)
{
    const struct post *p = arg;
    for (int i = 0; i < p->workers; i++) {
        EXPECT_EQ(cosched_runtime_post(p->rt, COSCHED_WORKER, barrier, (void *)p->workers, 0), 0);
    }
    return NULL;
}

SCENARIO_ON(run_workers[_i + 1], work_posted_from_outside_reaches_every_worker)
{
    struct post p = {cosched_runtime_self(), (intptr_t)run_stats().workers};
    for (int i = 0; i < 20; i++) {
        inside = 0;
        pthread_t t;
        EXPECT_EQ(pthread_create(&t, NULL, post_barriers, &p), 0);
        EXPECT_EQ(pthread_join(t, NULL), 0);
        UNTIL(inside == p.workers);
        UNTIL(run_stats().tasks_live == 1);
    }
}

static atomic_int bursts;

static uint64_t live_tasks(cosched_runtime *rt)
{
    cosched_stats s = {.struct_size = sizeof s};
    EXPECT_EQ(cosched_stats_get(rt, &s), 0);
    return s.tasks_live;
}

/* Each burst is as many tasks as there are workers, and ends only when every worker has one. */
static void *post_bursts(void *arg)
{
    const struct post *p = arg;
    uint64_t rng = 7;
    for (int i = 0; i < RUN_SIZE(1000, 400, 200); i++) {
        for (int n = 0; n < p->workers; n++) {
            for (volatile uint32_t pause = cos_rng_below(&rng, 1U << i % 12); pause > 0; pause--) {
                continue;
            }
            EXPECT_EQ(cosched_runtime_post(p->rt, COSCHED_WORKER, barrier, (void *)p->workers, 0),
                      0);
        }
        UNTIL_SPIN(inside == p->workers && live_tasks(p->rt) == 1);
        inside = 0;
    }
    bursts = 1;
    return NULL;
}

SCENARIO_ON(run_workers[_i + 1], bursts_that_come_while_workers_fall_asleep_reach_every_worker)
{
    struct post p = {cosched_runtime_self(), (intptr_t)run_stats().workers};
    pthread_t t;
    inside = bursts = 0;
    cos_atomic_store(&cos_runtime()->trim_at, INT64_MAX - 1, relaxed); /* as in a_post_meets … */
    EXPECT_EQ(pthread_create(&t, NULL, post_bursts, &p), 0);
    UNTIL(bursts != 0);
    EXPECT_EQ(pthread_join(t, NULL), 0);
}

static int64_t pass_on(void *arg)
{
    cosched_event **e = arg;
    EXPECT_EQ(cosched_event_wait(e[0], COSCHED_NEVER), 0);
    cosched_event_set(e[1]);
    return 0;
}

/* A single token among sleeping workers: each wake-up counts, none may be lost. */
SCENARIO(a_token_goes_round_and_no_wake_up_is_lost)
{
    enum { N = 16 };

    for (int round = 0; round < RUN_SIZE(200, 50, 30); round++) {
        cosched_event ev[N + 1];
        cosched_event *link[N][2];
        cosched_task t[N];
        for (int i = 0; i <= N; i++) {
            cosched_event_init(&ev[i]);
        }
        for (int i = 0; i < N; i++) {
            link[i][0] = &ev[i];
            link[i][1] = &ev[i + 1];
            t[i] = run_spawn(pass_on, link[i], (round + i) % 3 == 0 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        cosched_event_set(&ev[0]);
        EXPECT_EQ(cosched_event_wait(&ev[N], COSCHED_NEVER), 0);
        for (int i = 0; i < N; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
    }
}

static atomic_int posts_run;

static int64_t count_post(void *arg)
{
    (void)arg;
    atomic_fetch_add(&posts_run, 1);
    return 0;
}

struct poster {
    cosched_runtime *rt;
    cosched_event done;
};

/* One at a time, each some moment after the last one ran: many come while their executor is falling asleep. */
static void *post_at_every_moment(void *arg)
{
    struct poster *p = arg;
    uint64_t rng = 1;
    int n = RUN_SIZE(20000, 4000, 2000);
    for (int i = 0; i < n; i++) {
        for (volatile uint32_t pause = cos_rng_below(&rng, 4096); pause > 0; pause--) {
            continue;
        }
        cosched_affinity to = i < n / 2 ? COSCHED_MAIN : COSCHED_WORKER;
        EXPECT_EQ(cosched_runtime_post(p->rt, to, count_post, NULL, 0), 0);
        while (posts_run != i + 1) {
            cos_relax(); /* awake, so that the next one is not late */
        }
    }
    cosched_event_set(&p->done);
    return NULL;
}

SCENARIO(a_post_meets_every_moment_of_falling_asleep)
{
    struct poster p = {.rt = cosched_runtime_self()};
    pthread_t thread;
    posts_run = 0;
    cosched_event_init(&p.done);
    /* Nothing else may wake who overslept: idle stacks are not looked after meanwhile. */
    cos_atomic_store(&cos_runtime()->trim_at, INT64_MAX - 1, relaxed);
    EXPECT_EQ(pthread_create(&thread, NULL, post_at_every_moment, &p), 0);
    EXPECT_EQ(cosched_event_wait(&p.done, COSCHED_NEVER), 0);
    pthread_join(thread, NULL);
}

static int64_t fib(void *arg)
{
    intptr_t n = (intptr_t)arg;
    if (n < 2) {
        return n;
    }
    cosched_task t = run_spawn(fib, (void *)(n - 1), COSCHED_INHERIT);
    int64_t right = fib((void *)(n - 2));
    return run_join(t) + right;
}

SCENARIO(a_fork_join_tree_adds_up_with_thieves_about)
{
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(run_spawn(fib, (void *)(intptr_t)RUN_SIZE(22, 18, 15), COSCHED_WORKER)),
                  RUN_SIZE(17711, 2584, 610));
    }
    EXPECT_EQ(run_stats().tasks_live, 1);
}

RUN_MAIN("worker", EACH(work_made_on_main_reaches_every_worker),
         {work_made_on_a_worker_is_stolen_by_the_others, 4},
         {work_posted_from_outside_reaches_every_worker, 4},
         {bursts_that_come_while_workers_fall_asleep_reach_every_worker, 4},
         EACH(a_token_goes_round_and_no_wake_up_is_lost),
         EACH(a_post_meets_every_moment_of_falling_asleep),
         EACH(a_fork_join_tree_adds_up_with_thieves_about))
