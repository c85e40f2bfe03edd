/* Tokens: what a cancel is worth before, during and after a run, from tasks and foreign threads, one or many at a time; and that
 * neither the token nor what it names needs the other to live. */
#include <sys/resource.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/rng.h"
#include "memory_limit.h"
#include "run.h"
#include "sync/later.h"

#define HOUR_NS (3600 * COS_NS_PER_S)

static uint64_t seed;
static atomic_int runs;
static cosched_token kept;

static int64_t count_run(void *arg)
{
    atomic_fetch_add(&runs, 1);
    return run_return(arg);
}

static void until_only_we_live(void)
{
    UNTIL(run_stats().tasks_live == 1);
}

static cosched_affinity place(int i)
{
    return i % 3 == 0 ? COSCHED_INHERIT : i % 3 == 1 ? COSCHED_MAIN : COSCHED_WORKER;
}

/* --- cancel ----------------------------------------------------------------------------------------------- */

SCENARIO(cancelled_before_it_starts_it_never_runs)
{
    runs = 0;
    for (int i = 0; i < 60; i++) {
        cosched_token t;
        EXPECT_EQ(
            cosched_after(&t, i % 2 ? HOUR_NS : COSCHED_NEVER, count_run, NULL, run_at(place(i))),
            0);
        cosched_token copy = t;
        EXPECT(cosched_token_cancel(&t));
        EXPECT(!cosched_token_cancel(&copy));
        EXPECT_EQ(cosched_at(&t, cos_later_wall() + HOUR_NS, count_run, NULL, run_at(place(i))), 0);
        EXPECT(cosched_token_cancel(&t));
    }
    until_only_we_live();
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(run_stats().timers, 0);
}

static cosched_event go;
static atomic_int begun;

static int64_t waits_for_go(void *arg)
{
    atomic_fetch_add(&runs, 1);
    begun = 1;
    EXPECT_EQ(cosched_event_wait(&go, COSCHED_NEVER),
              0); /* a cancel of the token does not reach it */
    EXPECT(!cosched_cancelled());
    return run_return(arg);
}

SCENARIO(cancelled_during_a_run_that_run_goes_on_and_is_the_last)
{
    for (int every = 0; every < 2; every++) {
        cosched_token t;
        runs = begun = 0;
        cosched_event_init(&go);
        if (every) {
            EXPECT_EQ(
                cosched_every(&t, 1, COSCHED_BURST, waits_for_go, NULL, run_at(COSCHED_WORKER)), 0);
        } else {
            EXPECT_EQ(cosched_after(&t, 1, waits_for_go, NULL, run_at(COSCHED_WORKER)), 0);
        }
        UNTIL(begun);
        EXPECT_EQ(cosched_token_cancel(&t), every);
        EXPECT(!cosched_token_cancel(&t));
        cosched_event_set(&go);
        until_only_we_live();
        EXPECT_EQ(runs, 1);
    }
}

enum { STORM = 300, CANCELERS = 4 };

static cosched_token tokens[STORM];
static int number[STORM];
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

static void *cancel_on_thread(void *arg)
{
    cancel_all(arg);
    return NULL;
}

static void storm_arm(uint64_t *rng, bool every)
{
    for (int i = 0; i < STORM; i++) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = place((int)cos_rng_below(rng, 3)),
                             .arg_size = cos_rng_below(rng, 2) * sizeof i}; /* kept, or passed */
        ran[i] = stopped[i] = 0;
        number[i] = i;
        int64_t delay = cos_rng_below(rng, 3) * 500000;
        EXPECT_EQ(every
                      ? cosched_every(&tokens[i], 1 + delay, (cosched_overrun)cos_rng_below(rng, 3),
                                      storm_run, &number[i], &attr)
                      : cosched_after(&tokens[i], delay, storm_run, &number[i], &attr),
                  0);
    }
}

