/* Blocking calls, and the end of a runtime with everything still alive. */
#include "base/clock.h"
#include "run.h"
#include "sched/runtime.h"

#define MS COS_NS_PER_MS

static cosched_affinity side(uint64_t n)
{
    return n % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

/* --- blocking --------------------------------------------------------------------------------------------- */

static atomic_int ran;

static int64_t compute(void *arg)
{
    atomic_fetch_add(&ran, 1);
    EXPECT_EQ(cosched_sleep_until(COSCHED_NOW), -EPERM);
    sim_busy((int64_t)sim_below(2 * (uint64_t)MS));
    return run_return(arg);
}

static int64_t ask(void *arg)
{
    int64_t result = 0;
    int rc = cosched_blocking(&result, compute, arg);
    EXPECT(rc == 0 ? result == (intptr_t)arg : rc == -ECANCELED && result == 0);
    return rc == 0;
}

SCENARIO(blocking_calls_run_once_or_are_taken_back)
{
    sim_stalls(3 * MS);
    ran = 0;
    cosched_task t[4];
    for (intptr_t i = 0; i < 4; i++) {
        t[i] = run_spawn(ask, (void *)(i + 1), side(sim_below(2)));
    }
    for (int i = 0; i < 2; i++) {
        sim_busy((int64_t)sim_below((uint64_t)MS));
        cosched_cancel(t[sim_below(4)]);
    }
    int64_t answered = 0;
    for (int i = 0; i < 4; i++) {
        answered += run_join(t[i]);
    }
    EXPECT_EQ(answered, ran);
}

/* Often at the same moment, sometimes long before or after. */
static int64_t soon(void)
{
    return (int64_t)sim_below(sim_below(4) == 0 ? (uint64_t)MS : 1500);
}

enum { WAKES = 4 };

static int64_t on_a_thread_of_its_own(void *arg)
{
    cosched_event *events = arg;
    for (int i = 0; i < WAKES; i++) {
        sim_busy(soon());
        EXPECT_EQ(cosched_event_wait(&events[i], COSCHED_NEVER), 0);
    }
    return 11;
}

SCENARIO(a_task_with_its_own_thread_is_woken)
{
    cosched_event events[WAKES];
    for (int i = 0; i < WAKES; i++) {
        cosched_event_init(&events[i]);
    }
    sim_within(100 * MS);
    cosched_task t = run_spawn(on_a_thread_of_its_own, events, COSCHED_BLOCKING);
    for (int i = 0; i < WAKES; i++) {
        sim_busy(soon());
        cosched_event_set(&events[i]);
    }
    EXPECT_EQ(run_join(t), 11);
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static atomic_int cleaned;

static int64_t clean_up(void *arg)
{
    int64_t rc = 0;
    switch ((intptr_t)arg % 4) {
    case 0: rc = cosched_sleep_until(COSCHED_NEVER); break;
    case 1: rc = cosched_sleep_until(cosched_in_ms(5)); break;
    case 2:
        rc = cosched_call(NULL, side(sim_below(2)), run_until_canceled, NULL, COSCHED_NEVER);
        break;
    default: rc = cosched_blocking(NULL, compute, NULL); break;
    }
    EXPECT(rc == 0 || rc == -ECANCELED);
    cosched_hop(side(sim_below(2)));
    atomic_fetch_add(&cleaned, 1);
    return 0;
}

static int64_t leave_some(void *arg)
{
    int64_t ignored = run_return(arg);
    for (intptr_t i = 0; i < 6; i++) {
        EXPECT_EQ(cosched_spawn(NULL, clean_up, (void *)i, run_at(side(sim_below(2)))), 0);
    }
    return ignored;
}

static void stop_with(int workers, int64_t patience)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers, .blocking_max = 1};
    cosched_runtime *rt;
    cleaned = 0;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(cosched_runtime_post(rt, side(sim_below(2)), leave_some, NULL, 0), 0);
    if (sim_below(2) == 0) {
        cosched_runtime_run_expired(rt, MS);
    }
    int64_t t0 = cosched_now();
    int left = cosched_runtime_stop(rt, patience > 0 ? t0 + patience : COSCHED_NOW);
    EXPECT(left <= 7);
    EXPECT(patience == 0 || cosched_now() <= t0 + patience + 10 * MS);
    EXPECT_EQ(cosched_runtime_post(rt, COSCHED_MAIN, run_return, NULL, 0), -ESHUTDOWN);
    EXPECT_EQ(cleaned, 6);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

START_TEST(stop_at_once_cancels_and_waits_for_all)
{
    stop_with(run_workers[_i], 0);
}

END_TEST

START_TEST(stop_waits_until_its_deadline_then_cancels)
{
    stop_with(run_workers[_i], 20 * MS);
}

END_TEST

static void *post_until_refused(void *arg)
{
    int64_t *posted = arg;
    cosched_runtime *rt = cos_runtime();
    while (cosched_runtime_post(rt, side(sim_below(2)), clean_up, (void *)1, 0) == 0) {
        ++*posted;
        sim_busy((int64_t)sim_below(3000));
    }
    return NULL;
}

/* What was accepted runs, whatever stop does meanwhile. */
START_TEST(posts_are_accepted_and_run_or_refused)
{
    cosched_config config = {.struct_size = sizeof config, .workers = run_workers[_i]};
    cosched_runtime *rt;
    pthread_t thread;
    int64_t posted = 0;
    cleaned = 0;
    EXPECT_EQ(cosched_runtime_create(&rt, &config, NULL), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, post_until_refused, &posted), 0);
    sim_busy((int64_t)sim_below(10000));
    (void)cosched_runtime_stop(rt, COSCHED_NOW);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    EXPECT_EQ(cleaned, posted);
    EXPECT_EQ(cosched_runtime_destroy(rt), 0);
    run_left_nothing();
}

END_TEST

RUN_MAIN("stop", EACH(blocking_calls_run_once_or_are_taken_back),
         EACH(a_task_with_its_own_thread_is_woken), EACH(stop_at_once_cancels_and_waits_for_all),
         EACH(stop_waits_until_its_deadline_then_cancels),
         EACH(posts_are_accepted_and_run_or_refused))
