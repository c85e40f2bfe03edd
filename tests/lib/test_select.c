/* Select and rendezvous: one case takes effect, any that is ready, and every value that left one task has come to another. */
#include "test_sync.h"

static cosched_chan *open_chan(size_t capacity)
{
    cosched_chan *ch;
    EXPECT_EQ(cosched_chan_create(&ch, sizeof(int64_t), capacity), 0);
    return ch;
}

static int send_now(cosched_chan *ch, int64_t v)
{
    return cosched_chan_send(ch, &v, COSCHED_NOW);
}

static int64_t recv_now(cosched_chan *ch)
{
    int64_t v = 0;
    int rc = cosched_chan_recv(ch, &v, COSCHED_NOW);
    return rc < 0 ? rc : v;
}

START_TEST(what_it_is_given_is_checked_and_any_thread_may_look)
{
    int64_t v = 7, got = 0;
    cosched_chan *ch = open_chan(1);
    cosched_case cases[65] = {{.ch = ch, .recv_into = &got, .send_from = &v}};
    EXPECT_EQ(cosched_select(cases, 1, COSCHED_NOW), -EINVAL);
    cases[0] = (cosched_case){.ch = ch};
    EXPECT_EQ(cosched_select(cases, 1, COSCHED_NOW), -EINVAL);
    cases[0].recv_into = &got;
    EXPECT_EQ(cosched_select(cases, 65, COSCHED_NOW), -EINVAL);
    EXPECT_EQ(cosched_select(cases, 64, COSCHED_NOW), -ETIMEDOUT);
    EXPECT_EQ(cosched_select(cases, 1, COSCHED_NEVER), -EPERM);
    EXPECT_EQ(cosched_select(NULL, 0, COSCHED_NOW), -ETIMEDOUT);
    cases[63] = (cosched_case){.ch = ch, .send_from = &v};
    EXPECT_EQ(cosched_select(cases, 64, COSCHED_NOW), 63);
    EXPECT_EQ(cosched_select(cases, 64, COSCHED_NOW), 0);
    EXPECT_EQ(got, 7);
    cosched_chan_unref(ch);
}

END_TEST

SCENARIO(of_the_ready_cases_each_is_chosen_now_and_then)
{
    enum { N = 5 };

    cosched_chan *ch[N];
    int64_t into[N];
    cosched_case cases[N];
    int chosen[N] = {0};
    for (int i = 0; i < N; i++) {
        ch[i] = open_chan(2);
        cases[i] = (cosched_case){.ch = ch[i], .recv_into = &into[i], .result = 99};
    }
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < N; i++) {
            if (i != 3) {
                (void)send_now(ch[i], i);
            }
        }
        int won = cosched_select(cases, N, COSCHED_NEVER);
        EXPECT(won >= 0 && won < N);
        EXPECT_EQ(cases[won].result, 0);
        EXPECT_EQ(into[won], won);
        chosen[won]++;
    }
    for (int i = 0; i < N; i++) {
        EXPECT(i == 3 ? chosen[i] == 0
                      : chosen[i] > 100); /* 400 expected; 100 is 16 deviations away */
        cosched_chan_unref(ch[i]);
    }
    EXPECT_EQ(cases[3].result, 99);
}

struct two {
    cosched_chan *a, *b;
    int64_t deadline;
};

/* Receives from a or sends 5 to b: 100 + what came, 200 when it was sent; a negative errno, or 1000 - result of the case. */
static int64_t recv_or_send(void *arg)
{
    const struct two *two = arg;
    int64_t got = -1, v = 5;
    cosched_case cases[] = {
        {.ch = two->a, .recv_into = &got}, {.ch = NULL}, {.ch = two->b, .send_from = &v}};
    int won = cosched_select(cases, 3, two->deadline);
    if (won < 0) {
        EXPECT_EQ(got, -1);
        return won;
    }
    EXPECT(won != 1);
    return cases[won].result < 0 ? 1000 - cases[won].result : won == 0 ? 100 + got : 200;
}

static void expect_idle(const struct two *two)
{
    EXPECT_EQ(recv_now(two->b), -ETIMEDOUT); /* no sender left behind */
    EXPECT_EQ(send_now(two->a, 1), -ETIMEDOUT);
}

SCENARIO(it_waits_until_one_becomes_ready)
{
    struct two two = {open_chan(0), open_chan(0), COSCHED_NEVER};
    for (int round = 0; round < 20; round++) {
        cosched_task t = sync_spawn_and_let_wait(recv_or_send, &two);
        if (round % 2) {
            EXPECT_EQ(send_now(two.a, round), 0);
            EXPECT_EQ(recv_now(two.b),
                      -ETIMEDOUT); /* it has what it wanted: the other case is off, before it runs */
            EXPECT_EQ(run_join(t), 100 + round);
        } else {
            EXPECT_EQ(recv_now(two.b), 5);
            EXPECT_EQ(send_now(two.a, 1), -ETIMEDOUT);
            EXPECT_EQ(run_join(t), 200);
        }
        expect_idle(&two);
    }
    cosched_chan_unref(two.a);
    cosched_chan_unref(two.b);
}