/* Every token is stopped by exactly one canceller, or has run; an interval may have done both. */
SCENARIO(storm_of_cancels_stops_each_once)
{
    uint64_t rng = seed;
    for (int round = 0; round < RUN_SIZE(20, 8, 4); round++) {
        bool every = round % 2 != 0;
        uint64_t state[CANCELERS];
        cosched_task t[2];
        pthread_t thread[2];
        storm_arm(&rng, every);
        for (int i = 0; i < CANCELERS; i++) {
            state[i] = cos_rng_next(&rng) | 1;
            if (i < 2) {
                t[i] = run_spawn(cancel_all, &state[i], i == 0 ? COSCHED_MAIN : COSCHED_WORKER);
            } else {
                EXPECT_EQ(pthread_create(&thread[i - 2], NULL, cancel_on_thread, &state[i]), 0);
            }
        }
        EXPECT_EQ(run_join(t[0]), 0);
        EXPECT_EQ(run_join(t[1]), 0);
        EXPECT_EQ(pthread_join(thread[0], NULL), 0);
        EXPECT_EQ(pthread_join(thread[1], NULL), 0);
        until_only_we_live();
        for (int i = 0; i < STORM; i++) {
            if (every) {
                EXPECT_EQ(stopped[i], 1);
            } else {
                EXPECT_EQ(ran[i] + stopped[i], 1);
            }
        }
    }
    UNTIL(run_stats().timers == 0); /* whoever fires a timer counts it a moment later */
}

/* --- many random cancels from outside, while runs begin and end --------------------------------------------------- */

enum { HANDS = 4, PICKS = RUN_SIZE(100000, 10000, 4000), ROUNDS = RUN_SIZE(20, 10, 4) };

struct hand {
    uint64_t rng;
    int picks;
};

static void *cancel_at_random(void *arg)
{
    struct hand *h = arg;
    for (int i = 0; i < h->picks; i++) {
        uint32_t at = cos_rng_below(&h->rng, STORM);
        cosched_token mine = tokens[at];
        bool valid = cos_rng_below(&h->rng, 2) == 0 || cosched_token_valid(&mine);
        bool stopped_it = cos_rng_below(&h->rng, 2) == 0 ? cosched_token_cancel(&mine)
                                                         : cosched_token_drop(&mine);
        EXPECT(valid || !stopped_it); /* invalid is for ever */
        EXPECT(!stopped_it || !cosched_token_valid(&tokens[at]));
        atomic_fetch_add(&stopped[at], stopped_it);
    }
    return NULL;
}

SCENARIO(random_cancels_from_foreign_threads)
{
    uint64_t rng = seed ^ 5;
    for (int round = 0; round < ROUNDS; round++) {
        bool every = round % 2 != 0;
        struct hand hands[HANDS];
        pthread_t thread[HANDS];
        storm_arm(&rng, every);
        for (int i = 0; i < HANDS; i++) {
            hands[i] = (struct hand){cos_rng_next(&rng) | 1, PICKS / ROUNDS / HANDS};
            EXPECT_EQ(pthread_create(&thread[i], NULL, cancel_at_random, &hands[i]), 0);
        }
        for (int i = (int)cos_rng_below(&rng, 8); i > 0; i--) {
            cosched_yield(); /* runs begin meanwhile */
        }
        for (int i = 0; i < HANDS; i++) {
            EXPECT_EQ(pthread_join(thread[i], NULL), 0);
        }
        for (int i = 0; i < STORM; i++) { /* those that nobody picked */
            atomic_fetch_add(&stopped[i], cosched_token_cancel(&tokens[i]));
        }
        until_only_we_live();
        for (int i = 0; i < STORM; i++) {
            EXPECT_EQ(every ? stopped[i] : ran[i] + stopped[i], 1);
            EXPECT(!cosched_token_valid(&tokens[i]));
        }
    }
}

/* --- valid, drop, move ------------------------------------------------------------------------------------------- */

SCENARIO(a_token_is_valid_while_a_cancel_would_count)
{
    cosched_token t;
    EXPECT(!cosched_token_valid(&(cosched_token){0, 0}));
    EXPECT_EQ(cosched_after(&t, HOUR_NS, count_run, NULL, NULL), 0);
    EXPECT(cosched_token_valid(&t));
    EXPECT(cosched_token_cancel(&t));
    EXPECT(!cosched_token_valid(&t));
    for (int every = 0; every < 2; every++) {
        runs = begun = 0;
        cosched_event_init(&go);
        EXPECT_EQ(every ? cosched_every(&t, HOUR_NS, COSCHED_SKIP, waits_for_go, NULL,
                                        run_at(COSCHED_WORKER))
                        : cosched_after(&t, 1, waits_for_go, NULL, run_at(COSCHED_WORKER)),
                  0);
        UNTIL(begun);
        EXPECT_EQ(cosched_token_valid(&t), every); /* begun is too late, but for the next run */
        cosched_event_set(&go);
        if (every) {
            EXPECT(cosched_token_drop(&t));
            EXPECT(t.index == 0 && t.generation == 0);
        }
        until_only_we_live();
        EXPECT(!cosched_token_valid(&t));
        EXPECT(!cosched_token_drop(&t));
    }
    cosched_task self = cosched_self();
    EXPECT(!cosched_token_valid(&(cosched_token){self.index, self.generation}));
}

