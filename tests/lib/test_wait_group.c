/* Wait groups: the wait ends when the last is done, not before, and the group may then be gone. */
#include "test_sync.h"

START_TEST(counting_needs_no_task)
{
    cosched_wait_group g = {{NULL}};
    cosched_wait_group_add(&g, 2);
    cosched_wait_group_done(&g);
    cosched_wait_group_done(&g);
    EXPECT_EQ(cosched_wait_group_wait(&g, COSCHED_NOW), -EPERM);
}

END_TEST

struct work {
    cosched_wait_group g;
    atomic_int done;
};

static int64_t do_one(void *arg)
{
    struct work *w = arg;
    cosched_yield();
    atomic_fetch_add(&w->done, 1);
    cosched_wait_group_done(&w->g);
    return 0;
}

static void do_work(int n)
{
    struct work w = {.done = 0}; /* gone when the wait is over */
    for (int i = 0; i < n; i++) {
        cosched_wait_group_add(&w.g, 1);
        cosched_task t = run_spawn(do_one, &w, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        cosched_detach(&t);
    }
    EXPECT_EQ(cosched_wait_group_wait(&w.g, COSCHED_NEVER), 0);
    EXPECT_EQ(w.done, n);
    memset(&w, 0xff, sizeof w);
}

SCENARIO(the_wait_ends_with_the_last)
{
    for (int i = 0; i < RUN_SIZE(600, 200, 80); i++) {
        do_work(i % 17);
    }
}

static int64_t wait_for_all(void *arg)
{
    struct work *w = arg;
    int rc = cosched_wait_group_wait(&w->g, COSCHED_NEVER);
    return rc < 0 ? rc : w->done;
}

SCENARIO(all_who_wait_go_on_save_those_who_gave_up)
{
    struct work w = {.done = 0};
    cosched_task t[5];
    cosched_wait_group_add(&w.g, 3);
    for (int i = 0; i < 5; i++) {
        t[i] = sync_spawn_and_let_wait(wait_for_all, &w);
    }
    EXPECT_EQ(cosched_wait_group_wait(&w.g, COSCHED_NOW), -ETIMEDOUT);
    int64_t deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_wait_group_wait(&w.g, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    cosched_cancel(t[2]);
    EXPECT_EQ(run_join(t[2]), -ECANCELED);
    cosched_wait_group_add(&w.g, 1); /* more may come while somebody waits */
    for (int i = 0; i < 4; i++) {
        do_one(&w);
    }
    for (int i = 0; i < 5; i++) {
        if (i != 2) {
            EXPECT_EQ(run_join(t[i]), 4);
        }
    }
    EXPECT_EQ(cosched_wait_group_wait(&w.g, COSCHED_NOW), 0);
    cosched_wait_group_add(&w.g, 1); /* and again */
    EXPECT_EQ(cosched_wait_group_wait(&w.g, COSCHED_NOW), -ETIMEDOUT);
    cosched_wait_group_done(&w.g);
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct work *w = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        if (storm_below(t, 2) == 0) {
            cosched_wait_group_add(&w->g, 1);
            storm_pause(t);
            cosched_wait_group_done(&w->g);
        } else {
            (void)storm_gave_up(cosched_wait_group_wait(&w->g, storm_deadline(t)));
        }
    }
    return 0;
}

SCENARIO(a_storm_ends_at_nothing)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(150, 40, 20); round++) {
        struct work w = {.done = 0};
        storm_round(storm, &w, &rng);
        EXPECT_EQ(cosched_wait_group_wait(&w.g, COSCHED_NOW), 0);
    }
}

RUN_MAIN("wait_group", ONCE(counting_needs_no_task), EACH(the_wait_ends_with_the_last),
         EACH(all_who_wait_go_on_save_those_who_gave_up), EACH(a_storm_ends_at_nothing))
