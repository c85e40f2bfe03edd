/* Channels: order, bounds, many ends, closing, deadlines, and that a cancelled receiver takes no value with it. */
#include "run.h"

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

SCENARIO(values_come_out_in_the_order_they_went_in)
{
    static const size_t capacities[] = {1, 2, 7, 1000};
    for (int i = 0; i < 4; i++) {
        cosched_chan *ch = open_chan(capacities[i]);
        int64_t in = 0, out = 0, v;
        for (int round = 0; round < 20; round++) { /* over the end of the ring and on */
            while (send_now(ch, in) == 0) {
                in++;
            }
            EXPECT_EQ(in - out, capacities[i]);
            EXPECT_EQ(cosched_chan_count(ch), capacities[i]);
            EXPECT_EQ(send_now(ch, -1), -ETIMEDOUT);
            for (size_t k = 0; k < (capacities[i] + 1) / 2; k++, out++) {
                EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NOW), 0);
                EXPECT_EQ(v, out);
            }
        }
        while (cosched_chan_recv(ch, &v, COSCHED_NOW) == 0) {
            EXPECT_EQ(v, out);
            out++;
        }
        EXPECT_EQ(in, out);
        cosched_chan_unref(ch);
    }
}

struct pipe {
    cosched_chan *ch;
    int64_t count;
};

static int64_t send_sequence(void *arg)
{
    struct pipe *p = arg;
    for (int64_t i = 0; i < p->count; i++) {
        EXPECT_EQ(cosched_chan_send(p->ch, &i, COSCHED_NEVER), 0);
    }
    return 0;
}

SCENARIO(one_sender_and_one_receiver_keep_order_across_executors)
{
    for (size_t capacity = 1; capacity <= 64; capacity *= 8) {
        for (int affinity = COSCHED_MAIN; affinity <= COSCHED_WORKER; affinity++) {
            struct pipe p = {open_chan(capacity), RUN_SIZE(5000, 1000, 500)};
            cosched_task t = run_spawn(send_sequence, &p, (cosched_affinity)affinity);
            for (int64_t i = 0; i < p.count; i++) {
                int64_t v = -1;
                EXPECT_EQ(cosched_chan_recv(p.ch, &v, COSCHED_NEVER), 0);
                EXPECT_EQ(v, i);
            }
            EXPECT_EQ(run_join(t), 0);
            cosched_chan_unref(p.ch);
        }
    }
}

enum { PRODUCERS = 8, CONSUMERS = 8, EACH_SENDS = 500 };

static atomic_uchar seen[PRODUCERS * EACH_SENDS];

struct producer {
    cosched_chan *ch;
    int64_t first;
};

static int64_t produce(void *arg)
{
    const struct producer *p = arg;
    for (int64_t i = 0; i < EACH_SENDS; i++) {
        int64_t v = p->first + i;
        EXPECT_EQ(cosched_chan_send(p->ch, &v, COSCHED_NEVER), 0);
        if (i % 61 == 0) {
            cosched_hop(cosched_where() == COSCHED_MAIN ? COSCHED_WORKER : COSCHED_MAIN);
        }
    }
    return 0;
}

static int64_t consume(void *arg)
{
    cosched_chan *ch = arg;
    int64_t last[PRODUCERS], v, n = 0;
    memset(last, 0xff, sizeof last);
    int rc;
    while ((rc = cosched_chan_recv(ch, &v, COSCHED_NEVER)) == 0) {
        EXPECT_EQ(atomic_fetch_add(&seen[v], 1), 0);
        EXPECT(v % EACH_SENDS >
               last[v / EACH_SENDS]); /* each producer's values keep their order at each consumer */
        last[v / EACH_SENDS] = v % EACH_SENDS;
        n++;
    }
    EXPECT_EQ(rc, -EPIPE);
    return n;
}

