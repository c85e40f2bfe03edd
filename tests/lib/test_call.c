/* cosched_call, _yield, _tail: going elsewhere and coming back, and the bodies that follow one another. */
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"

static pthread_t main_thread;

static int64_t on_worker(void *arg)
{
    EXPECT_EQ(cosched_where(), COSCHED_WORKER);
    return run_return(arg) + 1;
}

static int64_t on_main(void *arg)
{
    EXPECT_EQ(cosched_where(), COSCHED_MAIN);
    EXPECT(pthread_equal(run_thread(), main_thread));
    return run_return(arg) + 1;
}

SCENARIO(call_goes_to_a_worker_and_comes_back)
{
    main_thread = run_thread();
    cosched_task self = cosched_self();
    for (intptr_t i = 0; i < 200; i++) {
        int64_t result = 0;
        EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, on_worker, (void *)i, COSCHED_NEVER), 0);
        EXPECT_EQ(result, i + 1);
        EXPECT_EQ(cosched_where(), COSCHED_MAIN);
        EXPECT(pthread_equal(run_thread(), main_thread));
    }
    EXPECT_EQ(cosched_self().index, self.index);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, on_worker, NULL, COSCHED_NEVER), 0);
}

static atomic_bool gate_open, gate_reached;

/* Keeps the thread it runs on, which a task must not do: here it makes an executor busy for as long as a test needs. */
static int64_t hog(void *arg)
{
    (void)arg;
    gate_reached = true;
    UNTIL_SPIN(gate_open);
    return 0;
}

static int64_t thread_differs(void *arg)
{
    (void)arg;
    return !pthread_equal(run_thread(), main_thread);
}

