/* COSCHED_FPENV: a rounding mode goes where its task goes, and nowhere else. */
#include <fenv.h>
#include <float.h>

#include "run.h"

enum { STEPS = 40, MODES = 4 };

static const int modes[MODES] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

/* What 1 and -1 become when a part of their last place is added says how arithmetic rounds. */
#define MODE_OF(type, epsilon)                                                          \
    static int mode_of_##type(void)                                                     \
    {                                                                                   \
        volatile type one = 1, minus = -1, quarter = (epsilon) / 4, most = 3 * quarter; \
        volatile type up = one + quarter, down = minus - quarter, near = one + most;    \
        if (up > one) {                                                                 \
            return FE_UPWARD;                                                           \
        }                                                                               \
        return down < minus ? FE_DOWNWARD : near > one ? FE_TONEAREST : FE_TOWARDZERO;  \
    }

typedef long double extended;
MODE_OF(double, DBL_EPSILON)
MODE_OF(extended, LDBL_EPSILON) /* on x86-64 the 387 computes it, which has a mode of its own */

static void expect_mode(int mode)
{
    EXPECT_EQ(fegetround(), mode);
    EXPECT_EQ(mode_of_double(), mode);
    EXPECT_EQ(mode_of_extended(), mode);
}

static int64_t expect_nearest(void *arg)
{
    expect_mode(FE_TONEAREST);
    return run_return(arg);
}

static int64_t expect_in_call(void *arg)
{
    expect_mode((int)(intptr_t)arg);
    cosched_yield();
    expect_mode((int)(intptr_t)arg);
    return 0;
}

static cosched_attr at(cosched_affinity affinity, uint32_t flags)
{
    return (cosched_attr){.struct_size = sizeof(cosched_attr), .affinity = affinity, .flags = flags};
}

/* Suspends in one of the ways there are. */
static void step(int i, int mode)
{
    switch (i % 7) {
    case 0: cosched_yield(); break;
    case 1: cosched_hop(COSCHED_WORKER); break;
    case 2: EXPECT_EQ(cosched_sleep_until(cosched_in_ns(1)), 0); break;
    case 3: cosched_hop(COSCHED_MAIN); break;
    case 4: {
        int rc = cosched_call(NULL, cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN,
                              expect_in_call, (void *)(intptr_t)mode, COSCHED_NEVER);
        EXPECT_EQ(rc, cosched_where() == COSCHED_BLOCKING ? -EPERM : 0);
        break;
    }
    case 5: EXPECT_EQ(cosched_blocking(NULL, expect_nearest, NULL), 0); break;
    default: EXPECT_EQ(run_join(run_spawn(expect_nearest, (void *)3, COSCHED_INHERIT)), 3); break;
    }
}

static int64_t rounds(void *arg)
{
    int mode = modes[(intptr_t)arg % MODES];
    expect_mode(FE_TONEAREST);
    EXPECT_EQ(fesetround(mode), 0);
    for (int i = 0; i < STEPS; i++) {
        step(i + (int)(intptr_t)arg, mode);
        expect_mode(mode);
    }
    return 0; /* without putting it back */
}

static int64_t neighbour(void *arg)
{
    for (int i = 0; i < STEPS; i++) {
        expect_mode(FE_TONEAREST);
        step(i + (int)(intptr_t)arg, FE_TONEAREST);
    }
    return 0;
}

SCENARIO(each_task_rounds_in_its_own_way_wherever_it_goes)
{
    enum { TASKS = 16 };

    cosched_task own[TASKS], plain[TASKS];
    for (intptr_t i = 0; i < TASKS; i++) {
        cosched_attr attr = at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN, COSCHED_FPENV);
        EXPECT_EQ(cosched_spawn(&own[i], rounds, (void *)i, &attr), 0);
        plain[i] = run_spawn(neighbour, (void *)i, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < TASKS; i++) {
        EXPECT_EQ(run_join(own[i]), 0);
        EXPECT_EQ(run_join(plain[i]), 0);
    }
    expect_mode(FE_TONEAREST);
}

