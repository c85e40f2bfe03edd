/* Tokens: cancel before the start, during a run, from another thread and in storms; neither a token nor what it names needs
 * the other to live. (Validity, drop and move: test_token.) */
#include "promise.h"

static atomic_int runs, begun;
static cosched_event go;

static int64_t counts(void *arg)
{
    atomic_fetch_add(&runs, 1);
    return run_return(arg);
}

static int64_t waits_for_go(void *arg)
{
    atomic_fetch_add(&runs, 1);
    begun = 1;
    EXPECT_EQ(cosched_event_wait(&go, COSCHED_NEVER), 0); /* the cancel does not reach a run */
    EXPECT(!cosched_cancelled());
    return run_return(arg);
}

PROMISE(cancelled_before_its_start_it_never_runs)
{
    runs = 0;
    for (int i = 0; i < 50; i++) {
        cosched_token t, copy;
        EXPECT_EQ(cosched_after(&t, HOUR, counts, NULL, run_at(promise_place(i))), 0);
        copy = t;
        EXPECT(cosched_token_cancel(&t));
        EXPECT(!cosched_token_cancel(&copy)); /* one call has seen to it */
    }
    promise_alone();
    EXPECT_EQ(runs, 0);
}

PROMISE(cancelled_during_a_run_that_run_is_the_last_and_goes_on)
{
    for (int every = 0; every < 2; every++) {
        cosched_token t;
        runs = begun = 0;
        cosched_event_init(&go);
        EXPECT_EQ(
            every ? cosched_every(&t, 1, COSCHED_BURST, waits_for_go, NULL, run_at(COSCHED_WORKER))
                  : cosched_after(&t, 1, waits_for_go, NULL, run_at(COSCHED_WORKER)),
            0);
        UNTIL(begun);
        EXPECT_EQ(cosched_token_cancel(&t), every);
        cosched_event_set(&go);
        promise_alone();
        EXPECT_EQ(runs, 1);
    }
}

static void *cancels(void *arg)
{
    return (void *)(intptr_t)cosched_token_cancel(arg);
}

PROMISE(cancelled_from_another_thread)
{
    for (int i = 0; i < 20; i++) {
        cosched_token t;
        pthread_t thread[2];
        void *stopped[2];
        runs = 0;
        EXPECT_EQ(cosched_after(&t, HOUR, counts, NULL, run_at(promise_place(i))), 0);
        for (int k = 0; k < 2; k++) {
            EXPECT_EQ(pthread_create(&thread[k], NULL, cancels, &t), 0);
        }
        for (int k = 0; k < 2; k++) {
            EXPECT_EQ(pthread_join(thread[k], &stopped[k]), 0);
        }
        EXPECT(!stopped[0] != !stopped[1]); /* exactly one of them */
        promise_alone();
        EXPECT_EQ(runs, 0);
    }
}

/* --- storms --------------------------------------------------------------------------------------------------- */

enum { STORM = 200, CANCELERS = 6 };

static cosched_token tokens[STORM];
static atomic_int ran[STORM], stopped[STORM];

static int64_t storm_run(void *arg)
{
    atomic_fetch_add(&ran[*(int *)arg], 1);
    return 0;
}

static int64_t cancel_all(void *arg)
{
    uint64_t rng = *(uint64_t *)arg;
    uint32_t at = cos_rng_below(&rng, STORM);
    for (int i = 0; i < STORM; i++) {
        at = (at + 7) % STORM; /* 7 and STORM have no common divisor: each once */
        atomic_fetch_add(&stopped[at], cosched_token_cancel(&tokens[at]));
        if (cos_rng_below(&rng, 16) == 0) {
            cosched_yield();
        }
    }
    return 0;
}

static void *cancel_all_outside(void *arg)
{
    cancel_all(arg);
    return NULL;
}

