/* After, every and at: fired in the order of their times, on a grid that does not drift, one run at a time. What a time means
 * is gated here as order and bounds that hold however late this machine is: never early, never twice, nothing forgotten. */
#include "promise.h"
#include "sync/later.h"

static atomic_int runs;

/* --- order --------------------------------------------------------------------------------------------------- */

enum { ORDERED = 64 };

static int fired[ORDERED];

static int64_t note(void *arg)
{
    fired[atomic_fetch_add(&runs, 1)] = *(int *)arg;
    return 0;
}

/* Their times are two milliseconds apart: a timer's resolution is one. True: the last was armed before the first was due, so
 * that each has the time that it was meant to have. */
static bool arm_in_any_order(uint64_t *rng, int64_t lead_ns)
{
    int pick[ORDERED];
    for (int i = 0; i < ORDERED; i++) {
        pick[i] = i;
    }
    for (uint32_t i = ORDERED - 1; i > 0; i--) {
        uint32_t k = cos_rng_below(rng, i + 1);
        int swap = pick[i];
        pick[i] = pick[k];
        pick[k] = swap;
    }
    bool slow = false;
    int64_t start = cosched_in_ns(lead_ns);
    for (int i = 0; i < ORDERED; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .arg_size = sizeof(int)};
        int64_t now = cosched_now();
        int64_t delay = start + 2 * MS * pick[i] - now;
        EXPECT_EQ(cosched_after(NULL, delay, note, &pick[i], &attr), 0);
        slow = slow || cosched_now() - now >= 2 * MS; /* its time is later by that */
    }
    return !slow && cosched_now() < start;
}

PROMISE(fired_in_the_order_of_times_whatever_the_order_of_insertion)
{
    uint64_t rng = promise_seed + (uint64_t)run_stats().workers;
    bool in_time = false;
    for (int64_t lead_ns = 2 * MS; !in_time; lead_ns *= 2) { /* a busy machine takes some more */
        runs = 0;
        in_time = arm_in_any_order(&rng, lead_ns);
        WAIT_UNTIL(runs == ORDERED);
    }
    for (int i = 0; i < ORDERED; i++) {
        EXPECT_EQ(fired[i], i);
    }
    promise_alone();
}

struct appointment {
    int64_t time;
    bool wall;
};

static int64_t keeps_it(void *arg)
{
    const struct appointment *a = arg;
    EXPECT((a->wall ? cos_later_wall() : cosched_now()) >= a->time);
    atomic_fetch_add(&runs, 1);
    return 0;
}

PROMISE(after_and_at_are_never_early_and_run_once)
{
    runs = 0;
    for (int i = 0; i < 120; i++) {
        cosched_attr attr = {.struct_size = sizeof attr,
                             .affinity = promise_place(i),
                             .arg_size = sizeof(struct appointment)};
        struct appointment a = {cosched_now() + (i % 9) * MS / 3, false};
        EXPECT_EQ(cosched_after(NULL, (i % 9) * MS / 3, keeps_it, &a, &attr), 0);
        a = (struct appointment){cos_later_wall() + (i % 7 - 2) * MS, true};
        EXPECT_EQ(cosched_at(NULL, a.time, keeps_it, &a, &attr), 0);
    }
    WAIT_UNTIL(runs == 240);
    promise_alone();
    EXPECT_EQ(runs, 240);
}

PROMISE(at_follows_a_wall_clock_that_is_set)
{
    struct appointment a = {cos_later_wall() + HOUR, true};
    runs = 0;
    for (int i = 0; i < 4; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = promise_place(i), .arg_size = sizeof a};
        EXPECT_EQ(cosched_at(NULL, a.time, keeps_it, &a, &attr), 0);
    }
    cosched_yield();
    EXPECT_EQ(runs, 0);
    cos_later_shift_wall(2 * HOUR);
    WAIT_UNTIL(runs == 4);
    cos_later_shift_wall(0);
    promise_alone();
}

/* --- intervals ------------------------------------------------------------------------------------------------ */

/* The arithmetic of a million runs that take what they like: on the grid for ever, and never more than due. */
START_TEST(an_interval_does_not_drift)
{
    uint64_t rng = promise_seed | 1;
    int64_t t0 = 12345, d = 1000, skip = t0, burst = t0, delay = t0, now = t0;
    for (int64_t k = 1; k <= 1000000; k++) {
        now += cos_rng_below(&rng, 50) == 0 ? cos_rng_below(&rng, 9000) : cos_rng_below(&rng, 900);
        burst = cos_later_next(burst, d, 1, COSCHED_BURST, now);
        EXPECT_EQ(burst, t0 + k * d); /* makes up for each */
        int64_t planned = skip;
        skip = cos_later_next(skip, d, 1, COSCHED_SKIP, now);
        EXPECT_EQ((skip - t0) % d, 0);
        EXPECT(skip > planned && skip >= now); /* the next one that can still be kept … */
        EXPECT(skip - d < now || skip == planned + d);
        planned = delay;
        delay = cos_later_next(delay, d, 1, COSCHED_DELAY, now);
        EXPECT_EQ(delay, planned + d > now ? planned + d : now);
        now = now > skip ? now : skip; /* … is waited for */
    }
}

