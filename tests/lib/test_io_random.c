/* Every kind of waiting operation, ended at random moments by deadlines, cancellations and what it waits for: each ends once,
 * with one of the answers that it may give, and the objects are as good as new. */
#include <signal.h>
#include <sys/inotify.h>

#include "test_io.h"

enum { KINDS = 9, ROUNDS = 60 };

static cosched_stream *ends[2], *pipes[2];
static cosched_listener *listener;
static cosched_udp *udp;
static cosched_signals *signals;
static cosched_changes *changes;
static int event_pipe[2];

struct trial {
    int kind;
    int64_t deadline;
};

static int64_t try_it(void *arg)
{
    const struct trial *t = arg;
    static const char zeroes[1 << 18];
    char buffer[64];
    struct cosched_change change;
    cosched_stream *s;
    int64_t rc;
    switch (t->kind) {
    case 0: return cosched_read(ends[0], buffer, sizeof buffer, t->deadline);
    case 1: return cosched_write(ends[0], zeroes, sizeof zeroes, t->deadline);
    case 2: return cosched_read(pipes[0], buffer, sizeof buffer, t->deadline);
    case 3: return cosched_recv_fd(ends[0], t->deadline);
    case 4: return cosched_udp_recv_from(udp, buffer, sizeof buffer, NULL, t->deadline);
    case 5: return cosched_signals_wait(signals, t->deadline);
    case 6: return cosched_changes_next(changes, &change, t->deadline);
    case 7: return cosched_poll(event_pipe[0], COSCHED_READABLE, t->deadline);
    default:
        rc = cosched_accept(listener, &s, t->deadline);
        cosched_close(s);
        return rc;
    }
}

static void open_all(void)
{
    int usr1 = SIGUSR1;
    io_pair(ends);
    listener = io_listen(8);
    ck_assert_int_eq(cosched_pipe(&pipes[0], &pipes[1]), 0);
    ck_assert_int_eq(cosched_udp_open(&udp, "127.0.0.1", 0), 0);
    ck_assert_int_eq(cosched_signals_open(&signals, &usr1, 1), 0);
    ck_assert_int_eq(cosched_changes_open(&changes), 0);
    char here[sizeof io_path]; /* a directory where nobody else makes files */
    snprintf(here, sizeof here, "%.*s", (int)(strrchr(io_path, '/') - io_path), io_path);
    ck_assert_int_gt(cosched_changes_add(changes, here, IN_CREATE, IO_SOON), 0);
    ck_assert_int_eq(pipe(event_pipe), 0);
}

static void close_all(void)
{
    io_close_pair(ends);
    io_close_pair(pipes);
    cosched_listener_close(listener);
    cosched_udp_close(udp);
    cosched_signals_close(signals);
    cosched_changes_close(changes);
    close(event_pipe[0]);
    close(event_pipe[1]);
}

IO_TEST(deadlines_and_cancellations_at_random)
{
    uint32_t seed = 1234;
    open_all();
    for (int i = 0; i < KINDS * ROUNDS; i++) {
        struct trial t = {.kind = i % KINDS};
        bool timed = io_random(&seed) % 2 == 0;
        t.deadline = timed ? cosched_in_ns(io_random(&seed) % 200000) : COSCHED_NEVER;
        cosched_task task =
            io_spawn(io_random(&seed) % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, try_it, &t);
        for (uint32_t n = io_random(&seed) % 6; n > 0; n--) {
            cosched_yield();
        }
        if (!timed || io_random(&seed) % 2 == 0) {
            cosched_cancel(task);
        }
        int64_t rc = io_await(task);
        ck_assert_msg(rc == -ECANCELED || (timed && rc == -ETIMEDOUT), "kind %d: %d", t.kind,
                      (int)rc);
    }
    close_all();
    return 0;
}

static void feed(int kind)
{
    struct cosched_address to;
    switch (kind) {
    case 0: ck_assert_int_eq(cosched_write(ends[1], "x", 1, IO_SOON), 1); break;
    case 2: ck_assert_int_eq(cosched_write(pipes[1], "x", 1, IO_SOON), 1); break;
    case 4: {
        struct cosched_addresses *here;
        char port[8];
        snprintf(port, sizeof port, "%d", cosched_udp_port(udp));
        ck_assert_int_eq(cosched_resolve("127.0.0.1", port, IO_SOON, &here), 0);
        to = here->at[0];
        cosched_addresses_free(here);
        ck_assert_int_eq(cosched_udp_send_to(udp, "x", 1, &to, IO_SOON), 1);
        break;
    }
    case 5: ck_assert_int_eq(raise(SIGUSR1), 0); break;
    default: break;
    }
}

static int64_t drain(void *arg)
{
    struct trial *t = arg;
    t->deadline = IO_SOON;
    return try_it(t);
}

/* What comes just when time is up or the cancellation hits is either the answer or still there: never lost. */
IO_TEST(nothing_is_lost_between_the_two)
{
    static const int kinds[] = {0, 2, 4, 5};
    static const int64_t good[] = {1, 1, 1, SIGUSR1};
    uint32_t seed = 77;
    open_all();
    for (int i = 0; i < 400; i++) {
        int k = i % 4;
        struct trial t = {.kind = kinds[k]};
        bool timed = io_random(&seed) % 2 == 0;
        t.deadline = timed ? cosched_in_ns(io_random(&seed) % 30000) : COSCHED_NEVER;
        cosched_task task =
            io_spawn(io_random(&seed) % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, try_it, &t);
        for (uint32_t n = io_random(&seed) % 4; n > 0; n--) {
            cosched_yield();
        }
        feed(t.kind);
        if (!timed && io_random(&seed) % 2 == 0) {
            cosched_cancel(task);
        }
        int64_t rc = io_await(task);
        if (rc != good[k]) {
            ck_assert(rc == -ECANCELED || rc == -ETIMEDOUT);
            ck_assert_int_eq(drain(&t), good[k]);
        }
    }
    close_all();
    return 0;
}

IO_MAIN("io_random", deadlines_and_cancellations_at_random, nothing_is_lost_between_the_two)
