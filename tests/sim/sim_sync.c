/* Channels, select and locks, small enough for thousands of schedules each (the storms of tests/lib run here, too). */
#include "run.h"

#define SOON_NS 100000000 /* all is over long before, unless a wake-up was lost */

static cosched_affinity side(uint64_t n)
{
    return n % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER;
}

static void somewhere_else(void)
{
    switch (sim_below(4)) {
    case 0: cosched_yield(); break;
    case 1: cosched_hop(side(sim_below(2))); break;
    default: break;
    }
}

/* --- channels and select -------------------------------------------------------------------------------- */

enum { LINES = 3, SENDS = 3 };

static cosched_chan *lines[LINES];

static int64_t send_some(void *arg)
{
    intptr_t line = (intptr_t)arg;
    for (int64_t i = 0; i < SENDS; i++) {
        int64_t v = line * 100 + i;
        EXPECT_EQ(cosched_chan_send(lines[line], &v, COSCHED_NEVER), 0);
        somewhere_else();
    }
    cosched_chan_close(lines[line]);
    return 0;
}

/* Until every channel is closed and drained; returns how many values came, each in its line's order. */
static int64_t collect(void *arg)
{
    int64_t next[LINES] = {0}, got[LINES], n = 0;
    int open = LINES;
    cosched_case cases[LINES];
    (void)arg;
    for (int i = 0; i < LINES; i++) {
        cases[i] = (cosched_case){.ch = lines[i], .recv_into = &got[i]};
    }
    while (open > 0) {
        int i = cosched_select(cases, LINES, COSCHED_NEVER);
        EXPECT(i >= 0 && i < LINES);
        if (cases[i].result == -EPIPE) {
            cases[i].ch = NULL;
            open--;
        } else {
            EXPECT_EQ(got[i], i * 100 + next[i]);
            next[i]++;
            n++;
        }
        somewhere_else();
    }
    return n;
}

SCENARIO(select_loses_and_doubles_nothing)
{
    sim_within(SOON_NS);
    cosched_task senders[LINES];
    for (int i = 0; i < LINES; i++) {
        EXPECT_EQ(cosched_chan_create(&lines[i], sizeof(int64_t), sim_below(3)), 0);
    }
    cosched_task c = run_spawn(collect, NULL, side(sim_below(2)));
    for (intptr_t i = 0; i < LINES; i++) {
        senders[i] = run_spawn(send_some, (void *)i, side(sim_below(2)));
    }
    EXPECT_EQ(run_join(c), LINES * SENDS);
    for (int i = 0; i < LINES; i++) {
        EXPECT_EQ(run_join(senders[i]), 0);
        cosched_chan_unref(lines[i]);
    }
}

static int64_t choose_both_ways(void *arg)
{
    int64_t in = 0, out = (intptr_t)arg;
    cosched_case cases[] = {{.ch = lines[0], .recv_into = &in}, {.ch = lines[1], .send_from = &out}};
    if ((intptr_t)arg % 2 == 0) {
        cases[0] = (cosched_case){.ch = lines[1], .recv_into = &in};
        cases[1] = (cosched_case){.ch = lines[0], .send_from = &out};
    }
    int i = cosched_select(cases, 2, COSCHED_NEVER);
    EXPECT(i == 0 || i == 1);
    EXPECT_EQ(cases[i].result, 0);
    return i == 0 ? in : -out;
}

/* Selects that meet selects over two rendezvous, locked in both orders: each pair agrees on who gave. */
SCENARIO(selects_meet_each_other)
{
    sim_within(SOON_NS);
    cosched_task t[4];
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(cosched_chan_create(&lines[i], sizeof(int64_t), 0), 0);
    }
    for (intptr_t i = 0; i < 4; i++) {
        t[i] = run_spawn(choose_both_ways, (void *)(i + 1), side(sim_below(2)));
    }
    int64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += run_join(t[i]); /* what one gave, another took */
    }
    EXPECT_EQ(sum, 0);
    for (int i = 0; i < 2; i++) {
        cosched_chan_unref(lines[i]);
    }
}