SCENARIO(worker_code_runs_on_another_thread_if_there_is_one)
{
    main_thread = run_thread();
    int64_t differs = -1;
    EXPECT_EQ(cosched_call(&differs, COSCHED_WORKER, thread_differs, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(differs, run_stats().workers > 0);
}

struct trip {
    int left;
    int64_t sum;
};

static int64_t alternate(void *arg)
{
    struct trip *t = arg;
    cosched_affinity here = cosched_where();
    EXPECT((here == COSCHED_MAIN) == (t->left % 2 == 0));
    if (here == COSCHED_MAIN) {
        EXPECT(pthread_equal(run_thread(), main_thread));
    }
    if (t->left-- == 0) {
        return 0;
    }
    int64_t below = 0;
    EXPECT_EQ(cosched_call(&below, here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN, alternate,
                           t, COSCHED_NEVER),
              0);
    EXPECT_EQ(cosched_where(), here);
    if (here == COSCHED_MAIN) {
        EXPECT(pthread_equal(run_thread(), main_thread));
    }
    return below + 1;
}

SCENARIO(nested_calls_alternate_between_main_and_workers_and_unwind_in_order)
{
    main_thread = run_thread();
    struct trip t = {.left = RUN_SIZE(2000, 500, 200)};
    int64_t depth = t.left;
    EXPECT_EQ(alternate(&t), depth);
}

SCENARIO(call_on_the_same_affinity_is_a_plain_call)
{
    main_thread = run_thread();
    cosched_stats before = run_stats();
    int64_t result = 0;
    EXPECT_EQ(cosched_call(&result, COSCHED_INHERIT, on_main, (void *)1, COSCHED_NOW), 0);
    EXPECT_EQ(result, 2);
    EXPECT_EQ(cosched_call(&result, COSCHED_MAIN, on_main, (void *)2, COSCHED_NOW), 0);
    EXPECT_EQ(result, 3);
    cosched_stats after = run_stats();
    EXPECT_EQ(after.hops_to_main + after.hops_to_worker,
              before.hops_to_main + before.hops_to_worker);
    EXPECT_EQ(after.main_slices, before.main_slices);
}

static atomic_int ran;

static int64_t count_run(void *arg)
{
    (void)arg;
    atomic_fetch_add(&ran, 1);
    return 0;
}

static int64_t expect_withdrawn(void *arg)
{
    cosched_affinity here = cosched_where();
    int64_t result = 55;
    int rc = cosched_call(&result, here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN, count_run,
                          NULL, (int64_t)(intptr_t)arg);
    EXPECT_EQ(result, 55);
    EXPECT_EQ(cosched_where(), here);
    return rc;
}

/* All workers busy: the way to them cannot succeed before the gate opens. */
static void hog_workers(cosched_task *hogs)
{
    uint32_t workers = run_stats().workers;
    for (uint32_t i = 0; i < workers; i++) {
        gate_reached = false;
        hogs[i] = run_spawn(hog, NULL, COSCHED_WORKER);
        UNTIL(gate_reached);
    }
}

static void release_workers(cosched_task *hogs)
{
    gate_open = true;
    uint32_t workers = run_stats().workers;
    for (uint32_t i = 0; i < workers; i++) {
        EXPECT_EQ(run_join(hogs[i]), 0);
    }
    gate_open = false;
}

SCENARIO_ON(_i == 0 ? 1 : 4, way_to_busy_workers_is_withdrawn_by_its_deadline)
{
    cosched_task hogs[8];
    hog_workers(hogs);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(expect_withdrawn((void *)(intptr_t)deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(expect_withdrawn((void *)(intptr_t)1), -ETIMEDOUT);
    release_workers(hogs);
    for (int i = 0; i < 100; i++) { /* what was withdrawn is passed over, not run late */
        EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), 0);
    }
    EXPECT_EQ(ran, 0);
}

static int64_t set_event(void *arg)
{
    cosched_event_set(arg);
    return 0;
}

SCENARIO_ON(_i == 0 ? 1 : 4, a_withdrawn_way_does_not_end_the_next_wait)
{
    pthread_t here = run_thread();
    for (int i = 0; i < 20; i++) {
        cosched_task hogs[8];
        cosched_event ev;
        cosched_event_init(&ev);
        hog_workers(hogs);
        EXPECT_EQ(expect_withdrawn((void *)(intptr_t)cosched_in_ns(100000)), -ETIMEDOUT);
        gate_open = true; /* what was withdrawn is found now, before the task that sets the event */
        cosched_task t = run_spawn(set_event, &ev, COSCHED_WORKER);
        EXPECT_EQ(cosched_event_wait(&ev, COSCHED_NEVER), 0);
        EXPECT(pthread_equal(run_thread(), here));
        EXPECT_EQ(run_join(t), 0);
        release_workers(hogs);
    }
}

SCENARIO_ON(_i == 0 ? 1 : 4, way_to_busy_workers_is_withdrawn_by_a_cancel)
{
    cosched_task hogs[8];
    hog_workers(hogs);
    for (int before = 0; before < 2; before++) {
        cosched_task t = run_spawn(expect_withdrawn, (void *)(intptr_t)COSCHED_NEVER, COSCHED_MAIN);
        if (!before) {
            cosched_yield(); /* it is under way: MAIN runs in order */
        }
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
    release_workers(hogs);
    EXPECT_EQ(cosched_call(NULL, COSCHED_WORKER, run_return, NULL, COSCHED_NEVER), 0);
    EXPECT_EQ(ran, 0);
}

SCENARIO_ON(_i == 0 ? 1 : 4, way_to_busy_main_is_withdrawn_by_deadline_and_cancel)
{
    cosched_task late =
        run_spawn(expect_withdrawn, (void *)(intptr_t)cosched_in_ms(1), COSCHED_WORKER);
    cosched_task t = run_spawn(expect_withdrawn, (void *)(intptr_t)COSCHED_NEVER, COSCHED_WORKER);
    /* MAIN is this thread, and it does not let go of it until both are withdrawn: its inbox is not looked at. */
    UNTIL_SPIN(run_stats().completed >= 1);
    cosched_cancel(t);
    UNTIL_SPIN(run_stats().completed >= 2);
    EXPECT_EQ(run_join(late), -ETIMEDOUT);
    EXPECT_EQ(run_join(t), -ECANCELED);
    for (int i = 0; i < 100; i++) {
        cosched_yield();
    }
    EXPECT_EQ(ran, 0);
}

static int64_t pinned_body(void *arg)
{
    (void)arg;
    cosched_affinity here = cosched_where();
    cosched_affinity there = here == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN;
    EXPECT_EQ(cosched_call(NULL, there, count_run, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_hop(there), here);
    EXPECT_EQ(cosched_where(), here);
    EXPECT_EQ(cosched_call(NULL, here, run_return, NULL, COSCHED_NEVER), 0);
    return 0;
}

SCENARIO(pinned_tasks_refuse_to_go)
{
    for (int affinity = COSCHED_MAIN; affinity <= COSCHED_BLOCKING; affinity++) {
        cosched_attr attr = *run_at((cosched_affinity)affinity);
        attr.flags = COSCHED_PINNED;
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, pinned_body, NULL, &attr), 0);
        EXPECT_EQ(run_join(t), 0);
    }
    EXPECT_EQ(ran, 0);
}

SCENARIO(call_to_nowhere_is_refused)
{
    EXPECT_EQ(cosched_call(NULL, COSCHED_BLOCKING, count_run, NULL, COSCHED_NEVER), -EINVAL);
    EXPECT_EQ(cosched_call(NULL, (cosched_affinity)9, count_run, NULL, COSCHED_NEVER), -EINVAL);
    EXPECT_EQ(ran, 0);
}

static atomic_int away;

static int64_t wait_away(void *arg)
{
    atomic_fetch_add(&away, 1);
    return run_until_canceled(arg);
}

static int64_t cancelled_while_away(void *arg)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_call(&result, COSCHED_WORKER, wait_away, arg, COSCHED_NEVER), 0);
    EXPECT_EQ(cosched_where(), COSCHED_MAIN); /* the way home cannot be withdrawn */
    EXPECT(pthread_equal(run_thread(), main_thread));
    EXPECT(cosched_cancelled());
    return result;
}

