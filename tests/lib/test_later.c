/* After, at and every: when, in what order and how often they run (what a token is worth: test_token.c). Nothing here is late or early by a
 * clock: what must not come too soon is compared with its own deadline, and what must come is waited for. */
#include "base/clock.h"
#include "base/rng.h"
#include "run.h"
#include "sync/later.h"

#define HOUR_NS (3600 * COS_NS_PER_S)

static uint64_t seed;
static atomic_int runs, inside;

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

/* --- arithmetic ----------------------------------------------------------------------------------------- */

START_TEST(times_of_an_interval_are_multiples_whatever_its_runs_take)
{
    static const struct {
        int64_t planned, interval, steps;
        cosched_overrun overrun;
        int64_t now, next;
    } table[] = {
        {100, 10, 1, COSCHED_SKIP, 103, 110},
        {100, 10, 1, COSCHED_SKIP, 110, 110},
        {100, 10, 1, COSCHED_SKIP, 111, 120},
        {100, 10, 1, COSCHED_SKIP, 147, 150},
        {100, 10, 1, COSCHED_SKIP, 150, 150},
        {100, 10, 1, COSCHED_BURST, 147, 110},
        {100, 10, 1, COSCHED_BURST, 103, 110},
        {100, 10, 1, COSCHED_DELAY, 147, 147},
        {100, 10, 1, COSCHED_DELAY, 109, 110},
        {100, 10, 4, COSCHED_SKIP, 103, 140},
        {100, 10, 4, COSCHED_BURST, 147, 140},
        {100, 10, 64, COSCHED_DELAY, 147, 740},
        {100, INT64_MAX, 1, COSCHED_SKIP, 101, COSCHED_NEVER},
        {100, INT64_MAX / 2, 64, COSCHED_BURST, 101, COSCHED_NEVER},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        EXPECT_EQ(cos_later_next(table[i].planned, table[i].interval, table[i].steps,
                                 table[i].overrun, table[i].now),
                  table[i].next);
    }
    int64_t planned[3] = {7, 7, 7}, now = 7, d = 1000, random = 0;
    uint64_t rng = seed;
    for (int64_t k = 1; k <= 100000;
         k++) { /* no drift: after any run times still on the grid, and never before now */
        random = cos_rng_below(&rng, 3000);
        for (int p = COSCHED_SKIP; p <= COSCHED_BURST; p++) {
            planned[p] = cos_later_next(planned[p], d, 1, (cosched_overrun)p, now + random);
            EXPECT_EQ((planned[p] - 7) % d, 0);
        }
        EXPECT_EQ(planned[COSCHED_BURST], 7 + k * d);
        EXPECT(planned[COSCHED_SKIP] >= now + random && planned[COSCHED_SKIP] < now + random + 2 * d);
        now = planned[COSCHED_SKIP];
    }
    int64_t steps = 1;
    for (uint32_t n = 0; n < 20; n++) {
        EXPECT_EQ(cos_later_steps(n), steps);
        steps = steps < 64 ? steps * 2 : 64;
    }
}

END_TEST

START_TEST(a_wall_clock_is_looked_at_again_within_a_second)
{
    const int64_t s = COS_NS_PER_S;
    EXPECT_EQ(cos_later_look(100, 100, 5), COSCHED_NOW);
    EXPECT_EQ(cos_later_look(99, 100, 5), COSCHED_NOW);
    EXPECT_EQ(cos_later_look(INT64_MIN, INT64_MAX, 5), COSCHED_NOW);
    EXPECT_EQ(cos_later_look(200, 100, 5), 105);
    EXPECT_EQ(cos_later_look(s, 0, 5), s + 5);
    EXPECT_EQ(cos_later_look(s + 1, 0, 5), s);
    EXPECT_EQ(cos_later_look(HOUR_NS, 0, 7 * s), 8 * s);
    EXPECT_EQ(cos_later_look(INT64_MAX, INT64_MIN, 7 * s + 3), 8 * s);
}

END_TEST

/* --- order and time ------------------------------------------------------------------------------------- */

