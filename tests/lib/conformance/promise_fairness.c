/* Nobody waits longer than a bound that is counted in slices (runs of a task between two suspensions), whatever the others
 * do: yield for ever, hand over to each other directly, or come from outside. */
#define RUN_HELP COSCHED_HELP_OFF
#include "promise.h"
#include "sched/runtime.h"

static atomic_bool enough;
static atomic_int greedy;

static int64_t yields(void *arg)
{
    atomic_fetch_add(&greedy, 1);
    while (!enough) {
        cosched_yield();
    }
    return run_return(arg);
}

enum { GREEDY = 10 };

static void greedy_begin(cosched_task *t, cosched_affinity place)
{
    enough = false;
    greedy = 0;
    for (int i = 0; i < GREEDY; i++) {
        t[i] = run_spawn(yields, NULL, place);
    }
    UNTIL(greedy == GREEDY);
}

static void greedy_end(cosched_task *t)
{
    enough = true;
    for (int i = 0; i < GREEDY; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
}

/* --- MAIN --------------------------------------------------------------------------------------------------------------- */

static uint64_t started_at;

static int64_t notes_start(void *arg)
{
    started_at = run_stats().main_slices;
    return run_return(arg);
}

/* What becomes ready stands behind those that are, each of which has one slice. */
PROMISE(on_main_a_task_waits_one_slice_of_each_that_is_ready)
{
    cosched_task t[GREEDY];
    greedy_begin(t, COSCHED_MAIN);
    for (int i = 0; i < 200; i++) {
        uint64_t ready_at = run_stats().main_slices;
        cosched_task late = run_spawn(notes_start, NULL, COSCHED_MAIN);
        EXPECT_EQ(cosched_await(&late, NULL, LATEST), 0); /* parked: it takes its turn in line */
        EXPECT(started_at - ready_at <= GREEDY + 1);
    }
    greedy_end(t);
}

struct pair {
    cosched_chan *there, *back;
};

static int64_t answers(void *arg)
{
    struct pair *p = arg;
    char v;
    while (cosched_chan_recv(p->there, &v, COSCHED_NEVER) == 0) {
        EXPECT_EQ(cosched_chan_send(p->back, &v, COSCHED_NEVER), 0);
    }
    return 0;
}

static int64_t asks(void *arg)
{
    struct pair *p = arg;
    char v = 1;
    atomic_fetch_add(&greedy, 1);
    while (!enough) {
        EXPECT_EQ(cosched_chan_send(p->there, &v, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_chan_recv(p->back, &v, COSCHED_NEVER), 0);
        /* and a child whose end hands over to us directly */
        cosched_task kid = run_spawn(run_return, NULL, COSCHED_INHERIT);
        EXPECT_EQ(cosched_await(&kid, NULL, LATEST), 0);
    }
    cosched_chan_close(p->there);
    return 0;
}

/* Two that always hand over to each other: the third has its turn, within the budget of direct transfers. */
PROMISE(direct_transfers_share_a_budget)
{
    struct pair p;
    enough = false;
    greedy = 0;
    EXPECT_EQ(cosched_chan_create(&p.there, 1, 0), 0);
    EXPECT_EQ(cosched_chan_create(&p.back, 1, 0), 0);
    cosched_task b = run_spawn(answers, &p, COSCHED_MAIN);
    cosched_task a = run_spawn(asks, &p, COSCHED_MAIN);
    UNTIL(greedy == 1);
    for (int i = 0; i < 300; i++) {
        uint64_t left_at = run_stats().main_slices;
        cosched_yield();
        EXPECT(run_stats().main_slices - left_at <= COS_EXEC_BUDGET);
    }
    enough = true;
    EXPECT_EQ(run_join(a), 0);
    EXPECT_EQ(run_join(b), 0);
    cosched_chan_unref(p.there);
    cosched_chan_unref(p.back);
}

/* MAIN looks at the inbox, at timers and at I/O though its own tasks are always ready. */
static int64_t through_everything(void *arg)
{
    EXPECT_EQ(cosched_sleep_until(cosched_in_ns(MS)), 0);   /* a timer */
    EXPECT_EQ(cosched_blocking(NULL, run_return, NULL), 0); /* the inbox */
    cosched_hop(COSCHED_WORKER);
    cosched_hop(COSCHED_MAIN);
    return run_return(arg);
}

PROMISE(main_polls_fires_timers_and_takes_posts_beside_tasks_that_are_always_ready)
{
    cosched_task t[GREEDY];
    greedy_begin(t, COSCHED_MAIN);
    uint64_t polls = run_stats().main_polls;
    for (intptr_t i = 0; i < 5; i++) {
        EXPECT_EQ(run_join(run_spawn(through_everything, (void *)i, COSCHED_MAIN)), i);
    }
    UNTIL(run_stats().main_polls > polls + 3);
    greedy_end(t);
}

/* However long a slice takes, MAIN's poll has its turn after it: slices are not handed on to each other without a look. The
 * first turns are longer, until it is known what a slice takes. */
static int64_t computes_long(void *arg)
{
    atomic_fetch_add(&greedy, 1);
    while (!enough) {
        int64_t end = cosched_in_ns(MS / 2);
        while (cosched_now() < end) {
        }
        cosched_yield();
    }
    return run_return(arg);
}

PROMISE(main_polls_after_each_slice_that_takes_long)
{
    cosched_task t[GREEDY];
    enough = false;
    greedy = 0;
    for (int i = 0; i < GREEDY; i++) {
        t[i] = run_spawn(computes_long, NULL, COSCHED_MAIN);
    }
    UNTIL(greedy == GREEDY);
    uint64_t from = run_stats().main_slices;
    UNTIL(run_stats().main_slices > from + COS_EXEC_BUDGET);
    cosched_stats before = run_stats();
    UNTIL(run_stats().main_slices > before.main_slices + 44);
    cosched_stats after = run_stats();
    /* one slice in eleven is ours, and short */
    EXPECT(after.main_polls - before.main_polls >= (after.main_slices - before.main_slices) / 2);
    greedy_end(t);
}

/* --- WORKER --------------------------------------------------------------------------------------------------------------- */

static uint64_t worker_slices(void)
{
    cosched_stats s = run_stats();
    uint64_t sum = 0;
    for (uint32_t i = 0; i < s.workers; i++) {
        sum += s.worker[i].slices;
    }
    return s.workers == 0 ? s.main_slices : sum;
}

static int64_t counts_slices(void *arg)
{
    (void)arg;
    return (int64_t)worker_slices();
}

/* One worker is free, and kept busy by tasks that yield for ever. What comes from elsewhere is looked at once a budget. The
 * count begins when the task stands in line already: the wait may be longer than what is measured, never shorter. */
PROMISE(on_a_worker_what_comes_from_elsewhere_waits_one_budget)
{
    cosched_task t[GREEDY];
    struct promise_hogs hogs;
    promise_hogs_begin(&hogs, 1);
    greedy_begin(t, COSCHED_WORKER);
    for (int i = 0; i < 100; i++) {
        cosched_task late = run_spawn(counts_slices, NULL, COSCHED_WORKER);
        int64_t in_line_at = (int64_t)worker_slices(), ran_at = 0;
        EXPECT_EQ(cosched_await(&late, &ran_at, LATEST), 0);
        EXPECT(ran_at - in_line_at <= COS_EXEC_BUDGET + 1);
    }
    greedy_end(t);
    promise_hogs_end(&hogs);
}

/* What MAIN had in its hands and gives back (cosched_help) goes before that line, and costs it one slice. */
PROMISE(on_a_worker_what_main_gives_back_costs_the_others_one_slice)
{
    cosched_task t[GREEDY];
    struct promise_hogs hogs;
    struct cosched_runtime *rt = cosched_runtime_self();
    promise_hogs_begin(&hogs, 1);
    greedy_begin(t, COSCHED_WORKER);
    for (int given_back = 0; given_back < 50 && run_stats().workers > 0;) {
        int64_t ran_at = 0;
        cosched_task first = run_spawn(run_return, NULL, COSCHED_WORKER);
        uint32_t taken = cos_injector_pop(&rt->injector); /* unless the worker was faster */
        cosched_task late = run_spawn(counts_slices, NULL, COSCHED_WORKER);
        cos_atomic_store(&rt->help.front, taken, release); /* the partner is cos_help_front */
        int64_t in_line_at = (int64_t)worker_slices();
        EXPECT_EQ(cosched_await(&late, &ran_at, LATEST), 0);
        EXPECT(ran_at - in_line_at <= COS_EXEC_BUDGET + 2);
        EXPECT_EQ(run_join(first), 0);
        given_back += taken != 0 ? 1 : 0;
    }
    greedy_end(t);
    promise_hogs_end(&hogs);
}

static int64_t spawns_among_the_greedy(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        int64_t ran_at = 0, ready_at = (int64_t)worker_slices();
        cosched_task late = run_spawn(counts_slices, NULL, COSCHED_WORKER);
        EXPECT_EQ(cosched_await(&late, &ran_at, LATEST), 0);
        EXPECT(ran_at - ready_at <= GREEDY + 1);
    }
    return 0;
}

PROMISE(on_a_worker_a_task_waits_one_slice_of_each_that_is_ready)
{
    cosched_task t[GREEDY];
    struct promise_hogs hogs;
    promise_hogs_begin(&hogs, 1);
    greedy_begin(t, COSCHED_WORKER);
    EXPECT_EQ(run_join(run_spawn(spawns_among_the_greedy, NULL, COSCHED_WORKER)), 0);
    greedy_end(t);
    promise_hogs_end(&hogs);
}

PROMISE(a_worker_looks_elsewhere_after_slices_that_take_long)
{
    cosched_task t[GREEDY];
    struct promise_hogs hogs;
    promise_hogs_begin(&hogs, 1);
    enough = false;
    greedy = 0;
    for (int i = 0; i < GREEDY; i++) {
        t[i] = run_spawn(computes_long, NULL, COSCHED_WORKER);
    }
    UNTIL(greedy == GREEDY);
    uint64_t from = worker_slices();
    WAIT_UNTIL(worker_slices() > from + COS_EXEC_BUDGET);
    for (int i = 0; i < 5; i++) {
        cosched_task late = run_spawn(counts_slices, NULL, COSCHED_WORKER);
        int64_t in_line_at = (int64_t)worker_slices(), ran_at = 0;
        EXPECT_EQ(cosched_await(&late, &ran_at, LATEST), 0);
        EXPECT(ran_at - in_line_at <= GREEDY + 1); /* with 0 workers it stands behind them */
    }
    greedy_end(t);
    promise_hogs_end(&hogs);
}

PROMISE_MAIN("promise_fairness", ALL(on_main_a_task_waits_one_slice_of_each_that_is_ready),
             ALL(direct_transfers_share_a_budget),
             ALL(main_polls_fires_timers_and_takes_posts_beside_tasks_that_are_always_ready),
             ALL(main_polls_after_each_slice_that_takes_long),
             ALL(a_worker_looks_elsewhere_after_slices_that_take_long),
             ALL(on_a_worker_what_comes_from_elsewhere_waits_one_budget),
             ALL(on_a_worker_what_main_gives_back_costs_the_others_one_slice),
             ALL(on_a_worker_a_task_waits_one_slice_of_each_that_is_ready))