SCENARIO(cancelled_while_away_it_still_comes_home)
{
    main_thread = run_thread();
    for (int i = 0; i < 20; i++) {
        away = 0;
        cosched_task t = run_spawn(cancelled_while_away, NULL, COSCHED_MAIN);
        UNTIL(away == 1);
        cosched_cancel(t);
        EXPECT_EQ(run_join(t), -ECANCELED);
    }
}

static int64_t sleep_until_arg(void *arg)
{
    return cosched_sleep_until(*(int64_t *)arg);
}

SCENARIO(a_deadline_limits_only_the_way_there)
{
    int64_t deadline = cosched_in_ms(20), result = 0;
    int64_t later = deadline + 5000000;
    int rc = cosched_call(&result, COSCHED_WORKER, sleep_until_arg, &later, deadline);
    EXPECT(rc == 0 || rc == -ETIMEDOUT); /* the latter only when a worker had no time for so long */
    EXPECT(rc < 0 || (result == 0 && cosched_now() >= later));
}

/* --- yield ------------------------------------------------------------------------------------------------- */

static int turns[3];

static int64_t takes_turns(void *arg)
{
    int me = (int)(intptr_t)arg;
    for (int i = 0; i < 1000; i++) {
        turns[me]++;
        for (int other = 0; other < 3; other++) {
            EXPECT(abs(turns[me] - turns[other]) <= 1);
        }
        cosched_yield();
    }
    return 0;
}

SCENARIO(tasks_that_yield_take_turns)
{
    cosched_task t[3];
    for (intptr_t i = 0; i < 3; i++) {
        t[i] = run_spawn(takes_turns, (void *)i, COSCHED_MAIN);
    }
    for (int i = 0; i < 3; i++) {
        int64_t rc = 0;
        EXPECT_EQ(cosched_await(&t[i], &rc, cosched_in_ms(60000)), 0);
    }
    EXPECT(run_stats().yields >= 3000);
}

