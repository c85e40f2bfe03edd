/* sched/wheel: against a model that looks at every timer. Seeded: COSCHED_SEED repeats a run. */
#include <stdio.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/rng.h"
#include "sched/wheel.h"
#include "suite.h"

#define MS COS_WHEEL_TICK_NS

static struct cos_wheel wheel;
static struct cos_list due;
static uint64_t rng;

static void setup(int64_t now)
{
    cos_wheel_init(&wheel, now);
    cos_list_init(&due);
}

static void seed(void)
{
    const char *given = getenv("COSCHED_SEED");
    rng = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    rng += rng == 0;
    printf("COSCHED_SEED=%lu\n", (unsigned long)rng);
}

static int64_t ceil_ms(int64_t ns)
{
    return (ns + MS - 1) / MS * MS;
}

static int expire(int64_t now)
{
    int n = 0;
    int64_t last = 0, first_tick = wheel.tick *
                                   MS; /* what had passed when it was armed shares the first tick */
    bool early = false, disorder = false;
    struct cos_timer *t;
    cos_wheel_expire(&wheel, now, &due);
    while ((t = cos_wheel_pop_due(&wheel, &due)) != NULL) {
        early |= t->deadline_ns > now;
        disorder |= ceil_ms(t->deadline_ns) < last && last > first_tick;
        last = ceil_ms(t->deadline_ns);
        n++;
    }
    ck_assert(!early && !disorder); /* once: ck_assert costs more than a timer */
    return n;
}

START_TEST(never_early_and_not_a_tick_late)
{
    static const int64_t delays[] = {1,
                                     MS - 1,
                                     MS,
                                     MS + 1,
                                     63 * MS,
                                     64 * MS,
                                     65 * MS,
                                     4095 * MS,
                                     4096 * MS,
                                     4097 * MS,
                                     262143 * MS,
                                     262144 * MS,
                                     5 * 3600000 * MS,
                                     400 * 86400000LL * MS};
    for (int64_t start = 0; start < 200 * MS; start += 7 * MS + 3) {
        for (unsigned i = 0; i < sizeof delays / sizeof delays[0]; i++) {
            struct cos_timer t = {0};
            setup(start);
            int64_t deadline = start + delays[i], now = start;
            cos_wheel_arm(&wheel, &t, deadline);
            int looks = 0;
            for (;; looks++) { /* as an executor does: sleep until next, look */
                int64_t next = cos_wheel_next(&wheel);
                ck_assert_int_le(next, ceil_ms(deadline));
                ck_assert_int_ge(next, now);
                ck_assert_int_eq(expire(next - 1), 0);
                now = next;
                if (expire(now) == 1) {
                    break;
                }
            }
            ck_assert_int_eq(now, ceil_ms(deadline));
            ck_assert_int_le(looks, COS_WHEEL_LEVELS);
            ck_assert_int_eq(cos_wheel_next(&wheel), INT64_MAX);
        }
    }
}

END_TEST

START_TEST(a_passed_deadline_is_due_at_once)
{
    struct cos_timer t[3] = {0};
    setup(1000 * MS + 5);
    cos_wheel_arm(&wheel, &t[0], 0);
    cos_wheel_arm(&wheel, &t[1], -5);
    cos_wheel_arm(&wheel, &t[2], 1000 * MS);
    ck_assert_int_le(cos_wheel_next(&wheel), 1000 * MS + 5);
    ck_assert_int_eq(expire(1000 * MS + 5), 3);
}

END_TEST

START_TEST(disarm_in_a_slot_and_in_the_list_of_due_ones)
{
    struct cos_timer t[3] = {0};
    setup(0);
    ck_assert(!cos_wheel_disarm(&wheel, &t[0]));
    for (int i = 0; i < 3; i++) {
        cos_wheel_arm(&wheel, &t[i], 5 * MS + i);
    }
    ck_assert(cos_wheel_disarm(&wheel, &t[0]));
    cos_wheel_expire(&wheel, 10 * MS, &due);
    ck_assert(cos_wheel_disarm(&wheel, &t[2]));
    ck_assert_ptr_eq(cos_wheel_pop_due(&wheel, &due), &t[1]);
    ck_assert_ptr_null(cos_wheel_pop_due(&wheel, &due));
    ck_assert(!cos_wheel_disarm(&wheel, &t[1]));
    ck_assert_int_eq(cos_wheel_next(&wheel), INT64_MAX);
    ck_assert_uint_eq(wheel.armed, 0);
    cos_wheel_arm(&wheel, &t[1], 11 * MS); /* and again */
    ck_assert_int_eq(expire(11 * MS), 1);
}

END_TEST

static int visits;

static void visit(struct cos_timer *t)
{
    ck_assert(t->armed);
    visits++;
}