SCENARIO(many_producers_and_consumers_pass_every_value_exactly_once)
{
    cosched_chan *ch = open_chan(4);
    cosched_task p[PRODUCERS], c[CONSUMERS];
    struct producer args[PRODUCERS];
    for (int i = 0; i < CONSUMERS; i++) {
        c[i] = run_spawn(consume, ch, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        args[i] = (struct producer){ch, (int64_t)i * EACH_SENDS};
        p[i] = run_spawn(produce, &args[i], i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        EXPECT_EQ(run_join(p[i]), 0);
    }
    cosched_chan_close(ch);
    int64_t n = 0;
    for (int i = 0; i < CONSUMERS; i++) {
        n += run_join(c[i]);
    }
    EXPECT_EQ(n, PRODUCERS * EACH_SENDS);
    cosched_chan_unref(ch);
}

static int64_t recv_one(void *arg)
{
    int64_t v = -1;
    int rc = cosched_chan_recv(arg, &v, COSCHED_NEVER);
    return rc < 0 ? rc : v;
}

static int64_t send_one(void *arg)
{
    int64_t v = 77;
    return cosched_chan_send(arg, &v, COSCHED_NEVER);
}

SCENARIO(close_wakes_everybody_and_what_is_inside_can_be_drained)
{
    cosched_chan *empty = open_chan(2), *full = open_chan(2);
    EXPECT_EQ(send_now(full, 1), 0);
    EXPECT_EQ(send_now(full, 2), 0);
    cosched_task r[10], s[10];
    for (int i = 0; i < 10; i++) {
        r[i] = run_spawn(recv_one, empty, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
        s[i] = run_spawn(send_one, full, i % 2 ? COSCHED_MAIN : COSCHED_WORKER);
    }
    cosched_yield();
    for (int i = 0; i < 2; i++) {
        cosched_chan_close(empty);
        cosched_chan_close(full);
    }
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(run_join(r[i]), -EPIPE);
        EXPECT_EQ(run_join(s[i]), -EPIPE);
    }
    EXPECT_EQ(send_now(empty, 1), -EPIPE);
    int64_t v;
    EXPECT_EQ(cosched_chan_recv(full, &v, COSCHED_NEVER), 0);
    EXPECT_EQ(v, 1);
    EXPECT_EQ(cosched_chan_recv(full, &v, COSCHED_NOW), 0);
    EXPECT_EQ(v, 2);
    EXPECT_EQ(cosched_chan_recv(full, &v, COSCHED_NEVER), -EPIPE);
    cosched_chan_unref(empty);
    cosched_chan_unref(full);
}

SCENARIO(deadlines_end_the_waiting_and_leave_no_trace)
{
    cosched_chan *ch = open_chan(1);
    int64_t v = 5, deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_chan_recv(ch, &v, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(v, 5);
    EXPECT_EQ(send_now(ch, 6), 0); /* into the ring: nobody waits any more */
    EXPECT_EQ(cosched_chan_count(ch), 1);
    deadline = cosched_in_ms(2);
    EXPECT_EQ(cosched_chan_send(ch, &v, deadline), -ETIMEDOUT);
    EXPECT(cosched_now() >= deadline);
    EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NOW), 0);
    EXPECT_EQ(v, 6);
    EXPECT_EQ(cosched_chan_recv(ch, &v, COSCHED_NOW),
              -ETIMEDOUT); /* the sender that gave up left no value */
    cosched_chan_unref(ch);
}

static atomic_int got;

static int64_t recv_counting(void *arg)
{
    int64_t v;
    int rc = cosched_chan_recv(arg, &v, COSCHED_NEVER);
    if (rc == 0) {
        atomic_fetch_add(&got, 1);
    }
    return rc;
}

SCENARIO(a_cancelled_receiver_loses_no_value)
{
    for (int round = 0; round < RUN_SIZE(300, 100, 50); round++) {
        cosched_chan *ch = open_chan(16);
        cosched_task r[8];
        got = 0;
        for (int i = 0; i < 8; i++) {
            r[i] = run_spawn(recv_counting, ch, i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        }
        if (round % 2) {
            cosched_yield();
        }
        for (int i = 0; i < 8; i++) { /* values and cancellations race */
            cosched_cancel(r[i]);
            EXPECT_EQ(send_now(ch, i), 0);
        }
        int ok = 0;
        for (int i = 0; i < 8; i++) {
            int64_t rc = run_join(r[i]);
            EXPECT(rc == 0 || rc == -ECANCELED);
            ok += rc == 0;
        }
        EXPECT_EQ(ok, got);
        EXPECT_EQ(ok + (int)cosched_chan_count(ch), 8);
        cosched_chan_unref(ch);
    }
}

SCENARIO(waiting_receivers_are_served_in_order)
{
    cosched_chan *ch = open_chan(1);
    cosched_task r[10];
    for (int i = 0; i < 10; i++) {
        r[i] = run_spawn(recv_one, ch, COSCHED_MAIN);
        cosched_yield(); /* MAIN runs in order: it waits now */
    }
    for (int64_t i = 0; i < 10; i++) {
        EXPECT_EQ(send_now(ch, i), 0); /* capacity 1, and yet all ten find a receiver */
    }
    for (int i = 0; i < 10; i++) {
        int64_t v = -1;
        EXPECT_EQ(cosched_await(&r[i], &v, cosched_in_ms(60000)), 0);
        EXPECT_EQ(v, i);
    }
    cosched_chan_unref(ch);
}

struct foreign {
    cosched_chan *ch;
    int64_t count;
};

static void *send_from_thread(void *arg)
{
    struct foreign *f = arg;
    int64_t v = 0;
    EXPECT_EQ(cosched_chan_send(f->ch, &v, COSCHED_NEVER), -EPERM); /* a thread would block */
    EXPECT_EQ(cosched_chan_recv(f->ch, &v, cosched_in_ms(1)), -EPERM);
    for (v = 0; v < f->count; v++) {
        UNTIL_SPIN(cosched_chan_send(f->ch, &v, COSCHED_NOW) == 0);
    }
    cosched_chan_close(f->ch);
    cosched_chan_unref(f->ch);
    return NULL;
}

SCENARIO(a_foreign_thread_sends_without_blocking)
{
    struct foreign f = {open_chan(3), RUN_SIZE(5000, 1000, 500)};
    pthread_t thread;
    cosched_chan *mine = cosched_chan_ref(f.ch);
    EXPECT_EQ(pthread_create(&thread, NULL, send_from_thread, &f), 0);
    int64_t v = -1, next = 0;
    int rc;
    while ((rc = cosched_chan_recv(mine, &v, COSCHED_NEVER)) == 0) {
        EXPECT_EQ(v, next++);
    }
    EXPECT_EQ(rc, -EPIPE);
    EXPECT_EQ(next, f.count);
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    cosched_chan_unref(mine);
}

START_TEST(sizes_are_checked_and_odd_ones_work)
{
    cosched_chan *ch;
    EXPECT_EQ(cosched_chan_create(&ch, 0, 1), -EINVAL);
    EXPECT_EQ(cosched_chan_create(&ch, 8, ((size_t)1 << 20) + 1), -EINVAL);
    EXPECT_EQ(cosched_chan_create(&ch, SIZE_MAX / 2, 4), -EINVAL);
    EXPECT(ch == NULL);
    cosched_chan_unref(NULL);

    struct {
        char text[13];
    } a = {"twelve bytes"}, b;

    EXPECT_EQ(cosched_chan_create(&ch, sizeof a, (size_t)1 << 20), 0);
    EXPECT_EQ(cosched_chan_send(ch, &a, COSCHED_NOW), 0);
    EXPECT_EQ(cosched_chan_recv(ch, &b, COSCHED_NOW), 0);
    EXPECT_EQ(strcmp(b.text, "twelve bytes"), 0);
    cosched_chan_unref(ch);
}

END_TEST

RUN_MAIN("channel", EACH(values_come_out_in_the_order_they_went_in),
         EACH(one_sender_and_one_receiver_keep_order_across_executors),
         EACH(many_producers_and_consumers_pass_every_value_exactly_once),
         EACH(close_wakes_everybody_and_what_is_inside_can_be_drained),
         EACH(deadlines_end_the_waiting_and_leave_no_trace),
         EACH(a_cancelled_receiver_loses_no_value), EACH(waiting_receivers_are_served_in_order),
         EACH(a_foreign_thread_sends_without_blocking), ONCE(sizes_are_checked_and_odd_ones_work))