enum { ORDERED = 64 };

static int order[ORDERED];

static int64_t note_order(void *arg)
{
    order[atomic_fetch_add(&runs, 1)] = *(int *)arg;
    return 0;
}

/* True: the last was armed before the first was due. */
static bool arm_shuffled(uint64_t *rng, int64_t lead_ns)
{
    int pick[ORDERED];
    for (int i = 0; i < ORDERED; i++) {
        pick[i] = i;
    }
    for (uint32_t i = ORDERED - 1; i > 0; i--) {
        uint32_t j = cos_rng_below(rng, i + 1);
        int swap = pick[i];
        pick[i] = pick[j];
        pick[j] = swap;
    }
    bool slow = false;
    int64_t start = cosched_in_ns(lead_ns);
    for (int i = 0; i < ORDERED; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .arg_size = sizeof(int)};
        int64_t now = cosched_now();
        int64_t delay = start + pick[i] * 2 * COS_NS_PER_MS - now;
        EXPECT_EQ(cosched_after(NULL, delay, note_order, &pick[i], &attr), 0);
        slow = slow || cosched_now() - now >= 2 * COS_NS_PER_MS; /* its time is later by that */
    }
    return !slow && cosched_now() < start;
}

SCENARIO(fires_in_the_order_of_times_whatever_the_order_of_arming)
{
    uint64_t rng = seed;
    bool in_time = false;
    for (int64_t lead_ns = 5 * COS_NS_PER_MS; !in_time;
         lead_ns *= 2) { /* a busy machine takes more */
        runs = 0;
        in_time = arm_shuffled(&rng, lead_ns);
        UNTIL(runs == ORDERED);
    }
    for (int i = 0; i < ORDERED; i++) {
        EXPECT_EQ(order[i], i);
    }
    until_only_we_live();
}

SCENARIO(times_of_the_wall_clock_come_in_their_order)
{
    uint64_t rng = seed;
    uint32_t first = cos_rng_below(&rng, ORDERED);
    runs = 0;
    int64_t start = cos_later_wall() + 2 * COS_NS_PER_MS; /* arming may take longer than that */
    for (int i = 0; i < ORDERED; i++) {
        int n = (int)(((uint32_t)i * 37 + first) % ORDERED);
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .arg_size = sizeof(int)};
        EXPECT_EQ(cosched_at(NULL, start + n * 2 * COS_NS_PER_MS, note_order, &n, &attr), 0);
    }
    UNTIL(runs == ORDERED);
    for (int i = 0; i < ORDERED; i++) {
        EXPECT_EQ(order[i], i);
    }
    until_only_we_live();
}

enum { LINED_UP = 200 };

static int64_t note_in_line(void *arg)
{
    int64_t until = cosched_in_ns(COS_NS_PER_MS / 50);
    while (cosched_now() < until) {
        RUN_PAUSE();
    }
    EXPECT_EQ(atomic_fetch_add(&runs, 1), *(int *)arg);
    return 0;
}

/* A turn of MAIN ends after any of them: the one that was to run then still comes before those behind it. */
SCENARIO(due_together_they_run_in_line_over_many_turns)
{
    runs = 0;
    for (int i = 0; i < LINED_UP; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .arg_size = sizeof i};
        EXPECT_EQ(cosched_after(NULL, 0, note_in_line, &i, &attr), 0);
    }
    UNTIL(runs == LINED_UP);
    until_only_we_live();
}

SCENARIO(the_first_run_of_an_interval_is_now)
{
    for (int i = 0; i < 9; i++) {
        cosched_token t;
        runs = 0;
        EXPECT_EQ(
            cosched_every(&t, HOUR_NS, (cosched_overrun)(i / 3), count_run, NULL, run_at(place(i))),
            0);
        UNTIL(runs == 1);
        EXPECT(cosched_token_cancel(&t));
        until_only_we_live();
        EXPECT_EQ(runs, 1);
    }
}

