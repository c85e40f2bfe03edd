/* Reader-writer locks: readers together, writers alone, neither starved, and who gives up holds nobody back. */
#include "test_sync.h"

struct shelf {
    cosched_rwlock l;
    atomic_int readers;
    int writers, value[2]; /* plain: written by writers only, equal outside of them */
};

static void read_shelf(struct shelf *s)
{
    atomic_fetch_add(&s->readers, 1);
    EXPECT_EQ(s->writers, 0);
    EXPECT_EQ(s->value[0], s->value[1]);
}

static void leave_read(struct shelf *s)
{
    EXPECT_EQ(s->value[0], s->value[1]);
    atomic_fetch_sub(&s->readers, 1);
    cosched_rwlock_read_unlock(&s->l);
}

static void write_shelf(struct shelf *s)
{
    EXPECT_EQ(s->writers++, 0);
    EXPECT_EQ(s->readers, 0);
    s->value[0]++;
}

static void leave_write(struct shelf *s)
{
    s->value[1]++;
    EXPECT_EQ(--s->writers, 0);
    cosched_rwlock_write_unlock(&s->l);
}

static void expect_free(struct shelf *s)
{
    EXPECT(cosched_rwlock_write_try(&s->l));
    cosched_rwlock_write_unlock(&s->l);
    EXPECT(cosched_rwlock_read_try(&s->l));
    cosched_rwlock_read_unlock(&s->l);
}

SCENARIO(readers_share_writers_do_not)
{
    struct shelf s = {.writers = 0};
    EXPECT_EQ(cosched_rwlock_read_lock(&s.l, COSCHED_NOW), 0);
    EXPECT(cosched_rwlock_read_try(&s.l));
    EXPECT(!cosched_rwlock_write_try(&s.l));
    EXPECT_EQ(cosched_rwlock_write_lock(&s.l, cosched_in_ms(1)), -ETIMEDOUT);
    cosched_rwlock_read_unlock(&s.l);
    cosched_rwlock_read_unlock(&s.l);
    EXPECT_EQ(cosched_rwlock_write_lock(&s.l, COSCHED_NEVER), 0);
    EXPECT(!cosched_rwlock_read_try(&s.l));
    EXPECT(!cosched_rwlock_write_try(&s.l));
    EXPECT_EQ(cosched_rwlock_write_lock(&s.l, COSCHED_NEVER), -EDEADLK);
    EXPECT_EQ(cosched_rwlock_read_lock(&s.l, COSCHED_NEVER), -EDEADLK);
    cosched_rwlock_write_unlock(&s.l);
    expect_free(&s);
}

START_TEST(outside_of_tasks_nobody_can_hold_it)
{
    cosched_rwlock l = {{NULL}};
    EXPECT_EQ(cosched_rwlock_read_lock(&l, COSCHED_NOW), -EPERM);
    EXPECT_EQ(cosched_rwlock_write_lock(&l, COSCHED_NOW), -EPERM);
    EXPECT(!cosched_rwlock_read_try(&l) && !cosched_rwlock_write_try(&l));
}

END_TEST

