/* cosched_defer: what a task gives back at its end, however that comes. */
#include "base/alloc.h"
#include "run.h"

static struct {
    _Atomic(int) count;
    int at[64];
} order;

static void note(void *arg)
{
    order.at[atomic_fetch_add(&order.count, 1)] = (int)(intptr_t)arg;
}

static void fresh(void)
{
    memset(&order, 0, sizeof order);
}

static int64_t defers_in_a_call(void *arg)
{
    EXPECT_EQ(cosched_defer(note, arg), 0);
    return 0;
}

static int64_t defers(void *arg)
{
    int n = (int)(intptr_t)arg;
    for (intptr_t i = 0; i < n; i++) {
        if (i % 3 == 2) { /* a call is part of its task: this runs at the end of the task, too */
            cosched_call(NULL, COSCHED_INHERIT, defers_in_a_call, (void *)i, COSCHED_NEVER);
        } else {
            EXPECT_EQ(cosched_defer(note, (void *)i), 0);
        }
    }
    EXPECT_EQ(order.count, 0);
    return n;
}

SCENARIO(the_last_deferred_runs_first_at_the_end_of_the_task)
{
    for (intptr_t n = 0; n < 40; n++) {
        for (int own = 0; own < 2; own++) {
            fresh();
            cosched_task t = run_spawn(defers, (void *)n, COSCHED_INHERIT);
            int64_t result = 0;
            EXPECT_EQ(cosched_await(&t, &result, own ? cosched_in_ms(100000) : COSCHED_NEVER), 0);
            EXPECT_EQ(result, n); /* the result is the body's */
            EXPECT_EQ(order.count, n);
            for (int i = 0; i < n; i++) {
                EXPECT_EQ(order.at[i], n - 1 - i);
            }
        }
    }
}

static int64_t inner(void *arg)
{
    EXPECT_EQ(cosched_defer(note, arg), 0);
    return 0;
}

static int64_t outer(void *arg)
{
    EXPECT_EQ(cosched_defer(note, (void *)1), 0);
    EXPECT_EQ(run_join(run_spawn(inner, (void *)2, (cosched_affinity)(intptr_t)arg)), 0);
    EXPECT_EQ(order.count, 1); /* the inner one's has run before it was seen to end; ours has not */
    EXPECT_EQ(cosched_defer(note, (void *)3), 0);
    return 0;
}

SCENARIO(an_inlined_task_has_its_own)
{
    for (intptr_t where = COSCHED_INHERIT; where <= COSCHED_WORKER; where++) {
        fresh();
        EXPECT_EQ(run_join(run_spawn(outer, (void *)where, COSCHED_INHERIT)), 0);
        EXPECT_EQ(order.count, 3);
        EXPECT(order.at[0] == 2 && order.at[1] == 3 && order.at[2] == 1);
    }
}

/* --- and children --------------------------------------------------------------------------------------------------- */

struct shared {
    _Atomic(int) alive; /* cleared by the clean-up: no child may see that */
    _Atomic(int) ended;
};

static int64_t uses_shared(void *arg)
{
    struct shared *s = arg;
    cosched_sleep_until(COSCHED_NEVER);
    for (int i = 0; i < 3; i++) {
        cosched_yield();
        EXPECT(atomic_load(&s->alive));
    }
    atomic_fetch_add(&s->ended, 1);
    return 0;
}

static void gives_back(void *arg)
{
    struct shared *s = arg;
    EXPECT_EQ(s->ended, 3);
    atomic_store(&s->alive, 0);
}

static int64_t parent(void *arg)
{
    EXPECT_EQ(cosched_defer(gives_back, arg), 0);
    for (int i = 0; i < 3; i++) {
        (void)run_spawn(uses_shared, arg, COSCHED_WORKER);
    }
    return 0;
}

