/* Channels: bounded, first in first out, a rendezvous with capacity 0; select, close and drain; nothing lost and nothing twice. */
#include "promise.h"

static cosched_chan *make(size_t capacity)
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
    int64_t v = -1;
    int rc = cosched_chan_recv(ch, &v, COSCHED_NOW);
    return rc < 0 ? rc : v;
}

PROMISE(a_channel_holds_its_capacity_in_order)
{
    for (int64_t capacity = 0; capacity < 20; capacity++) {
        cosched_chan *ch = make((size_t)capacity);
        for (int64_t i = 0; i < capacity; i++) {
            EXPECT_EQ(send_now(ch, i), 0);
        }
        EXPECT_EQ(send_now(ch, 99), -ETIMEDOUT);
        EXPECT_EQ(cosched_chan_count(ch), capacity);
        for (int64_t i = 0; i < capacity; i++) {
            EXPECT_EQ(recv_now(ch), i);
        }
        EXPECT_EQ(recv_now(ch), -ETIMEDOUT);
        cosched_chan_unref(ch);
    }
}

/* --- rendezvous ------------------------------------------------------------------------------------------------- */

static atomic_int handed;

static int64_t hands_over(void *arg)
{
    for (int64_t i = 0; i < 50; i++) {
        EXPECT_EQ(cosched_chan_send(arg, &i, COSCHED_NEVER), 0);
        EXPECT(handed > i); /* a receiver had it before the send ended, or has it in hand */
    }
    return 0;
}

PROMISE(with_capacity_0_a_send_ends_when_a_receiver_has_the_value)
{
    for (int place = COSCHED_MAIN; place <= COSCHED_WORKER; place++) {
        cosched_chan *ch = make(0);
        handed = 0;
        cosched_task t = run_spawn(hands_over, ch, (cosched_affinity)place);
        for (int64_t i = 0; i < 50; i++) {
            int64_t v = -1;
            cosched_yield();
            EXPECT_EQ(cosched_chan_count(ch), 0);
            handed = (int)i + 1; /* we are about to take it, and nobody else is */
            EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NEVER), 0);
            EXPECT_EQ(v, i);
        }
        EXPECT_EQ(run_join(t), 0);
        cosched_chan_unref(ch);
    }
}

/* --- many senders, many receivers, cancels in between -------------------------------------------------------------- */

enum { SENDERS = 6, RECEIVERS = 5, VALUES = 60 };

struct market {
    cosched_chan *ch[3];
    atomic_int seen[SENDERS * VALUES], sent[SENDERS * VALUES];
};

