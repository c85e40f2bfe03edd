/* Descriptors that go through a unix socket. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "emulated.h"
#include "test_io.h"

static int64_t receive(void *arg)
{
    return cosched_recv_fd(arg, IO_SOON);
}

IO_TEST(a_pipe_is_handed_over)
{
    cosched_stream *ends[2];
    int pipe_ends[2];
    char buffer[4];
    struct stat here, there;
    io_pair(ends);
    ck_assert_int_eq(pipe2(pipe_ends, O_CLOEXEC), 0);
    ck_assert_int_eq(cosched_send_fd(ends[0], pipe_ends[1], COSCHED_NOW), 0);
    int got = cosched_recv_fd(ends[1], IO_SOON);
    ck_assert_int_ge(got, 0);
    ck_assert_int_ne(got, pipe_ends[1]);
    ck_assert_int_ne(fcntl(got, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(fstat(pipe_ends[1], &here), 0);
    ck_assert_int_eq(fstat(got, &there), 0);
    ck_assert_uint_eq(here.st_ino, there.st_ino);
    close(pipe_ends[1]);
    ck_assert_int_eq(write(got, "abc", 3), 3);
    ck_assert_int_eq(read(pipe_ends[0], buffer, sizeof buffer), 3);
    close(got);
    close(pipe_ends[0]);
    io_close_pair(ends);
    return 0;
}

static int64_t send_many(void *arg)
{
    for (int i = 0; i < 200; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        int rc = cosched_send_fd(arg, fd, IO_SOON);
        close(fd);
        ck_assert_int_eq(rc, 0);
    }
    return cosched_stream_shutdown_write(arg);
}

IO_TEST(many_and_then_the_end)
{
    cosched_stream *ends[2];
    io_pair(ends);
    cosched_task sender = io_spawn(COSCHED_WORKER, send_many, ends[0]);
    int fd, n = 0;
    while ((fd = cosched_recv_fd(ends[1], IO_SOON)) >= 0) {
        close(fd);
        n++;
    }
    ck_assert_int_eq(fd, -EPIPE);
    ck_assert_int_eq(n, 200);
    ck_assert_int_eq(io_await(sender), 0);
    io_close_pair(ends);
    return 0;
}

static void send_two(int to)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(2 * sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(2 * sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};

    int fds[2] = {0, 1};
    memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
    char byte = 0;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_LEN(sizeof fds)};
    ck_assert_int_eq(sendmsg(to, &m, 0), 1);
}

IO_TEST(what_is_not_one_descriptor)
{
    cosched_stream *ends[2], *tcp[2];
    cosched_listener *l;
    char buffer[4];
    io_pair(ends);
    unsigned before = io_descriptors();
    ck_assert_int_eq(cosched_write(ends[0], "x", 1, IO_SOON), 1);
    ck_assert_int_eq(cosched_recv_fd(ends[1], IO_SOON), -EBADMSG);
    if (!emulator_lacks("what_is_not_one_descriptor, two of them",
                        "does not say that a message was cut")) {
        send_two(cosched_stream_fileno(ends[0]));
        ck_assert_int_eq(cosched_recv_fd(ends[1], IO_SOON), -EBADMSG);
    }
    ck_assert_int_eq(cosched_send_fd(ends[0], 0, IO_SOON), 0); /* read as a byte: it is dropped */
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 1);
    ck_assert_uint_eq(io_descriptors(), before);
    ck_assert_int_eq(cosched_send_fd(ends[0], -1, IO_SOON), -EBADF);
    io_close_pair(ends);
    ck_assert_int_eq(cosched_listen_tcp(&l, "127.0.0.1", 0, 1), 0);
    uint16_t port = (uint16_t)cosched_listener_port(l);
    ck_assert_int_eq(cosched_connect_tcp(&tcp[0], "127.0.0.1", port, IO_SOON), 0);
    ck_assert_int_eq(cosched_accept(l, &tcp[1], IO_SOON), 0);
    ck_assert_int_eq(cosched_send_fd(tcp[0], 0, IO_SOON), -EOPNOTSUPP);
    cosched_listener_close(l);
    io_close_pair(tcp);
    return 0;
}

static int64_t send_until_told(void *arg)
{
    int rc;
    while ((rc = cosched_send_fd(arg, 0, IO_SOON)) == 0) {
    }
    return rc;
}

IO_TEST(deadlines_and_cancels)
{
    cosched_stream *ends[2];
    io_pair(ends);
    ck_assert_int_eq(cosched_recv_fd(ends[1], COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_recv_fd(ends[1], IO_MOMENT), -ETIMEDOUT);
    for (int i = 0; i < 8; i++) {
        cosched_task waits = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, receive, ends[1]);
        io_until_waits(io_source(ends[1]), COS_READ_SIDE);
        ck_assert_int_eq(cosched_recv_fd(ends[1], IO_SOON), -EBUSY);
        cosched_cancel(waits);
        ck_assert_int_eq(io_await(waits), -ECANCELED);
    }
    /* Full: what is under way is limited, by the socket's buffer or by the number of descriptors. */
    cosched_task fills = io_spawn(COSCHED_WORKER, send_until_told, ends[0]);
    cosched_affinity home = cosched_hop(COSCHED_MAIN);
    for (int i = 0; i < 100; i++) {
        cosched_yield();
    }
    cosched_hop(home);
    cosched_cancel(fills);
    int64_t rc = io_await(fills);
    ck_assert(rc == -ECANCELED || rc == -ETOOMANYREFS);
    io_close_pair(ends);
    return 0;
}

IO_MAIN("io_passing", a_pipe_is_handed_over, many_and_then_the_end, what_is_not_one_descriptor,
        deadlines_and_cancels)
