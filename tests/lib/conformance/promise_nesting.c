/* Await inside await, to any depth and over both executors: results and errors through every level, and who runs where. */
#define RUN_HELP COSCHED_HELP_OFF
#include "promise.h"

static pthread_t main_thread;

static void expect_side(cosched_affinity side)
{
    EXPECT_EQ(cosched_where(), side);
    EXPECT_EQ(pthread_equal(run_thread(), main_thread) != 0,
              side == COSCHED_MAIN || run_stats().workers == 0);
}

/* One level below: by call, or by a child that is awaited, with a parked awaiter or without. */
static int64_t below(cosched_fn fn, void *arg, cosched_affinity place, int way)
{
    int64_t result = INT64_MIN;
    if (way % 3 == 0) {
        EXPECT_EQ(cosched_call(&result, place, fn, arg, COSCHED_NEVER), 0);
    } else {
        cosched_task t = run_spawn(fn, arg, place);
        EXPECT_EQ(cosched_await(&t, &result, way % 3 == 1 ? COSCHED_NEVER : LATEST), 0);
    }
    return result;
}

/* --- MAIN, WORKER, MAIN, WORKER ---------------------------------------------------------------------------- */

enum { STEPS = 8 };

struct journey {
    int way, steps, at;
    char log[2 * STEPS + 1];
};

static int64_t step(void *arg)
{
    struct journey *j = arg;
    cosched_affinity side = promise_place(j->at);
    int level = j->at++;
    expect_side(side);
    j->log[j->steps++] = side == COSCHED_MAIN ? 'M' : 'W';
    int64_t deeper = j->at < STEPS ? below(step, j, promise_place(j->at), j->way) : 0;
    expect_side(side);
    j->log[j->steps++] = side == COSCHED_MAIN ? 'm' : 'w';
    return deeper + level;
}

PROMISE(main_worker_main_worker_in_this_order_and_back)
{
    main_thread = run_thread();
    for (int way = 0; way < 3; way++) {
        for (int round = 0; round < 20; round++) {
            struct journey j = {.way = way};
            EXPECT_EQ(step(&j), STEPS * (STEPS - 1) / 2);
            EXPECT(strcmp(j.log, "MWMWMWMWwmwmwmwm") == 0);
        }
    }
}

/* --- chains ------------------------------------------------------------------------------------------------ */

struct chain {
    int left, stride, way;
};

/* Every stride-th level is MAIN's. */
static cosched_affinity chain_place(const struct chain *c)
{
    return c->left % c->stride == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

static int64_t link(void *arg)
{
    struct chain *c = arg;
    cosched_affinity side = chain_place(c);
    expect_side(side);
    if (c->left == 0) {
        return 0;
    }
    struct chain next = {c->left - 1, c->stride, c->way};
    int64_t result = below(link, &next, chain_place(&next), c->way < 3 ? c->way : c->left);
    expect_side(side);
    return result + 1;
}

static void chain(int depth, int stride, int way)
{
    struct chain c = {depth, stride, way};
    EXPECT_EQ(below(link, &c, chain_place(&c), 0), depth);
}

PROMISE(long_chains_that_alternate_unwind_to_where_they_came_from)
{
    main_thread = run_thread();
    for (int way = 0; way < 4; way++) {
        chain(RUN_SIZE(1000, 300, 150), 2, way);
    }
}

PROMISE(strided_patterns_of_places_hold_at_every_level)
{
    static const int strides[] = {1, 3, 5, 7, 64};
    main_thread = run_thread();
    for (size_t i = 0; i < sizeof strides / sizeof strides[0]; i++) {
        chain(RUN_SIZE(300, 150, 80), strides[i], 3);
    }
}

/* --- depth and errors -------------------------------------------------------------------------------------- */

struct ladder {
    int64_t left, result;
    cosched_affinity place;
    int way;
};

/* Each level takes one from what came up to it: the sum tells that none was passed over. */
static int64_t rung(void *arg)
{
    const struct ladder *l = arg;
    if (l->left == 0) {
        return l->result;
    }
    struct ladder next = *l;
    next.left--;
    return below(rung, &next, l->place, l->way) - 1;
}

PROMISE(results_and_errors_pass_through_every_level)
{
    static const int64_t results[] = {1000000, 0, -EIO};
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        for (int i = 0; i < 9; i++) {
            struct ladder l = {RUN_SIZE(2000, 500, 200), results[i / 3], (cosched_affinity)place,
                               i % 3};
            EXPECT_EQ(below(rung, &l, l.place, i), results[i / 3] - l.left);
        }
    }
}

static atomic_int opened, closed;

/* Leaves at the first error, and cleans up behind itself. */
static int64_t careful(void *arg)
{
    intptr_t left = (intptr_t)arg;
    atomic_fetch_add(&opened, 1);
    int64_t result =
        left == 0 ? -ENOSPC : below(careful, (void *)(left - 1), promise_place(left / 2), (int)left);
    atomic_fetch_add(&closed, 1);
    return result;
}

PROMISE(an_error_at_the_bottom_is_the_answer_at_the_top)
{
    opened = closed = 0;
    EXPECT_EQ(careful((void *)200), -ENOSPC);
    EXPECT_EQ(opened, 201);
    EXPECT_EQ(closed, 201);
}

PROMISE_MAIN("promise_nesting", ALL(main_worker_main_worker_in_this_order_and_back),
             ALL(long_chains_that_alternate_unwind_to_where_they_came_from),
             ALL(strided_patterns_of_places_hold_at_every_level),
             ALL(results_and_errors_pass_through_every_level),
             ALL(an_error_at_the_bottom_is_the_answer_at_the_top))
