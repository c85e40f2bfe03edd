/* Mutexes: one holder, first come first served, handed over and never free in between; and whoever gives up is forgotten. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_sync.h"

struct guarded {
    cosched_mutex m;
    int inside, total; /* plain: the mutex is all that guards them */
};

static void enter(struct guarded *g)
{
    EXPECT_EQ(g->inside++, 0);
}

static void leave(struct guarded *g)
{
    EXPECT_EQ(--g->inside, 0);
    g->total++;
    cosched_mutex_unlock(&g->m);
}

SCENARIO(a_zeroed_mutex_is_free_and_its_holder_is_known)
{
    cosched_mutex m = {{NULL}};
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NEVER), -EDEADLK);
    EXPECT(!cosched_mutex_try(&m));
    cosched_mutex_unlock(&m);
    EXPECT(cosched_mutex_try(&m));
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NOW), -EDEADLK);
    cosched_mutex_unlock(&m);
}

START_TEST(outside_of_tasks_nobody_can_hold_it)
{
    cosched_mutex m = {{NULL}};
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NOW), -EPERM);
    EXPECT(!cosched_mutex_try(&m));
}

END_TEST

static int64_t unlock_it(void *arg)
{
    cosched_mutex_unlock(arg);
    return 0;
}

static int64_t unlock_what_another_holds(void *arg)
{
    cosched_mutex m = {{NULL}};
    (void)arg;
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NOW), 0);
    return run_join(sync_spawn_and_let_wait(unlock_it, &m));
}

START_TEST(unlocking_what_another_holds_ends_the_process)
{
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        run_on(0, unlock_what_another_holds);
        _exit(0);
    }
    int status;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

END_TEST