static atomic_int worker_turns;

static int64_t yields_until_seen(void *arg)
{
    UNTIL(atomic_load((atomic_int *)arg) > 0);
    return 0;
}

static int64_t bump(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return 0;
}

SCENARIO(a_yielding_task_does_not_starve_those_that_come_later)
{
    worker_turns = 0;
    cosched_task greedy[10];
    for (int i = 0; i < 10; i++) {
        greedy[i] = run_spawn(yields_until_seen, &worker_turns, COSCHED_WORKER);
    }
    cosched_task late = run_spawn(bump, &worker_turns, COSCHED_WORKER);
    UNTIL(atomic_load(&worker_turns) > 0); /* not idle: MAIN does not help it out */
    EXPECT_EQ(cosched_await(&late, NULL, cosched_in_ms(60000)), 0);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run_join(greedy[i]), 0);
    }
}

/* --- tail -------------------------------------------------------------------------------------------------- */

struct steps {
    int64_t left, done;
    uintptr_t lowest, highest;
};

static int64_t step(void *arg)
{
    struct steps *s = arg;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    s->lowest = here < s->lowest ? here : s->lowest;
    s->highest = here > s->highest ? here : s->highest;
    s->done++;
    return --s->left > 0 ? cosched_tail(step, s) : 1234;
}

static int64_t call_step(void *arg)
{
    int64_t result = 0;
    EXPECT_EQ(cosched_call(&result, COSCHED_INHERIT, step, arg, COSCHED_NEVER), 0);
    return result;
}

SCENARIO(ten_million_tail_steps_need_one_stack)
{
    int64_t n = RUN_SIZE(10000000, 1000000, 200000);

    static const struct {
        cosched_fn fn;
        cosched_affinity at;
    } ways[] = {{step, COSCHED_INHERIT},
                {step, COSCHED_WORKER},
                {call_step, COSCHED_WORKER},
                {step, COSCHED_BLOCKING}};

    for (size_t i = 0; i < 4; i++) {
        struct steps s = {.left = n, .lowest = UINTPTR_MAX};
        EXPECT_EQ(run_join(run_spawn(ways[i].fn, &s, ways[i].at)), 1234);
        EXPECT_EQ(s.done, n);
        EXPECT(s.highest - s.lowest < 512); /* the first is called from elsewhere */
    }
    EXPECT_EQ(run_stats().calls_stack_grown, 0);
}

START_TEST(outside_tasks_these_are_refused_or_plain)
{
    EXPECT_EQ(cosched_call(NULL, COSCHED_MAIN, run_return, NULL, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_tail(run_return, (void *)6), 6);
    EXPECT_EQ(cosched_hop(COSCHED_MAIN), COSCHED_INHERIT);
    cosched_yield();
    EXPECT_EQ(cosched_sleep_until(COSCHED_NOW), -EPERM);
}

END_TEST

RUN_MAIN("call", EACH(call_goes_to_a_worker_and_comes_back),
         EACH(worker_code_runs_on_another_thread_if_there_is_one),
         EACH(nested_calls_alternate_between_main_and_workers_and_unwind_in_order),
         EACH(call_on_the_same_affinity_is_a_plain_call),
         {way_to_busy_workers_is_withdrawn_by_its_deadline, 2},
         {a_withdrawn_way_does_not_end_the_next_wait, 2},
         {way_to_busy_workers_is_withdrawn_by_a_cancel, 2},
         {way_to_busy_main_is_withdrawn_by_deadline_and_cancel, 2}, EACH(pinned_tasks_refuse_to_go),
         EACH(call_to_nowhere_is_refused), EACH(cancelled_while_away_it_still_comes_home),
         EACH(a_deadline_limits_only_the_way_there), EACH(tasks_that_yield_take_turns),
         EACH(a_yielding_task_does_not_starve_those_that_come_later),
         EACH(ten_million_tail_steps_need_one_stack), ONCE(outside_tasks_these_are_refused_or_plain))
