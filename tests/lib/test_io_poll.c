/* cosched_poll. */
#include <fcntl.h>

#include "test_io.h"

IO_TEST(a_pipe_is_ready_or_not)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(cosched_poll(ends[0], COSCHED_READABLE, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_ne(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0); /* as promised */
    ck_assert_int_eq(cosched_poll(ends[0], COSCHED_READABLE, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(cosched_poll(ends[1], COSCHED_WRITABLE, COSCHED_NOW), COSCHED_WRITABLE);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(cosched_poll(ends[0], COSCHED_READABLE, COSCHED_NOW), COSCHED_READABLE);
    ck_assert_int_eq(cosched_poll(ends[0], COSCHED_READABLE, IO_SOON),
                     COSCHED_READABLE); /* not taken: still there */
    close(ends[0]);
    /* Writing would not block, it would fail. */
    ck_assert_int_eq(cosched_poll(ends[1], COSCHED_WRITABLE, IO_SOON),
                     COSCHED_READABLE | COSCHED_WRITABLE);
    close(ends[1]);
    ck_assert_int_eq(cosched_poll(ends[1], COSCHED_WRITABLE, IO_SOON), -EBADF);
    return 0;
}

struct poller {
    int fd, events;
};

static int64_t poll_it(void *arg)
{
    struct poller *p = arg;
    return cosched_poll(p->fd, p->events, IO_SOON);
}

/* A task of MAIN that waits in poll_it: MAIN's queue is fair, so it has got there when this task has its next turn. */
static cosched_task spawn_poller(struct poller *p)
{
    cosched_task task = io_spawn(COSCHED_MAIN, poll_it, p);
    cosched_yield();
    ck_assert_int_eq(cosched_poll(p->fd, p->events, IO_MOMENT),
                     -ETIMEDOUT); /* a second one may wait */
    return task;
}

IO_TEST(a_waiting_task_is_woken)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct poller p = {ends[0], COSCHED_READABLE};
    for (int i = 0; i < 20; i++) {
        char byte;
        cosched_task task = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, poll_it, &p);
        cosched_yield();
        ck_assert_int_eq(write(ends[1], "x", 1), 1);
        ck_assert_int_eq(io_await(task), COSCHED_READABLE);
        ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    }
    cosched_task task = spawn_poller(&p);
    close(ends[1]); /* a hang-up makes it readable */
    ck_assert_int_eq(io_await(task), COSCHED_READABLE);
    close(ends[0]);
    return 0;
}

static void fill(int fd)
{
    static const char zeroes[4096];
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, zeroes, sizeof zeroes) > 0) {
    }
}

IO_TEST(a_full_pipe_whose_reader_goes)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    fill(ends[1]);
    struct poller p = {ends[1], COSCHED_WRITABLE};
    cosched_task task = spawn_poller(&p);
    close(ends[0]); /* an error condition */
    ck_assert_int_eq(io_await(task), COSCHED_READABLE | COSCHED_WRITABLE);
    close(ends[1]);
    return 0;
}

IO_TEST(cancelled_and_again)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    struct poller p = {ends[0], COSCHED_READABLE | COSCHED_WRITABLE};
    for (int i = 0; i < 20; i++) {
        cosched_task task = spawn_poller(&p);
        cosched_cancel(task);
        ck_assert_int_eq(io_await(task), -ECANCELED);
    }
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(poll_it(&p), COSCHED_READABLE);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

IO_TEST(what_epoll_refuses_is_always_ready)
{
    int fd = open(io_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    int both = COSCHED_READABLE | COSCHED_WRITABLE;
    ck_assert_int_eq(cosched_poll(fd, both, IO_SOON), both);
    ck_assert_int_eq(cosched_poll(fd, 0, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_poll(fd, 4, IO_SOON), -EINVAL);
    ck_assert_int_eq(cosched_poll(-1, both, IO_SOON), -EBADF);
    close(fd);
    return 0;
}

static int64_t read_some(void *arg)
{
    char buffer[8];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

/* A stream's descriptor stays watched after its first wait; that must not refuse others. */
IO_TEST(a_streams_descriptor)
{
    cosched_stream *ends[2];
    io_pair(ends);
    int fd = cosched_stream_fileno(ends[0]);
    struct poller p = {fd, COSCHED_READABLE};
    cosched_task reader = io_spawn(COSCHED_MAIN, read_some, ends[0]);
    io_until_waits(io_source(ends[0]), COS_READ_SIDE);
    ck_assert_int_eq(cosched_poll(fd, COSCHED_READABLE, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(cosched_write(ends[1], "abc", 3, IO_SOON), 3);
    ck_assert_int_eq(io_await(reader), 3);

    cosched_task task = spawn_poller(&p);
    ck_assert_int_eq(cosched_poll(fd, COSCHED_WRITABLE, IO_SOON), COSCHED_WRITABLE);
    ck_assert_int_eq(cosched_write(ends[1], "abc", 3, IO_SOON), 3);
    ck_assert_int_eq(io_await(task), COSCHED_READABLE);
    ck_assert_int_eq(read_some(ends[0]), 3);
    io_close_pair(ends);
    return 0;
}

IO_MAIN("io_poll", a_pipe_is_ready_or_not, a_waiting_task_is_woken, a_full_pipe_whose_reader_goes,
        cancelled_and_again, what_epoll_refuses_is_always_ready, a_streams_descriptor)