static cosched_token handed_over(bool keep)
{
    COSCHED_TOKEN_SCOPED cosched_token t = {0, 0};
    EXPECT_EQ(cosched_after(&t, HOUR_NS, count_run, NULL, NULL), 0);
    kept = t;
    return keep ? cosched_token_move(&t) : (cosched_token){0, 0};
}

SCENARIO(a_scoped_token_is_dropped_at_the_end_of_its_block_unless_moved)
{
    runs = 0;
    cosched_token t = handed_over(false);
    EXPECT_EQ(t.index, 0);
    EXPECT(!cosched_token_valid(&kept));
    t = handed_over(true);
    EXPECT(cosched_token_valid(&t));
    EXPECT(t.index == kept.index && t.generation == kept.generation);
    cosched_token to = cosched_token_move(&t);
    EXPECT(t.index == 0 && !cosched_token_valid(&t) && cosched_token_valid(&to));
    EXPECT(cosched_token_drop(&to));
    EXPECT(!cosched_token_drop(&to));
    until_only_we_live();
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(run_stats().timers, 0);
}

/* --- lives ------------------------------------------------------------------------------------------------- */

static int64_t arms_and_ends(void *arg)
{
    (void)arg;
    return cosched_after(&kept, COS_NS_PER_MS, count_run, NULL, NULL);
}

SCENARIO(a_token_outlives_the_task_that_armed_it_and_the_reverse)
{
    runs = 0;
    EXPECT_EQ(run_join(run_spawn(arms_and_ends, NULL, COSCHED_WORKER)), 0);
    UNTIL(runs == 1);
    until_only_we_live();
    EXPECT(!cosched_token_cancel(&kept)); /* it has run */
    EXPECT(!cosched_token_cancel(&(cosched_token){0, 0}));
    EXPECT(!cosched_token_cancel(&(cosched_token){UINT32_MAX, 1}));
    cosched_task self = cosched_self();
    EXPECT(!cosched_token_cancel(
        &(cosched_token){self.index, self.generation})); /* a task is no token */
    EXPECT(!cosched_cancelled());
    cosched_token fresh; /* in the same block, most likely: the old name does not touch it */
    EXPECT_EQ(cosched_after(&fresh, HOUR_NS, count_run, NULL, NULL), 0);
    EXPECT(!cosched_token_cancel(&kept));
    EXPECT(cosched_token_cancel(&fresh));
    until_only_we_live();
}

static int64_t arms_all_kinds(void *arg)
{
    (void)arg;
    for (int i = 0; i < 30; i++) {
        const cosched_attr *at = run_at(place(i));
        EXPECT_EQ(cosched_after(&kept, HOUR_NS, count_run, NULL, at), 0);
        EXPECT_EQ(cosched_after(NULL, COSCHED_NEVER, count_run, NULL, at), 0);
        EXPECT_EQ(cosched_at(NULL, cos_later_wall() + HOUR_NS, count_run, NULL, at), 0);
        EXPECT_EQ(cosched_every(NULL, HOUR_NS, COSCHED_SKIP, run_until_canceled, NULL, at), 0);
        EXPECT_EQ(cosched_every(NULL, HOUR_NS, COSCHED_SKIP, run_return, NULL, at), 0);
    }
    cosched_yield();
    return 0;
}

START_TEST(the_end_of_the_runtime_ends_what_is_armed)
{
    runs = 0;
    EXPECT_EQ(cosched_after(NULL, 1, count_run, NULL, NULL), -EPERM);
    EXPECT(!cosched_token_cancel(&(cosched_token){5, 1})); /* no runtime ever was */
    run_on(run_workers[_i], arms_all_kinds);
    EXPECT_EQ(runs, 0);
    EXPECT(!cosched_token_cancel(&kept));
}

END_TEST

/* --- no memory ------------------------------------------------------------------------------------- */

SCENARIO_ON(0, no_memory_for_a_token)
{
    cosched_token t;
    int kept_arg = 1;
    cosched_attr attr = {.struct_size = sizeof attr, .arg_size = sizeof kept_arg};
    cos_alloc_fail_at(1);
    EXPECT_EQ(cosched_after(&t, 1, count_run, &kept_arg, &attr), -ENOMEM);
    EXPECT_EQ(cosched_after(&t, HOUR_NS, count_run, NULL, NULL), 0); /* has all in its task's block */
    cos_alloc_fail_at(0);
    EXPECT(cosched_token_cancel(&t));
    until_only_we_live();
}