/* --- locks ------------------------------------------------------------------------------------------------ */

static struct {
    cosched_mutex mutex;
    cosched_cond more, less;
    cosched_rwlock rw;
    cosched_sem sem;
    cosched_barrier barrier;
    cosched_wait_group group;
    int inside, readers, count, max;
} s;

static int64_t one_at_a_time(void *arg)
{
    for (int i = 0; i < 2; i++) {
        int64_t deadline =
            sim_below(3) == 0 ? cosched_in_ns((int64_t)sim_below(3000)) : COSCHED_NEVER;
        int rc = cosched_mutex_lock(&s.mutex, deadline);
        if (rc == 0) {
            EXPECT_EQ(s.inside++, 0);
            somewhere_else();
            s.inside--;
            cosched_mutex_unlock(&s.mutex);
        } else {
            EXPECT_EQ(rc, -ETIMEDOUT);
        }
    }
    return run_return(arg);
}

static void with_tasks(int n, cosched_fn fn)
{
    cosched_task t[8];
    for (int i = 0; i < n; i++) {
        t[i] = run_spawn(fn, (void *)(intptr_t)i, side(sim_below(2)));
    }
    for (int i = 0; i < n; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
}

SCENARIO(a_mutex_holds_one)
{
    sim_within(SOON_NS);
    sim_stalls(4000);
    memset(&s, 0, sizeof s);
    with_tasks(4, one_at_a_time);
    EXPECT(cosched_mutex_try(&s.mutex));
    cosched_mutex_unlock(&s.mutex);
}

/* A buffer of two places between producers (even) and consumers. */
static int64_t bounded_buffer(void *arg)
{
    bool produce = (intptr_t)arg % 2 == 0;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(cosched_mutex_lock(&s.mutex, COSCHED_NEVER), 0);
        while (produce ? s.count == 2 : s.count == 0) {
            EXPECT_EQ(cosched_cond_wait(produce ? &s.less : &s.more, &s.mutex, COSCHED_NEVER), 0);
        }
        s.count += produce ? 1 : -1;
        EXPECT(s.count >= 0 && s.count <= 2);
        cosched_cond_signal(produce ? &s.more : &s.less);
        cosched_mutex_unlock(&s.mutex);
        somewhere_else();
    }
    return run_return(arg);
}

SCENARIO(conditions_lose_no_signal)
{
    sim_within(SOON_NS);
    memset(&s, 0, sizeof s);
    with_tasks(4, bounded_buffer);
    EXPECT_EQ(s.count, 0);
}

static int64_t read_and_write(void *arg)
{
    for (int i = 0; i < 2; i++) {
        if (sim_below(2) == 0) {
            EXPECT_EQ(cosched_rwlock_write_lock(&s.rw, COSCHED_NEVER), 0);
            EXPECT_EQ(s.inside++ + s.readers, 0);
            somewhere_else();
            EXPECT_EQ(--s.inside + s.readers, 0);
            cosched_rwlock_write_unlock(&s.rw);
        } else {
            int64_t deadline =
                sim_below(3) == 0 ? cosched_in_ns((int64_t)sim_below(3000)) : COSCHED_NEVER;
            int rc = cosched_rwlock_read_lock(&s.rw, deadline);
            EXPECT(rc == 0 || rc == -ETIMEDOUT);
            if (rc == 0) {
                s.readers++;
                EXPECT_EQ(s.inside, 0);
                somewhere_else();
                s.readers--;
                cosched_rwlock_read_unlock(&s.rw);
            }
        }
    }
    return run_return(arg);
}

SCENARIO(readers_share_and_writers_do_not)
{
    sim_within(SOON_NS);
    memset(&s, 0, sizeof s);
    with_tasks(4, read_and_write);
    EXPECT(cosched_rwlock_write_try(&s.rw));
    cosched_rwlock_write_unlock(&s.rw);
}