/* One that never gets ahead of its times does not keep its executor to itself. */
SCENARIO(an_interval_that_is_always_behind_lets_others_run)
{
    cosched_token t[6];
    runs = 0;
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(cosched_every(&t[i], 1, (cosched_overrun)(i % 3), count_run, NULL,
                                run_at(i < 3 ? COSCHED_MAIN : COSCHED_WORKER)),
                  0);
    }
    for (int i = 0; i < 50; i++) {
        EXPECT_EQ(run_join(run_spawn(run_return, (void *)2, place(i))), 2);
        cosched_yield();
    }
    UNTIL(runs > 100);
    for (int i = 0; i < 6; i++) {
        EXPECT(cosched_token_cancel(&t[i]));
    }
    until_only_we_live();
}

static int64_t not_before(void *arg)
{
    EXPECT(cosched_now() >= *(int64_t *)arg);
    EXPECT(!cosched_cancelled());
    atomic_fetch_add(&runs, 1);
    return 0;
}

SCENARIO(never_before_its_time_wherever_it_runs)
{
    runs = 0;
    for (int i = 0; i < 200; i++) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .affinity = place(i), .arg_size = sizeof(int64_t)};
        int64_t delay = (i % 7) * 700000, deadline = cosched_now() + delay;
        EXPECT_EQ(cosched_after(NULL, i % 7 == 0 ? -i : delay, not_before, &deadline, &attr), 0);
    }
    UNTIL(runs == 200);
    until_only_we_live();
}

struct interval {
    int64_t t0, d, last_end;
    cosched_overrun overrun;
    int k, want;
    cosched_token token;
};

/* Takes 3 intervals and a bit. */
static int64_t slow_run(void *arg)
{
    struct interval *v = arg;
    int64_t begin = cosched_now();
    EXPECT_EQ(atomic_fetch_add(&inside, 1), 0); /* never overlaps */
    EXPECT(begin >= v->last_end);
    int64_t least = v->overrun == COSCHED_BURST ? v->k : v->overrun == COSCHED_SKIP ? 4 * v->k : 0;
    EXPECT(begin >= v->t0 + least * v->d);
    if (v->overrun == COSCHED_SKIP &&
        v->k > 0) { /* a time of the grid lies between the end of the last and this */
        EXPECT((begin - v->t0) / v->d > (v->last_end - v->t0 - 1) / v->d - 1);
    }
    EXPECT_EQ(cosched_sleep_until(begin + 3 * v->d + v->d / 2), 0);
    v->k++;
    v->last_end = cosched_now();
    atomic_fetch_sub(&inside, 1);
    if (v->k == v->want) {
        EXPECT(cosched_token_cancel(&v->token));
        EXPECT(!cosched_token_cancel(&v->token));
        atomic_fetch_add(&runs, 1);
    }
    return 0;
}

static int64_t arm_slow(void *arg)
{
    struct interval *v = arg;
    v->t0 = cosched_now();
    return cosched_every(&v->token, v->d, v->overrun, slow_run, v, run_at(COSCHED_INHERIT));
}

SCENARIO(a_run_that_outlasts_its_interval_is_never_overlapped)
{
    for (int overrun = COSCHED_SKIP; overrun <= COSCHED_DELAY; overrun++) {
        static struct interval v;
        v = (struct interval){.d = COS_NS_PER_MS, .overrun = (cosched_overrun)overrun, .want = 4};
        runs = inside = 0;
        /* On MAIN the token is written before its first run, which comes later on this thread. */
        EXPECT_EQ(arm_slow(&v), 0);
        UNTIL(runs == 1);
        until_only_we_live();
        EXPECT_EQ(v.k, v.want);
    }
}

/* --- results and arguments ------------------------------------------------------------------------------------ */

static int64_t fails_from_third(void *arg)
{
    (void)arg;
    return atomic_fetch_add(&runs, 1) >= 2 ? -EIO : 0;
}

static cosched_token mine;

static int64_t fails_until_tenth(void *arg)
{
    (void)arg;
    if (atomic_fetch_add(&runs, 1) == 9) {
        EXPECT(cosched_token_cancel(&mine));
    }
    return -EIO;
}