SCENARIO(closing_makes_a_case_ready)
{
    struct two two = {open_chan(0), open_chan(0), COSCHED_NEVER};
    cosched_task t = sync_spawn_and_let_wait(recv_or_send, &two);
    cosched_chan_close(two.b);
    EXPECT_EQ(run_join(t), 1000 + EPIPE);
    EXPECT_EQ(recv_or_send(&two), 1000 + EPIPE);
    cosched_chan_unref(two.b);
    two.b = NULL;
    cosched_chan *drained = open_chan(1);
    EXPECT_EQ(send_now(drained, 3), 0);
    cosched_chan_close(drained);
    cosched_chan_unref(two.a);
    two.a = drained;
    EXPECT_EQ(recv_or_send(&two), 103);
    EXPECT_EQ(recv_or_send(&two), 1000 + EPIPE);
    cosched_chan_unref(drained);
}

SCENARIO(time_and_cancellation_leave_no_trace)
{
    struct two two = {open_chan(0), open_chan(0), COSCHED_NOW};
    EXPECT_EQ(recv_or_send(&two), -ETIMEDOUT);
    two.deadline = cosched_in_ms(2);
    EXPECT_EQ(recv_or_send(&two), -ETIMEDOUT);
    EXPECT(cosched_now() >= two.deadline);
    expect_idle(&two);
    two.deadline = COSCHED_NEVER;
    cosched_task t = sync_spawn_and_let_wait(recv_or_send, &two);
    cosched_cancel(t);
    expect_idle(&two); /* though it has not run yet */
    EXPECT_EQ(run_join(t), -ECANCELED);
    cosched_chan_unref(two.a);
    cosched_chan_unref(two.b);
    EXPECT_EQ(cosched_select(NULL, 0, cosched_in_ms(1)), -ETIMEDOUT);
}

/* Both directions of one channel, and each twice. */
static int64_t meet_anybody(void *arg)
{
    const struct two *two = arg;
    int64_t got[2] = {-1, -1}, v = 5;
    cosched_case cases[] = {{.ch = two->a, .send_from = &v},
                            {.ch = two->a, .recv_into = &got[0]},
                            {.ch = two->a, .recv_into = &got[1]},
                            {.ch = two->a, .send_from = &v}};
    int won = cosched_select(cases, 4, two->deadline);
    return won < 0 ? won : won == 0 || won == 3 ? 200 : 100 + got[won - 1];
}

SCENARIO(it_never_meets_itself_but_does_meet_its_like)
{
    struct two two = {open_chan(0), NULL, COSCHED_NOW};
    EXPECT_EQ(meet_anybody(&two), -ETIMEDOUT);
    two.deadline = cosched_in_ms(2);
    EXPECT_EQ(meet_anybody(&two), -ETIMEDOUT);
    two.deadline = COSCHED_NEVER;
    cosched_task t = sync_spawn_and_let_wait(meet_anybody, &two);
    EXPECT_EQ(send_now(two.a, 6), 0);
    EXPECT_EQ(run_join(t), 106);
    t = sync_spawn_and_let_wait(meet_anybody, &two);
    int64_t mine = meet_anybody(&two), other = run_join(t);
    EXPECT_EQ(mine + other, 305); /* one sent 5, the other has it */
    EXPECT_EQ(recv_now(two.a), -ETIMEDOUT);
    cosched_chan_unref(two.a);
}

/* Rendezvous: as many sends have ended as receives, and the values are the same. */
static int64_t send_sum(void *arg)
{
    int64_t sum = 0;
    for (int64_t v = 1; v <= RUN_SIZE(500, 200, 100); v++) {
        EXPECT_EQ(cosched_chan_send(arg, &v, COSCHED_NEVER), 0);
        EXPECT_EQ(cosched_chan_count(arg), 0);
        sum += v;
    }
    return sum;
}

static int64_t recv_sum(void *arg)
{
    int64_t sum = 0;
    for (int64_t i = 1; i <= RUN_SIZE(500, 200, 100); i++) {
        int64_t v = 0;
        EXPECT_EQ(cosched_chan_recv(arg, &v, COSCHED_NEVER), 0);
        sum += v;
    }
    return sum;
}