SCENARIO(children_are_joined_before_what_they_use_is_given_back)
{
    struct shared s = {1, 0};
    EXPECT_EQ(run_join(run_spawn(parent, &s, COSCHED_INHERIT)), 0);
    EXPECT(s.alive == 0 && s.ended == 3);
}

static int64_t child_of_a_clean_up(void *arg)
{
    cosched_sleep_until(COSCHED_NEVER);
    note(arg);
    return 0;
}

static void spawns_and_defers(void *arg)
{
    note(arg);
    (void)run_spawn(child_of_a_clean_up, (void *)20, COSCHED_WORKER);
    EXPECT_EQ(cosched_defer(note, (void *)30), 0);
    cosched_yield();
}

static int64_t busy_end(void *arg)
{
    EXPECT_EQ(cosched_defer(note, (void *)40), 0);
    EXPECT_EQ(cosched_defer(spawns_and_defers, (void *)10), 0);
    return (int64_t)(intptr_t)arg;
}

SCENARIO(a_clean_up_may_suspend_spawn_and_defer)
{
    fresh();
    EXPECT_EQ(run_join(run_spawn(busy_end, (void *)5, COSCHED_WORKER)), 5);
    EXPECT_EQ(order.count, 4);
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(order.at[i], 10 * (i + 1));
    }
}

/* --- cancelled ------------------------------------------------------------------------------------------------------ */

static void suspends(void *arg)
{
    EXPECT(cosched_cancelled());
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(100000)), -ECANCELED);
    cosched_scope shield;
    EXPECT_EQ(cosched_scope_begin(&shield, cosched_in_ms(100000), COSCHED_SHIELD), 0);
    EXPECT_EQ(cosched_sleep_until(cosched_in_ms(1)), 0);
    cosched_scope_end(&shield);
    note(arg);
}

static int64_t waits_to_be_cancelled(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_defer(suspends, (void *)1), 0);
    return cosched_sleep_until(COSCHED_NEVER);
}

SCENARIO(it_runs_when_the_task_was_cancelled)
{
    fresh();
    cosched_task t = run_spawn(waits_to_be_cancelled, NULL, COSCHED_WORKER);
    cosched_yield();
    cosched_cancel(t);
    EXPECT_EQ(run_join(t), -ECANCELED);
    EXPECT_EQ(order.count, 1);
}

/* --- errors ---------------------------------------------------------------------------------------------------------- */

static int64_t without_memory(void *arg)
{
    (void)arg;
    EXPECT_EQ(cosched_defer(note, (void *)1), 0);
    for (int i = 1; i < 7; i++) {
        EXPECT_EQ(cosched_defer(note, (void *)1), 0);
    }
    cos_alloc_fail_at(1);
    EXPECT_EQ(cosched_defer(note, (void *)2), -ENOMEM);
    cos_alloc_fail_at(0);
    EXPECT_EQ(cosched_defer(note, (void *)3), 0);
    EXPECT_EQ(cosched_defer(NULL, NULL), -EINVAL);
    return 0;
}

SCENARIO_ON(0, no_memory_is_an_error)
{
    fresh();
    EXPECT_EQ(run_join(run_spawn(without_memory, NULL, COSCHED_INHERIT)), 0);
    EXPECT_EQ(order.count, 8);
    EXPECT_EQ(order.at[0], 3);
    EXPECT_EQ(order.at[1], 1);
}

START_TEST(outside_tasks_there_is_no_end)
{
    EXPECT_EQ(cosched_defer(note, NULL), -EPERM);
}

END_TEST

RUN_MAIN("defer", EACH(the_last_deferred_runs_first_at_the_end_of_the_task),
         EACH(an_inlined_task_has_its_own),
         EACH(children_are_joined_before_what_they_use_is_given_back),
         EACH(a_clean_up_may_suspend_spawn_and_defer), EACH(it_runs_when_the_task_was_cancelled),
         ONCE(no_memory_is_an_error), ONCE(outside_tasks_there_is_no_end))