SCENARIO(what_an_interval_does_about_errors)
{
    cosched_attr attr = {
        .struct_size = sizeof attr, .affinity = COSCHED_MAIN, .flags = COSCHED_STOP_ON_ERROR};
    runs = 0;
    EXPECT_EQ(cosched_every(&mine, 1, COSCHED_BURST, fails_from_third, NULL, &attr), 0);
    until_only_we_live();
    EXPECT_EQ(runs, 3);
    EXPECT(!cosched_token_cancel(&mine));
    attr.flags = COSCHED_BACK_OFF;
    for (int i = 0; i < 2; i++) {
        runs = 0;
        int64_t before = cosched_now(), d = 10000;
        EXPECT_EQ(cosched_every(&mine, d, COSCHED_SKIP, fails_until_tenth, NULL, &attr), 0);
        until_only_we_live();
        EXPECT_EQ(runs, 10);
        int64_t least = attr.flags != 0 ? 2 + 4 + 8 + 16 + 32 + 4 * 64 : 9;
        EXPECT(cosched_now() >= before + least * d);
        attr.flags = 0; /* goes on */
    }
}

struct copied {
    uint64_t a, b, c, d;
};

static int64_t sees_its_copy(void *arg)
{
    struct copied *v = arg;
    EXPECT(v->a == 1 && v->b == 2 && v->c == 3 && v->d == 4);
    v->a = 1;
    atomic_fetch_add(&runs, 1);
    return 0;
}

SCENARIO(arguments_are_copied_or_passed_and_attributes_apply_to_each_run)
{
    struct copied v = {1, 2, 3, 4};
    cosched_attr attr = {
        .struct_size = sizeof attr, .arg_size = sizeof v, .affinity = COSCHED_WORKER};
    cosched_token t;
    runs = 0;
    EXPECT_EQ(cosched_after(NULL, 1, sees_its_copy, &v, &attr), 0);
    EXPECT_EQ(cosched_every(&t, 1000, COSCHED_SKIP, sees_its_copy, &v, &attr), 0);
    v = (struct copied){0};
    UNTIL(runs >= 5);
    EXPECT(cosched_token_cancel(&t));
    until_only_we_live();
    /* A thread of its own for each run; a timeout that counts from the start of the run, not of the waiting. */
    runs = 0;
    cosched_attr own = {
        .struct_size = sizeof own, .affinity = COSCHED_BLOCKING, .flags = COSCHED_PINNED};
    EXPECT_EQ(cosched_after(NULL, 1, count_run, NULL, &own), 0);
    UNTIL(runs == 1);
    cosched_attr brief = {
        .struct_size = sizeof brief, .timeout_ns = HOUR_NS, .arg_size = sizeof(int64_t)};
    int64_t deadline = cosched_now() + 2 * COS_NS_PER_MS;
    EXPECT_EQ(cosched_after(NULL, 2 * COS_NS_PER_MS, not_before, &deadline, &brief), 0);
    brief = (cosched_attr){.struct_size = sizeof brief, .timeout_ns = 1000};
    EXPECT_EQ(cosched_after(NULL, 1, run_until_canceled, NULL, &brief), 0); /* ends by its timeout */
    UNTIL(runs == 2);
    until_only_we_live();
}

static int64_t arms_from_own_thread(void *arg)
{
    EXPECT_EQ(cosched_after(NULL, 1000, count_run, NULL, run_at(COSCHED_INHERIT)), 0);
    EXPECT_EQ(cosched_after(NULL, 1000, count_run, NULL, run_at(COSCHED_MAIN)), 0);
    return run_return(arg);
}

SCENARIO(armed_from_a_thread_that_ends_before)
{
    runs = 0;
    EXPECT_EQ(run_join(run_spawn(arms_from_own_thread, (void *)3, COSCHED_BLOCKING)), 3);
    UNTIL(runs == 2);
    until_only_we_live();
}