static int64_t sets_and_ends(void *arg)
{
    EXPECT_EQ(fesetround(FE_UPWARD), 0);
    return run_return(arg);
}

/* What might run on the stack, and with it in the environment, of who awaits it. */
static int64_t parent(void *arg)
{
    int mode = (int)(intptr_t)arg;
    EXPECT_EQ(fesetround(mode), 0);
    for (int i = 0; i < 20; i++) {
        cosched_attr attr = at(COSCHED_INHERIT, COSCHED_FPENV);
        cosched_task t;
        EXPECT_EQ(cosched_spawn(&t, sets_and_ends, (void *)2, &attr), 0);
        EXPECT_EQ(run_join(t), 2);
        expect_mode(mode);
        EXPECT_EQ(run_join(run_spawn(expect_nearest, (void *)1, COSCHED_INHERIT)), 1);
        expect_mode(mode);
    }
    return 0;
}

SCENARIO(an_awaited_task_does_not_borrow_its_awaiters_mode)
{
    for (int i = 0; i < 4; i++) {
        cosched_attr attr = at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN, i < 2 ? COSCHED_FPENV : 0);
        cosched_task t;
        int mode = i < 2 ? FE_DOWNWARD : FE_TONEAREST;
        EXPECT_EQ(cosched_spawn(&t, parent, (void *)(intptr_t)mode, &attr), 0);
        EXPECT_EQ(run_join(t), 0);
        expect_mode(FE_TONEAREST);
    }
}

static int64_t starts_threads(void *arg)
{
    EXPECT_EQ(fesetround(FE_UPWARD), 0);
    EXPECT_EQ(cosched_blocking(NULL, expect_nearest, NULL), 0); /* in a thread made just now */
    EXPECT_EQ(run_join(run_spawn(expect_nearest, (void *)5, COSCHED_BLOCKING)), 5);
    cosched_attr attr = at(COSCHED_BLOCKING, COSCHED_PINNED | COSCHED_FPENV);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, rounds, (void *)2, &attr), 0);
    EXPECT_EQ(run_join(t), 0);
    expect_mode(FE_UPWARD);
    return run_return(arg);
}

/* A new thread inherits the environment of the thread that starts it, which may be a task's. */
SCENARIO(threads_started_by_such_a_task_are_as_others)
{
    cosched_attr attr = at(COSCHED_WORKER, COSCHED_FPENV);
    attr.timeout_ns = INT64_C(3600000000000);
    cosched_task t;
    EXPECT_EQ(cosched_spawn(&t, starts_threads, (void *)9, &attr), 0);
    EXPECT_EQ(run_join(t), 9);
}

static atomic_int runs;

static int64_t run_of_interval(void *arg)
{
    expect_mode(FE_TONEAREST);
    EXPECT_EQ(fesetround(FE_TOWARDZERO), 0);
    cosched_yield();
    expect_mode(FE_TOWARDZERO);
    atomic_fetch_add(&runs, 1);
    return run_return(arg);
}

SCENARIO(runs_of_an_interval_have_it_too)
{
    runs = 0;
    cosched_attr attr = at(COSCHED_WORKER, COSCHED_FPENV);
    cosched_token t;
    EXPECT_EQ(cosched_every(&t, 1000, COSCHED_SKIP, run_of_interval, NULL, &attr), 0);
    while (runs < 20) {
        expect_mode(FE_TONEAREST);
        cosched_yield();
    }
    EXPECT(cosched_token_cancel(&t));
    UNTIL(run_stats().tasks_live == 1);
}

RUN_MAIN("fpenv", EACH(each_task_rounds_in_its_own_way_wherever_it_goes),
         EACH(an_awaited_task_does_not_borrow_its_awaiters_mode),
         EACH(threads_started_by_such_a_task_are_as_others), EACH(runs_of_an_interval_have_it_too))