static int64_t use(void *arg)
{
    struct shelf *s = arg;
    for (int i = 0; i < RUN_SIZE(600, 150, 80); i++) {
        if (i % 5 == 0) {
            EXPECT_EQ(cosched_rwlock_write_lock(&s->l, COSCHED_NEVER), 0);
            write_shelf(s);
            if (i % 3 == 0) {
                cosched_yield();
            }
            leave_write(s);
        } else {
            EXPECT_EQ(cosched_rwlock_read_lock(&s->l, COSCHED_NEVER), 0);
            read_shelf(s);
            if (i % 7 == 0) {
                cosched_hop(i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
            }
            leave_read(s);
        }
    }
    return 0;
}

SCENARIO(readers_never_see_half_a_write)
{
    struct shelf s = {.writers = 0};
    cosched_task t[12];
    for (int i = 0; i < 12; i++) {
        t[i] = run_spawn(use, &s, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 12; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    EXPECT_EQ(s.value[0], 12 * ((RUN_SIZE(600, 150, 80) + 4) / 5));
    expect_free(&s);
}

static int64_t read_and_number(void *arg)
{
    struct shelf *s = arg;
    int rc = cosched_rwlock_read_lock(&s->l, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    read_shelf(s);
    int64_t value = s->value[0];
    cosched_yield();
    leave_read(s);
    return value;
}

static int64_t write_and_number(void *arg)
{
    struct shelf *s = arg;
    int rc = cosched_rwlock_write_lock(&s->l, COSCHED_NEVER);
    if (rc < 0) {
        return rc;
    }
    write_shelf(s);
    int64_t value = s->value[0];
    leave_write(s);
    return value;
}

SCENARIO(a_reader_waits_behind_a_writer_and_a_writer_behind_readers)
{
    static const char kinds[] = "wrrwwrr"; /* what each of them sees follows from the order */
    static const int sees[] = {1, 1, 1, 2, 3, 3, 3};
    struct shelf s = {.writers = 0};
    cosched_task t[7];
    EXPECT_EQ(cosched_rwlock_read_lock(&s.l, COSCHED_NEVER), 0);
    for (int i = 0; i < 7; i++) {
        t[i] = sync_spawn_and_let_wait(kinds[i] == 'w' ? write_and_number : read_and_number, &s);
    }
    EXPECT(!cosched_rwlock_read_try(&s.l)); /* a reader holds it, a writer waits */
    EXPECT_EQ(s.readers, 0);
    cosched_rwlock_read_unlock(&s.l);
    for (int i = 0; i < 7; i++) {
        EXPECT_EQ(run_join(t[i]), sees[i]);
    }
    expect_free(&s);
}

static int64_t write_for_a_while(void *arg)
{
    struct shelf *s = arg;
    return cosched_rwlock_write_lock(&s->l, cosched_in_ms(2));
}

SCENARIO(a_writer_that_gives_up_lets_the_readers_behind_it_in)
{
    struct shelf s = {.writers = 0};
    cosched_task r[3];
    EXPECT_EQ(cosched_rwlock_read_lock(&s.l, COSCHED_NEVER), 0);
    cosched_task w = sync_spawn_and_let_wait(write_and_number, &s);
    for (int i = 0; i < 3; i++) {
        r[i] = sync_spawn_and_let_wait(read_and_number, &s);
    }
    cosched_cancel(w);
    EXPECT_EQ(run_join(w), -ECANCELED);
    for (int i = 0; i < 3; i++) { /* while we read */
        EXPECT_EQ(run_join(r[i]), 0);
    }
    w = sync_spawn_and_let_wait(write_for_a_while, &s);
    for (int i = 0; i < 3; i++) {
        r[i] = sync_spawn_and_let_wait(read_and_number, &s);
    }
    EXPECT_EQ(run_join(w), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(r[i]), 0);
    }
    cosched_rwlock_read_unlock(&s.l);
    expect_free(&s);
}

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct shelf *s = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        if (storm_below(t, 3) == 0) {
            if (!storm_gave_up(cosched_rwlock_write_lock(&s->l, storm_deadline(t)))) {
                write_shelf(s);
                storm_pause(t);
                leave_write(s);
            }
        } else if (!storm_gave_up(cosched_rwlock_read_lock(&s->l, storm_deadline(t)))) {
            read_shelf(s);
            storm_pause(t);
            leave_read(s);
        }
    }
    return 0;
}

SCENARIO(a_storm_leaves_it_free)
{
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(150, 40, 20); round++) {
        struct shelf s = {.writers = 0};
        storm_round(storm, &s, &rng);
        expect_free(&s);
    }
}

RUN_MAIN("rwlock", EACH(readers_share_writers_do_not), ONCE(outside_of_tasks_nobody_can_hold_it),
         EACH(readers_never_see_half_a_write),
         EACH(a_reader_waits_behind_a_writer_and_a_writer_behind_readers),
         EACH(a_writer_that_gives_up_lets_the_readers_behind_it_in), EACH(a_storm_leaves_it_free))