END_TEST

struct interval {
    cosched_token token;
    cosched_overrun overrun;
    int64_t before, d, last_begin, last_end;
    int k, want;
    atomic_int inside, done;
};

/* The second run takes five intervals; where it is depends on the scheduler, what holds does not. */
static int64_t tick(void *arg)
{
    struct interval *v = arg;
    int64_t begin = cosched_now();
    EXPECT_EQ(atomic_fetch_add(&v->inside, 1), 0); /* never overlaps itself */
    EXPECT(begin >= v->last_end);
    if (v->overrun != COSCHED_DELAY) {
        EXPECT(begin >= v->before + v->k * v->d); /* not before its place on the grid */
    } else if (v->k >= 3) {
        EXPECT(begin >= v->before + v->d);
    }
    if (v->overrun == COSCHED_SKIP && v->k >= 2) {
        EXPECT(begin >= v->before + (v->k + 4) * v->d); /* what passed meanwhile is dropped */
    }
    EXPECT_EQ(cosched_sleep_until(v->k == 1 ? begin + 5 * v->d : begin), 0);
    v->last_begin = begin;
    v->last_end = cosched_now();
    atomic_fetch_sub(&v->inside, 1);
    if (++v->k == v->want) {
        EXPECT(cosched_token_cancel(&v->token));
        v->done = 1;
    }
    return 0;
}

PROMISE(an_interval_runs_now_and_then_on_its_grid_one_run_at_a_time)
{
    static struct interval v;
    for (int overrun = COSCHED_SKIP; overrun <= COSCHED_DELAY; overrun++) {
        v = (struct interval){
            .overrun = (cosched_overrun)overrun, .d = MS, .want = 6, .before = cosched_now()};
        /* On MAIN the token is written before the first run, which comes later on this thread. */
        EXPECT_EQ(cosched_every(&v.token, v.d, v.overrun, tick, &v, run_at(COSCHED_MAIN)), 0);
        cosched_yield();
        EXPECT(v.inside == 1 || v.k >= 1); /* the first is not an interval away: it has begun */
        WAIT_UNTIL(v.done);
        promise_alone();
        EXPECT_EQ(v.k, 6);
    }
}

PROMISE(the_first_run_of_an_interval_is_now)
{
    static struct interval v;
    v = (struct interval){.d = HOUR, .want = 1, .before = cosched_now()};
    EXPECT_EQ(cosched_every(&v.token, v.d, COSCHED_SKIP, tick, &v, run_at(COSCHED_MAIN)), 0);
    WAIT_UNTIL(v.done); /* not in an hour */
    promise_alone();
}

/* --- errors of an interval ------------------------------------------------------------------------------------- */

struct unlucky {
    cosched_token token;
    int k, want;
    int64_t before, d, steps; /* since the first run, when it backs off */
};

/* Fails always. */
static int64_t fails(void *arg)
{
    struct unlucky *u = arg;
    EXPECT(cosched_now() >= u->before + u->steps * u->d);
    u->k++;
    u->steps += INT64_C(1) << (u->k < 6 ? u->k : 6);
    if (u->k == u->want) {
        EXPECT(cosched_token_cancel(&u->token));
    }
    return -EIO;
}

static int after_errors(uint32_t flags, int want)
{
    static struct unlucky u;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = COSCHED_MAIN, .flags = flags};
    u = (struct unlucky){.want = want, .before = cosched_now()};
    u.d = flags == COSCHED_BACK_OFF ? 20000 : 0; /* else no bound is to be checked */
    EXPECT_EQ(cosched_every(&u.token, u.d > 0 ? u.d : 1, COSCHED_SKIP, fails, &u, &attr), 0);
    promise_alone();
    EXPECT(!cosched_token_cancel(&u.token));
    return u.k;
}

PROMISE(an_interval_goes_on_stops_or_backs_off_after_an_error)
{
    EXPECT_EQ(after_errors(0, 9), 9);
    EXPECT_EQ(after_errors(COSCHED_STOP_ON_ERROR, 9), 1);
    EXPECT_EQ(after_errors(COSCHED_BACK_OFF, 9), 9);
}

PROMISE_MAIN("promise_later", ALL(fired_in_the_order_of_times_whatever_the_order_of_insertion),
             ALL(after_and_at_are_never_early_and_run_once),
             ALL(at_follows_a_wall_clock_that_is_set), ONCE(an_interval_does_not_drift),
             ALL(an_interval_runs_now_and_then_on_its_grid_one_run_at_a_time),
             ALL(the_first_run_of_an_interval_is_now),
             ALL(an_interval_goes_on_stops_or_backs_off_after_an_error))