static int64_t count_up(void *arg)
{
    struct guarded *g = arg;
    for (int i = 0; i < RUN_SIZE(2000, 500, 200); i++) {
        EXPECT_EQ(cosched_mutex_lock(&g->m, COSCHED_NEVER), 0);
        enter(g);
        if (i % 37 == 0) { /* a holder may suspend, and move */
            cosched_yield();
            cosched_hop(i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        }
        leave(g);
    }
    return 0;
}

SCENARIO(one_holder_at_a_time_on_all_executors)
{
    struct guarded g = {.total = 0};
    cosched_task t[16];
    for (int i = 0; i < 16; i++) {
        t[i] = run_spawn(count_up, &g, i % 3 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < 16; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(g.total, 16 * RUN_SIZE(2000, 500, 200));
    EXPECT(cosched_mutex_try(&g.m));
    cosched_mutex_unlock(&g.m);
}

static int64_t lock_and_take_a_number(void *arg)
{
    struct guarded *g = arg;
    int rc = cosched_mutex_lock(&g->m, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    int number = g->total;
    enter(g);
    leave(g);
    return number;
}

SCENARIO(it_is_handed_to_the_first_in_line_and_to_nobody_else)
{
    struct guarded g = {.total = 0};
    cosched_task t[10];
    EXPECT_EQ(cosched_mutex_lock(&g.m, COSCHED_NEVER), 0);
    for (int i = 0; i < 10; i++) {
        t[i] = sync_spawn_and_let_wait(lock_and_take_a_number, &g);
    }
    cosched_mutex_unlock(&g.m);
    EXPECT(!cosched_mutex_try(&g.m)); /* the first holds it already, before it has run */
    EXPECT_EQ(cosched_mutex_lock(&g.m, COSCHED_NEVER), 0);
    EXPECT_EQ(g.total, 10); /* we were eleventh */
    cosched_mutex_unlock(&g.m);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
}

SCENARIO(those_who_give_up_are_passed_over)
{
    struct guarded g = {.total = 0};
    cosched_task t[6];
    EXPECT_EQ(cosched_mutex_lock(&g.m, COSCHED_NEVER), 0);
    for (int i = 0; i < 6; i++) {
        t[i] = sync_spawn_and_let_wait(lock_and_take_a_number, &g);
    }
    for (int i = 0; i < 6; i += 2) {
        cosched_cancel(t[i]);
    }
    cosched_mutex_unlock(&g.m); /* the cancelled have not run yet: their cells are still there */
    for (int i = 0; i < 6; i++) {
        EXPECT_EQ(run_join(t[i]), i % 2 ? i / 2 : -ECANCELED);
    }
    EXPECT_EQ(g.total, 3);
    EXPECT(cosched_mutex_try(&g.m));
    cosched_mutex_unlock(&g.m);
}

static int64_t lock_for_a_while(void *arg)
{
    struct guarded *g = arg;
    EXPECT_EQ(cosched_mutex_lock(&g->m, COSCHED_NOW), -ETIMEDOUT);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_mutex_lock(&g->m, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cosched_mutex_lock(&g->m, 1), -ETIMEDOUT); /* long past */
    return 0;
}

SCENARIO(deadlines_end_the_waiting_and_a_line_of_the_gone_does_not_hold_it)
{
    struct guarded g = {.total = 0};
    EXPECT_EQ(cosched_mutex_lock(&g.m, COSCHED_NEVER), 0);
    EXPECT_EQ(run_join(run_spawn(lock_for_a_while, &g, COSCHED_WORKER)), 0);
    EXPECT_EQ(run_join(run_spawn(lock_for_a_while, &g, COSCHED_MAIN)), 0);
    cosched_mutex_unlock(&g.m);
    EXPECT(cosched_mutex_try(&g.m));
    cosched_mutex_unlock(&g.m);
}

SCENARIO(a_cancelled_task_does_not_even_get_a_free_one)
{
    cosched_mutex m = {{NULL}};
    cosched_scope s;
    EXPECT_EQ(cosched_scope_begin(&s, 1, 0), 0);
    UNTIL(cosched_cancelled());
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NEVER), -ECANCELED);
    EXPECT(cosched_scope_end(&s));
    EXPECT_EQ(cosched_mutex_lock(&m, COSCHED_NEVER), 0);
    cosched_mutex_unlock(&m);
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct guarded *g = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        if (storm_gave_up(cosched_mutex_lock(&g->m, storm_deadline(t)))) {
            continue;
        }
        enter(g);
        storm_pause(t);
        leave(g);
    }
    return 0;
}

SCENARIO(a_storm_leaves_it_free)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(150, 40, 20); round++) {
        struct guarded g = {.total = 0};
        storm_round(storm, &g, &rng);
        EXPECT(cosched_mutex_try(&g.m));
        cosched_mutex_unlock(&g.m);
    }
}

struct counted {
    cosched_mutex m;
    int refs;
};

static int64_t drop(void *arg)
{
    struct counted *c = arg;
    cosched_mutex_lock(&c->m, COSCHED_NEVER);
    bool last = --c->refs == 0;
    cosched_mutex_unlock(&c->m);
    if (last) {
        free(c);
    }
    return 0;
}

SCENARIO(the_last_holder_may_free_it_at_once)
{
    for (int round = 0; round < RUN_SIZE(500, 200, 50); round++) {
        struct counted *c = calloc(1, sizeof *c);
        cosched_task t[8];
        c->refs = 8;
        for (int i = 0; i < 8; i++) {
            t[i] = run_spawn(drop, c, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        }
        for (int i = 0; i < 8; i++) {
            EXPECT_EQ(run_join(t[i]), 0);
        }
    }
}

RUN_MAIN("mutex", EACH(a_zeroed_mutex_is_free_and_its_holder_is_known),
         ONCE(outside_of_tasks_nobody_can_hold_it),
         ONCE(unlocking_what_another_holds_ends_the_process),
         EACH(one_holder_at_a_time_on_all_executors),
         EACH(it_is_handed_to_the_first_in_line_and_to_nobody_else),
         EACH(those_who_give_up_are_passed_over),
         EACH(deadlines_end_the_waiting_and_a_line_of_the_gone_does_not_hold_it),
         EACH(a_cancelled_task_does_not_even_get_a_free_one), EACH(a_storm_leaves_it_free),
         EACH(the_last_holder_may_free_it_at_once))