static int64_t sender(void *arg)
{
    struct market *m = ((void **)arg)[0];
    int64_t me = (intptr_t)((void **)arg)[1];
    for (int64_t i = 0; i < VALUES; i++) {
        int64_t v = me * VALUES + i;
        cosched_case cases[3] = {{.ch = m->ch[0], .send_from = &v},
                                 {.ch = m->ch[1], .send_from = &v},
                                 {.ch = m->ch[2], .send_from = &v}};
        int rc = i % 2 ? cosched_select(cases, 3, COSCHED_NEVER)
                       : cosched_chan_send(m->ch[i % 3], &v, COSCHED_NEVER);
        EXPECT(rc >= 0 || rc == -ECANCELED);
        atomic_fetch_add(&m->sent[v], rc >= 0);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static int64_t receiver(void *arg)
{
    struct market *m = ((void **)arg)[0];
    for (bool open = true; open;) {
        int64_t v = -1;
        cosched_case cases[3] = {{.ch = m->ch[0], .recv_into = &v},
                                 {.ch = m->ch[1], .recv_into = &v},
                                 {.ch = m->ch[2], .recv_into = &v}};
        int rc = cosched_select(cases, 3, COSCHED_NEVER);
        EXPECT(rc >= 0 || rc == -ECANCELED);
        if (rc < 0) {
            return rc;
        }
        if (cases[rc].result == -EPIPE) {
            open = false; /* all are closed together, but may hold values */
        } else {
            atomic_fetch_add(&m->seen[v], 1);
        }
    }
    for (int i = 0; i < 3; i++) {
        int64_t v = -1;
        while (cosched_chan_recv(m->ch[i], &v, COSCHED_NEVER) == 0) {
            atomic_fetch_add(&m->seen[v], 1);
        }
    }
    return 0;
}

static void hold_market(struct market *m, uint64_t *rng)
{
    cosched_task s[SENDERS], r[RECEIVERS];
    void *args[SENDERS][2];
    for (intptr_t i = 0; i < SENDERS; i++) {
        args[i][0] = m;
        args[i][1] = (void *)i;
        s[i] = run_spawn(sender, args[i], promise_place(i));
    }
    for (int i = 0; i < RECEIVERS; i++) {
        r[i] = run_spawn(receiver, args[0], promise_place(i + 1));
    }
    for (int i = 0; i < 4; i++) { /* of each, two at most */
        for (uint32_t n = cos_rng_below(rng, 8); n > 0; n--) {
            cosched_yield();
        }
        cosched_cancel(i % 2 ? r[i / 2] : s[cos_rng_below(rng, SENDERS)]);
    }
    for (int i = 0; i < SENDERS; i++) {
        run_join(s[i]);
    }
    for (int i = 0; i < 3; i++) {
        cosched_chan_close(m->ch[i]);
    }
    for (int i = 0; i < RECEIVERS; i++) {
        run_join(r[i]);
    }
}

PROMISE(between_main_and_worker_nothing_is_lost_or_doubled_by_cancels)
{
    uint64_t rng = promise_seed;
    for (int round = 0; round < promise_size(12, 3000); round++) {
        struct market *m = calloc(1, sizeof *m);
        int64_t v;
        EXPECT(m != NULL);
        for (size_t i = 0; i < 3; i++) {
            m->ch[i] = make(i);
        }
        hold_market(m, &rng);
        for (int i = 0; i < 3; i++) {
            while (cosched_chan_recv(m->ch[i], &v, COSCHED_NOW) == 0) {
                atomic_fetch_add(&m->seen[v], 1);
            }
            cosched_chan_unref(m->ch[i]);
        }
        for (int i = 0; i < SENDERS * VALUES; i++) {
            EXPECT_EQ(m->seen[i], m->sent[i]);
        }
        free(m);
    }
    promise_alone();
}

/* --- select, close ---------------------------------------------------------------------------------------------------- */

static int64_t selects(void *arg)
{
    cosched_chan **ch = arg;
    int64_t v = -1, out = 40;
    cosched_case cases[] = {{.ch = ch[0], .recv_into = &v},
                            {.ch = NULL, .recv_into = &v},
                            {.ch = ch[1], .send_from = &out}};
    int rc = cosched_select(cases, 3, COSCHED_NEVER);
    EXPECT(rc < 0 || cases[rc].result == 0);
    return rc == 0 ? v : rc;
}

PROMISE(select_waits_for_the_first_that_is_ready)
{
    for (int i = 0; i < 8; i++) {
        cosched_chan *ch[2] = {make(0), make(0)};
        cosched_task t = run_spawn(selects, ch, promise_place(i));
        if (i % 4 < 2) {
            cosched_yield();
        }
        int64_t v = 30;
        if (i < 4) {
            EXPECT_EQ(cosched_chan_send(ch[0], &v, COSCHED_NEVER), 0);
            EXPECT_EQ(run_join(t), 30);
            EXPECT_EQ(recv_now(ch[1]), -ETIMEDOUT); /* and does nothing else */
        } else {
            EXPECT_EQ(cosched_chan_recv(ch[1], &v, COSCHED_NEVER), 0);
            EXPECT_EQ(v, 40);
            EXPECT_EQ(run_join(t), 2);
            EXPECT_EQ(send_now(ch[0], 1), -ETIMEDOUT);
        }
        cosched_chan_unref(ch[0]);
        cosched_chan_unref(ch[1]);
    }
}

static int64_t waits_to_recv(void *arg)
{
    int64_t v;
    return cosched_chan_recv(arg, &v, COSCHED_NEVER);
}

static int64_t waits_to_send(void *arg)
{
    int64_t v = 1;
    return cosched_chan_send(arg, &v, COSCHED_NEVER);
}

PROMISE(close_wakes_all_and_leaves_what_was_sent_to_be_drained)
{
    for (int full = 0; full < 2; full++) {
        cosched_chan *ch = make(3);
        cosched_task t[10];
        for (int64_t i = 0; full && i < 3; i++) {
            EXPECT_EQ(send_now(ch, i), 0);
        }
        for (int i = 0; i < 10; i++) {
            t[i] = run_spawn(full ? waits_to_send : waits_to_recv, ch, promise_place(i));
        }
        for (int i = 0; i < 20; i++) {
            cosched_yield();
        }
        cosched_chan_close(ch);
        cosched_chan_close(ch);
        for (int i = 0; i < 10; i++) {
            EXPECT_EQ(run_join(t[i]), -EPIPE);
        }
        EXPECT_EQ(send_now(ch, 5), -EPIPE);
        for (int64_t i = 0; full && i < 3; i++) {
            EXPECT_EQ(recv_now(ch), i);
        }
        EXPECT_EQ(recv_now(ch), -EPIPE);
        cosched_chan_unref(ch);
    }
}

PROMISE_MAIN("promise_channels", ALL(a_channel_holds_its_capacity_in_order),
             ALL(with_capacity_0_a_send_ends_when_a_receiver_has_the_value),
             ALL(between_main_and_worker_nothing_is_lost_or_doubled_by_cancels),
             ALL(select_waits_for_the_first_that_is_ready),
             ALL(close_wakes_all_and_leaves_what_was_sent_to_be_drained))