static void storm(uint64_t *rng, bool every)
{
    uint64_t state[CANCELERS];
    cosched_task t[CANCELERS];
    pthread_t thread[CANCELERS];
    for (int i = 0; i < STORM; i++) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = promise_place((int)cos_rng_below(rng, 2)),
                             .arg_size = sizeof i};
        int64_t delay = cos_rng_below(rng, 3) * MS / 2;
        ran[i] = stopped[i] = 0;
        EXPECT_EQ(every ? cosched_every(&tokens[i], 1 + delay, (cosched_overrun)(i % 3), storm_run,
                                        &i, &attr)
                        : cosched_after(&tokens[i], delay, storm_run, &i, &attr),
                  0);
    }
    for (int i = 0; i < CANCELERS; i++) {
        state[i] = cos_rng_next(rng) | 1;
        if (i % 3 == 2) {
            EXPECT_EQ(pthread_create(&thread[i], NULL, cancel_all_outside, &state[i]), 0);
        } else {
            t[i] = run_spawn(cancel_all, &state[i], promise_place(i % 3));
        }
    }
    for (int i = 0; i < CANCELERS; i++) {
        EXPECT_EQ(i % 3 == 2 ? pthread_join(thread[i], NULL) : run_join(t[i]), 0);
    }
    promise_alone();
    for (int i = 0; i < STORM; i++) {
        EXPECT_EQ(stopped[i] + (every ? 0 : ran[i]), 1);
    }
}

PROMISE(in_a_storm_of_cancels_each_is_stopped_once_or_has_run)
{
    uint64_t rng = promise_seed;
    for (int round = 0; round < 2 * promise_size(2, 1000); round++) {
        storm(&rng, round % 2 != 0);
    }
}

/* --- lives ----------------------------------------------------------------------------------------------------- */

static cosched_token kept;

static int64_t arms_and_ends(void *arg)
{
    return cosched_after(&kept, *(int64_t *)arg, counts, NULL, NULL);
}

PROMISE(a_token_outlives_its_task_and_the_reverse)
{
    int64_t soon = 1, far = HOUR;
    runs = 0;
    EXPECT_EQ(cosched_after(NULL, 1, counts, NULL, NULL), 0); /* nobody has a token */
    EXPECT_EQ(run_join(run_spawn(arms_and_ends, &soon, COSCHED_WORKER)), 0);
    UNTIL(runs == 2);
    promise_alone();
    cosched_token old = kept, fresh;
    EXPECT(!cosched_token_cancel(&old)); /* it has run */
    EXPECT_EQ(cosched_after(&fresh, HOUR, counts, NULL, NULL), 0);
    EXPECT(!cosched_token_cancel(&old)); /* though another may be in its place */
    EXPECT(cosched_token_cancel(&fresh));
    EXPECT_EQ(run_join(run_spawn(arms_and_ends, &far, COSCHED_MAIN)), 0);
    EXPECT(cosched_token_cancel(&kept)); /* who armed it has ended long ago */
    promise_alone();
    EXPECT_EQ(runs, 2);
}

static int64_t arms_far(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_every(&kept, HOUR, COSCHED_SKIP, run_return, NULL, NULL), 0);
    return cosched_after(NULL, HOUR, counts, NULL, NULL);
}

START_TEST(a_token_outlives_its_runtime)
{
    cosched_config c = {.struct_size = sizeof c, .workers = promise_workers[_i]};
    runs = 0;
    EXPECT_EQ(run_config(&c, arms_far, NULL), 0);
    EXPECT(!cosched_token_cancel(&kept));
    EXPECT_EQ(runs, 0);
}

END_TEST

PROMISE_MAIN("promise_tokens", ALL(cancelled_before_its_start_it_never_runs),
             ALL(cancelled_during_a_run_that_run_is_the_last_and_goes_on),
             ALL(cancelled_from_another_thread),
             ALL(in_a_storm_of_cancels_each_is_stopped_once_or_has_run),
             ALL(a_token_outlives_its_task_and_the_reverse), ALL(a_token_outlives_its_runtime))