START_TEST(each_visits_what_is_armed_on_every_level)
{
    static struct cos_timer t[COS_WHEEL_LEVELS + 2];
    setup(5 * MS);
    for (int i = 0; i < COS_WHEEL_LEVELS + 2; i++) {
        visits = 0;
        cos_wheel_each(&wheel, visit);
        ck_assert_int_eq(visits, i);
        cos_wheel_arm(&wheel, &t[i], i == 0 ? 0 : MS << 6 * i);
    }
    ck_assert(cos_wheel_disarm(&wheel, &t[2]));
    ck_assert_int_eq(expire(5 * MS), 1);
    visits = 0;
    cos_wheel_each(&wheel, visit);
    ck_assert_int_eq(visits, COS_WHEEL_LEVELS);
}

END_TEST

START_TEST(beyond_the_range_and_to_the_end_of_time)
{
    struct cos_timer t[4] = {0};
    int64_t range = (INT64_C(1) << COS_WHEEL_RANGE_BITS) * MS;
    setup(3 * MS);
    cos_wheel_arm(&wheel, &t[0], range - MS);
    cos_wheel_arm(&wheel, &t[1], range);
    cos_wheel_arm(&wheel, &t[2], 3 * range + 5);
    cos_wheel_arm(&wheel, &t[3], INT64_MAX);
    ck_assert_int_eq(expire(range - MS - 1), 0);
    ck_assert_int_eq(expire(range - 1), 1);
    ck_assert_int_le(cos_wheel_next(&wheel), range);
    ck_assert_int_eq(expire(range), 1);
    ck_assert_int_le(cos_wheel_next(&wheel), 3 * range);
    ck_assert_int_eq(expire(3 * range + 5), 0);
    ck_assert_int_eq(expire(3 * range + MS), 1);
    ck_assert_int_eq(expire(INT64_MAX - MS), 0);
    ck_assert(cos_wheel_disarm(&wheel, &t[3]));
    ck_assert_int_eq(cos_wheel_next(&wheel), INT64_MAX);
}

END_TEST

enum { MODEL = 300 };

START_TEST(random_operations_agree_with_the_model)
{
    static struct cos_timer t[MODEL];
    int64_t start = (int64_t)(INT64_C(1) << 36) * MS - 50 * MS; /* a block border is near */
    setup(start);
    seed();
    int64_t now = start;
    for (int step = 0; step < 60000; step++) {
        struct cos_timer *one = &t[cos_rng_below(&rng, MODEL)];
        unsigned bits = cos_rng_below(&rng, 42);
        int64_t delay = (int64_t)(cos_rng_next(&rng) & ((UINT64_C(1) << bits) - 1));
        switch (cos_rng_below(&rng, 4)) {
        case 0:
        case 1:
            if (!one->armed) {
                cos_wheel_arm(&wheel, one, now + delay);
            }
            break;
        case 2: {
            bool was = one->armed;
            ck_assert_int_eq(cos_wheel_disarm(&wheel, one), was);
            break;
        }
        default: now += delay; break;
        }
        int64_t first = INT64_MAX;
        int expected = 0, armed = 0;
        for (int i = 0; i < MODEL; i++) {
            if (t[i].armed) {
                int64_t at = ceil_ms(t[i].deadline_ns);
                first = at < first ? at : first;
                expected += at <= now;
                armed++;
            }
        }
        ck_assert_uint_eq(wheel.armed, (uint64_t)armed);
        ck_assert_int_le(cos_wheel_next(&wheel), first);
        ck_assert_int_eq(cos_wheel_next(&wheel) == INT64_MAX, armed == 0);
        ck_assert_int_eq(expire(now), expected);
    }
}

END_TEST

START_TEST(a_million_timers)
{
    enum { MANY = 1000000 };
    struct cos_timer *t = calloc(MANY, sizeof *t);
    ck_assert_ptr_nonnull(t);
    setup(0);
    seed();
    int64_t began = cos_clock_now();
    for (int i = 0; i < MANY; i++) {
        cos_wheel_arm(&wheel, &t[i], (int64_t)cos_rng_below(&rng, 1000000000));
    }
    int64_t armed = cos_clock_now();
    int fired = 0;
    for (int64_t now = 0; now <= 1000 * MS; now += MS) {
        fired += expire(now);
    }
    int64_t expired = cos_clock_now();
    ck_assert_int_eq(fired, MANY);
    printf("arm %ld ns, cascade, expire and pop %ld ns a timer\n", (long)((armed - began) / MANY),
           (long)((expired - armed) / MANY));
    free(t);
}

END_TEST

SUITE_MAIN("wheel", never_early_and_not_a_tick_late, a_passed_deadline_is_due_at_once,
           disarm_in_a_slot_and_in_the_list_of_due_ones, each_visits_what_is_armed_on_every_level,
           beyond_the_range_and_to_the_end_of_time, random_operations_agree_with_the_model,
           a_million_timers)