static int64_t fills_the_slab(void *arg)
{
    cosched_task t[16];
    int n = 0;
    runs = 0;
    cosched_attr attr = {.struct_size = sizeof attr,
                         .affinity = COSCHED_MAIN,
                         .arg_size = sizeof n}; /* a task for each run */
    EXPECT_EQ(cosched_after(&kept, 1, count_run, &n, &attr), 0);
    while (n < 16 && cosched_spawn(&t[n], run_until_canceled, NULL, run_at(COSCHED_MAIN)) == 0) {
        n++;
    }
    EXPECT(n > 0 && n < 16);
    cosched_token none;
    EXPECT_EQ(cosched_after(&none, 1, count_run, NULL, NULL), -EAGAIN);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(3)),
              0); /* its time comes, and there is no room for its run */
    EXPECT_EQ(runs, 0);
    for (int i = 0; i < n; i++) {
        cosched_cancel(t[i]);
        EXPECT_EQ(run_join(t[i]), -ECANCELED);
    }
    UNTIL(runs == 1);
    return run_return(arg);
}

START_TEST(a_run_without_room_for_its_task_comes_late)
{
    cosched_config config = {.struct_size = sizeof config, .workers = 0, .tasks_max = 8};
    EXPECT_EQ(run_config(&config, fills_the_slab, NULL), 0);
}

END_TEST

enum { SLEEPERS = 4096 };

static int64_t without_stacks(void *arg)
{
    static cosched_task t[SLEEPERS];
    struct rlimit had, none;
    int n = 0;
    int64_t result = 0;
    EXPECT_EQ(getrlimit(RLIMIT_AS, &had), 0);
    none = (struct rlimit){1, had.rlim_max}; /* nothing more can be mapped; what is mapped stays */
    EXPECT_EQ(setrlimit(RLIMIT_AS, &none), 0);
    do { /* until one gets no stack */
        t[n] = run_spawn(run_until_canceled, NULL, COSCHED_MAIN);
        cosched_yield();
    } while (cosched_await(&t[n], &result, COSCHED_NOW) != 0 && ++n < SLEEPERS);
    EXPECT_EQ(result, -ENOMEM);
    uint64_t live = run_stats().tasks_live;
    EXPECT_EQ(cosched_after(&kept, 1, count_run, NULL, run_at(COSCHED_MAIN)), 0);
    cosched_token other;
    EXPECT_EQ(cosched_after(&other, HOUR_NS, count_run, NULL, run_at(COSCHED_MAIN)), 0);
    EXPECT(cosched_token_cancel(&other)); /* its timer is armed still when it comes to its end */
    UNTIL(run_stats().tasks_live == live);
    EXPECT_EQ(runs, 0);
    EXPECT_EQ(run_stats().timers, 0);
    EXPECT(!cosched_token_cancel(&kept));
    EXPECT_EQ(setrlimit(RLIMIT_AS, &had), 0);
    while (n > 0) {
        cosched_cancel(t[--n]);
        EXPECT_EQ(run_join(t[n]), -ECANCELED);
    }
    return run_return(arg);
}

START_TEST(a_token_whose_task_gets_no_stack_ends)
{
    runs = 0;
    if (limits_memory("a_token_whose_task_gets_no_stack_ends")) {
        run_on(0, without_stacks);
    }
}

END_TEST

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        EACH(cancelled_before_it_starts_it_never_runs),
        EACH(cancelled_during_a_run_that_run_goes_on_and_is_the_last),
        EACH(storm_of_cancels_stops_each_once),
        EACH(random_cancels_from_foreign_threads),
        EACH(a_token_is_valid_while_a_cancel_would_count),
        EACH(a_scoped_token_is_dropped_at_the_end_of_its_block_unless_moved),
        EACH(a_token_outlives_the_task_that_armed_it_and_the_reverse),
        EACH(the_end_of_the_runtime_ends_what_is_armed),
        ONCE(no_memory_for_a_token),
        ONCE(a_run_without_room_for_its_task_comes_late),
        ONCE(a_token_whose_task_gets_no_stack_ends),
    };
    return run_suite("token", tests, sizeof tests / sizeof tests[0]);
}