SCENARIO(what_is_refused)
{
    cosched_token t;
    cosched_attr attr = {.struct_size = sizeof attr, .arg_size = COSCHED_ARG_MAX + 1};
    EXPECT_EQ(cosched_after(&t, 1, count_run, NULL, &attr), -EINVAL);
    attr = (cosched_attr){.struct_size = sizeof attr, .flags = COSCHED_BACK_OFF};
    EXPECT_EQ(cosched_after(&t, 1, count_run, NULL, &attr), -EINVAL);
    EXPECT_EQ(cosched_at(&t, 1, count_run, NULL, &attr), -EINVAL);
    EXPECT_EQ(cosched_spawn(NULL, count_run, NULL, &attr), -EINVAL);
    attr.flags |= COSCHED_STOP_ON_ERROR;
    EXPECT_EQ(cosched_every(&t, 1, COSCHED_SKIP, count_run, NULL, &attr), -EINVAL);
    EXPECT_EQ(cosched_every(&t, 0, COSCHED_SKIP, count_run, NULL, NULL), -EINVAL);
    EXPECT_EQ(cosched_every(&t, 1, (cosched_overrun)7, count_run, NULL, NULL), -EINVAL);
    EXPECT_EQ(cosched_after(&t, 1, NULL, NULL, NULL), -EINVAL);
    attr = (cosched_attr){.struct_size = sizeof attr + 1};
    EXPECT_EQ(cosched_after(&t, 1, count_run, NULL, &attr), -EINVAL);
    EXPECT_EQ(run_stats().tasks_live, 1);
}

/* --- the wall clock ---------------------------------------------------------------------------------------------- */

static int64_t wall_not_before(void *arg)
{
    EXPECT(cos_later_wall() >= *(int64_t *)arg);
    atomic_fetch_add(&runs, 1);
    return 0;
}

static int at_wall(int64_t when, cosched_affinity affinity)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = affinity, .arg_size = sizeof when};
    return cosched_at(NULL, when, wall_not_before, &when, &attr);
}

SCENARIO(at_follows_a_wall_clock_that_is_set)
{
    runs = 0;
    EXPECT_EQ(at_wall(-5, COSCHED_WORKER), 0);
    EXPECT_EQ(at_wall(cos_later_wall() + COS_NS_PER_MS, COSCHED_MAIN), 0);
    UNTIL(runs == 2);
    EXPECT_EQ(at_wall(cos_later_wall() + HOUR_NS, COSCHED_WORKER), 0);
    EXPECT_EQ(at_wall(cos_later_wall() + HOUR_NS, COSCHED_MAIN), 0);
    EXPECT_EQ(at_wall(cos_later_wall() + 5 * COS_NS_PER_MS, COSCHED_WORKER), 0);
    cos_later_shift_wall(-HOUR_NS); /* back: the last one waits an hour more, or was faster */
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(6)), 0);
    cos_later_shift_wall(HOUR_NS + COS_NS_PER_S); /* forward: all three are due */
    UNTIL(runs == 5);
    cos_later_shift_wall(0);
    until_only_we_live();
}

int main(void)
{
    seed = run_seed();
    const struct run_test tests[] = {
        ONCE(times_of_an_interval_are_multiples_whatever_its_runs_take),
        ONCE(a_wall_clock_is_looked_at_again_within_a_second),
        EACH(fires_in_the_order_of_times_whatever_the_order_of_arming),
        EACH(times_of_the_wall_clock_come_in_their_order),
        EACH(due_together_they_run_in_line_over_many_turns),
        EACH(the_first_run_of_an_interval_is_now),
        EACH(an_interval_that_is_always_behind_lets_others_run),
        EACH(never_before_its_time_wherever_it_runs),
        EACH(a_run_that_outlasts_its_interval_is_never_overlapped),
        EACH(what_an_interval_does_about_errors),
        EACH(arguments_are_copied_or_passed_and_attributes_apply_to_each_run),
        EACH(armed_from_a_thread_that_ends_before),
        EACH(what_is_refused),
        EACH(at_follows_a_wall_clock_that_is_set),
    };
    return run_suite("later", tests, sizeof tests / sizeof tests[0]);
}