SCENARIO(at_a_rendezvous_they_meet_in_pairs)
{
    cosched_chan *ch = open_chan(0);
    cosched_task s[6], r[6];
    int64_t sent = 0, received = 0;
    EXPECT_EQ(send_now(ch, 1), -ETIMEDOUT);
    EXPECT_EQ(recv_now(ch), -ETIMEDOUT);
    for (int i = 0; i < 6; i++) {
        s[i] = run_spawn(send_sum, ch, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        r[i] = run_spawn(recv_sum, ch, i % 3 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < 6; i++) {
        sent += run_join(s[i]);
        received += run_join(r[i]);
    }
    EXPECT_EQ(sent, received);
    cosched_chan_close(ch);
    EXPECT_EQ(send_now(ch, 1), -EPIPE);
    EXPECT_EQ(recv_now(ch), -EPIPE);
    cosched_chan_unref(ch);
}

/* The storm: tasks that select over the same channels, of several capacities, in different orders and directions. Each
 * value is sent once: what was sent and what was received must be the same values. */
enum { MESH = 4, VALUES_MAX = STORM_TASKS * STORM_STEPS };

struct mesh {
    cosched_chan *ch[MESH];
    atomic_uchar sent[VALUES_MAX], received[VALUES_MAX];
};

static int64_t storm(void *arg)
{
    struct storm_task *t = arg;
    struct mesh *m = t->object;
    for (int i = 0; i < STORM_STEPS; i++) {
        int64_t value = t->index * STORM_STEPS + i, into[6];
        cosched_case cases[6];
        uint32_t n = 1 + storm_below(t, 6);
        for (uint32_t k = 0; k < n; k++) {
            into[k] = -1;
            cases[k] = (cosched_case){.ch = m->ch[storm_below(t, MESH)]};
            if (storm_below(t, 2)) {
                cases[k].send_from = &value;
            } else {
                cases[k].recv_into = &into[k];
            }
        }
        int won = cosched_select(cases, n, storm_deadline_soon(t));
        if (!storm_gave_up(won)) {
            EXPECT_EQ(cases[won].result, 0);
            bool sends = cases[won].send_from != NULL;
            EXPECT_EQ(atomic_fetch_add(sends ? &m->sent[value] : &m->received[into[won]], 1), 0);
            into[won] = -1;
        }
        for (uint32_t k = 0; k < n; k++) {
            EXPECT_EQ(into[k], -1); /* the other cases touched nothing */
        }
        storm_pause(t);
    }
    return 0;
}

SCENARIO(a_storm_over_a_mesh_of_channels_loses_nothing)
{
    static const size_t capacities[MESH] = {0, 1, 0, 3};
    uint64_t rng = run_seed();
    for (int round = 0; round < RUN_SIZE(60, 20, 10); round++) {
        struct mesh *m = calloc(1, sizeof *m);
        for (int i = 0; i < MESH; i++) {
            m->ch[i] = open_chan(capacities[i]);
        }
        storm_round(storm, m, &rng);
        for (int i = 0; i < MESH; i++) {
            int64_t v;
            while ((v = recv_now(m->ch[i])) >= 0) {
                EXPECT_EQ(atomic_fetch_add(&m->received[v], 1), 0);
            }
            EXPECT_EQ(v, -ETIMEDOUT);
            cosched_chan_unref(m->ch[i]); /* asserts that nobody is in line */
        }
        EXPECT_EQ(memcmp(m->sent, m->received, sizeof m->sent), 0);
        free(m);
    }
}

/* Two that can only ever meet each other, over two rendezvous that they name in opposite orders. */
struct pair {
    cosched_chan *x, *y;
    atomic_int next;
};

static int64_t meet_often(void *arg)
{
    struct pair *p = arg;
    bool second = atomic_fetch_add(&p->next, 1) % 2 != 0;
    int64_t sum = 0;
    for (int i = 0; i < RUN_SIZE(2000, 500, 200); i++) {
        int64_t v = 1, got = 0;
        cosched_case cases[2] = {{.ch = second ? p->y : p->x, .send_from = &v},
                                 {.ch = second ? p->x : p->y, .recv_into = &got}};
        int won = cosched_select(cases, 2, COSCHED_NEVER);
        EXPECT(won == 0 || won == 1);
        EXPECT_EQ(got, won);
        sum += won == 0 ? 1 : -1;
    }
    return sum;
}

SCENARIO(two_selects_that_need_each_other_always_meet)
{
    struct pair p = {open_chan(0), open_chan(0), 0};
    cosched_task a = run_spawn(meet_often, &p, COSCHED_WORKER);
    cosched_task b = run_spawn(meet_often, &p, COSCHED_MAIN);
    EXPECT_EQ(run_join(a) + run_join(b), 0);
    cosched_chan_unref(p.x);
    cosched_chan_unref(p.y);
}

RUN_MAIN("select", ONCE(what_it_is_given_is_checked_and_any_thread_may_look),
         EACH(of_the_ready_cases_each_is_chosen_now_and_then),
         EACH(it_waits_until_one_becomes_ready), EACH(closing_makes_a_case_ready),
         EACH(time_and_cancellation_leave_no_trace),
         EACH(it_never_meets_itself_but_does_meet_its_like),
         EACH(at_a_rendezvous_they_meet_in_pairs),
         EACH(a_storm_over_a_mesh_of_channels_loses_nothing),
         EACH(two_selects_that_need_each_other_always_meet))