static int64_t hold_one_of_two(void *arg)
{
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(cosched_sem_acquire(&s.sem, COSCHED_NEVER), 0);
        s.inside++;
        EXPECT(s.inside <= 2);
        somewhere_else();
        s.inside--;
        cosched_sem_release(&s.sem, 1);
    }
    return run_return(arg);
}

SCENARIO(a_semaphore_admits_so_many)
{
    sim_within(SOON_NS);
    memset(&s, 0, sizeof s);
    cosched_sem_init(&s.sem, 2);
    with_tasks(5, hold_one_of_two);
    EXPECT(cosched_sem_try(&s.sem) && cosched_sem_try(&s.sem) && !cosched_sem_try(&s.sem));
}

static int64_t meet(void *arg)
{
    for (int i = 0; i < 3; i++) {
        int serial = cosched_barrier_wait(&s.barrier, COSCHED_NEVER);
        EXPECT(serial == 0 || serial == 1);
        s.count += serial;
    }
    cosched_wait_group_done(&s.group);
    return run_return(arg);
}

SCENARIO(a_barrier_meets_and_a_wait_group_ends)
{
    sim_within(SOON_NS);
    memset(&s, 0, sizeof s);
    EXPECT_EQ(cosched_barrier_init(&s.barrier, 3), 0);
    cosched_wait_group_add(&s.group, 3);
    cosched_task t[3];
    for (intptr_t i = 0; i < 3; i++) {
        t[i] = run_spawn(meet, (void *)i, side(sim_below(2)));
    }
    EXPECT_EQ(cosched_wait_group_wait(&s.group, COSCHED_NEVER), 0);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(run_join(t[i]), i);
    }
    EXPECT_EQ(s.count, 3);
}

/* --- groups ------------------------------------------------------------------------------------------------ */

static int64_t child(void *arg)
{
    intptr_t result = (intptr_t)arg;
    somewhere_else();
    int rc = cosched_sleep_until(cosched_in_ns((int64_t)sim_below(3) * 500000));
    return rc < 0 ? rc : result;
}

SCENARIO(every_policy_joins_with_what_it_promises)
{
    sim_within(SOON_NS);
    for (int policy = COSCHED_FAIL_FAST; policy <= COSCHED_FIRST_N; policy++) {
        cosched_group_attr attr = {.struct_size = sizeof attr,
                                   .policy = (cosched_policy)policy,
                                   .first_n = 2,
                                   .max_parallel = (uint32_t)sim_below(3)};
        cosched_group g;
        EXPECT_EQ(cosched_group_init(&g, &attr), 0);
        bool fails = sim_below(2) == 0;
        for (intptr_t i = 0; i < 4; i++) {
            int rc = cosched_group_spawn(&g, child, (void *)(fails && i == 2 ? -EIO : i),
                                         run_at(side(sim_below(2))));
            EXPECT(rc == 0 || rc == -ECANCELED);
        }
        int64_t result = cosched_group_join(&g, COSCHED_NEVER);
        switch (policy) {
        case COSCHED_FAIL_FAST: EXPECT_EQ(result, fails ? -EIO : 0); break;
        case COSCHED_COLLECT: EXPECT_EQ(result, fails ? 1 : 0); break;
        case COSCHED_RACE:
            EXPECT(result == (fails ? -EIO : 2) || (result >= 0 && result < 4));
            break;
        default: EXPECT_EQ(result, 2); break;
        }
        EXPECT_EQ(run_stats().tasks_live, 1);
    }
}

RUN_MAIN("sync", EACH(select_loses_and_doubles_nothing), EACH(selects_meet_each_other),
         EACH(a_mutex_holds_one), EACH(conditions_lose_no_signal),
         EACH(readers_share_and_writers_do_not), EACH(a_semaphore_admits_so_many),
         EACH(a_barrier_meets_and_a_wait_group_ends), EACH(every_policy_joins_with_what_it_promises))
