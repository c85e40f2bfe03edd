/* Pipes, pairs, adopted descriptors, writes in parts, and who the two ends are. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "test_io.h"

static const cosched_affinity both[] = {COSCHED_MAIN, COSCHED_WORKER};

static int64_t read_some(void *arg)
{
    char buffer[8];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

static int64_t write_one(void *arg)
{
    return cosched_write(arg, "x", 1, IO_SOON);
}

IO_TEST(a_pipe_has_two_ends)
{
    for (int i = 0; i < 10; i++) {
        cosched_stream *from, *to;
        char buffer[8];
        ck_assert_int_eq(cosched_pipe(&from, &to), 0);
        ck_assert_int_eq(fcntl(cosched_stream_fileno(from), F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(cosched_read(from, buffer, sizeof buffer, COSCHED_NOW), -ETIMEDOUT);
        ck_assert_int_eq(cosched_read(from, buffer, sizeof buffer, IO_MOMENT), -ETIMEDOUT);
        ck_assert_int_eq(cosched_read(to, buffer, sizeof buffer, IO_SOON), -EBADF);
        ck_assert_int_eq(cosched_write(from, "x", 1, IO_SOON), -EBADF);
        ck_assert_int_eq(cosched_stream_shutdown_write(to), -ENOTSOCK);
        cosched_task reader = io_spawn(both[i % 2], read_some, from);
        io_until_waits(io_source(from), COS_READ_SIDE);
        ck_assert_int_eq(io_await(io_spawn(both[i / 2 % 2], write_one, to)), 1);
        ck_assert_int_eq(io_await(reader), 1);
        reader = io_spawn(both[i % 2], read_some, from);
        io_until_waits(io_source(from), COS_READ_SIDE);
        cosched_close(to);
        ck_assert_int_eq(io_await(reader), 0); /* the end */
        ck_assert_int_eq(cosched_read(from, buffer, sizeof buffer, IO_SOON), 0);
        cosched_close(from);
    }
    return 0;
}

/* SIGPIPE has its default action here: one that came through would end the test. */
IO_TEST(a_pipe_without_a_reader_breaks_and_raises_nothing)
{
    for (int i = 0; i < 4; i++) {
        cosched_stream *from, *to;
        sigset_t pending;
        ck_assert_int_eq(cosched_pipe(&from, &to), 0);
        cosched_close(from);
        ck_assert_int_eq(io_await(io_spawn(both[i % 2], write_one, to)), -EPIPE);
        ck_assert_int_eq(sigpending(&pending), 0);
        ck_assert_int_eq(sigismember(&pending, SIGPIPE), 0);
        cosched_close(to);
    }
    return 0;
}

IO_TEST(a_sigpipe_that_was_pending_stays)
{
    cosched_stream *from, *to;
    sigset_t only, former, pending;
    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &only, &former), 0);
    ck_assert_int_eq(raise(SIGPIPE), 0);
    ck_assert_int_eq(cosched_pipe(&from, &to), 0);
    cosched_close(from);
    ck_assert_int_eq(cosched_write(to, "x", 1, IO_SOON), -EPIPE);
    cosched_close(to);
    ck_assert_int_eq(sigpending(&pending), 0);
    ck_assert_int_eq(sigismember(&pending, SIGPIPE), 1);
    int number;
    ck_assert_int_eq(sigwait(&only, &number), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &former, NULL), 0);
    return 0;
}

/* --- writes that leave in parts ---------------------------------------------------------------------------------- */

enum { BULK = 300000 };

static char pattern(size_t at)
{
    return (char)(at * 7 + at / 4093);
}

static int64_t write_parts(void *arg)
{
    char *bulk = malloc(BULK);
    ck_assert_ptr_nonnull(bulk);
    for (size_t i = 0; i < BULK; i++) {
        bulk[i] = pattern(i);
    }
    struct iovec parts[40];
    uint32_t seed = 5;
    size_t count = 0, at = 0;
    while (at < BULK) { /* of all sizes, empty ones among them */
        size_t size = count % 7 == 3 ? 0 : count == 39 ? BULK - at : 1 + io_random(&seed) % 9000;
        size = size < BULK - at ? size : BULK - at;
        parts[count++] = (struct iovec){.iov_base = bulk + at, .iov_len = size};
        at += size;
    }
    int64_t rc = cosched_writev(arg, parts, count, IO_SOON);
    free(bulk);
    return rc;
}

static void read_bulk(cosched_stream *s)
{
    char part[4096];
    uint32_t seed = 9;
    for (size_t at = 0; at < BULK;) {
        int64_t n = cosched_read(s, part, 1 + io_random(&seed) % sizeof part, IO_SOON);
        ck_assert_int_gt(n, 0);
        bool same = true;
        for (int64_t i = 0; i < n; i++, at++) {
            same = same && part[i] == pattern(at);
        }
        ck_assert(same);
    }
}

/* What is sent only: a tiny receive window is waited for by the kernel's timers. */
static void make_tiny(cosched_stream *s)
{
    int bytes = 1; /* the kernel gives its least */
    ck_assert_int_eq(
        setsockopt(cosched_stream_fileno(s), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

static void tcp_pair(cosched_stream *ends[2])
{
    cosched_listener *l;
    ck_assert_int_eq(cosched_listen_tcp(&l, "127.0.0.1", 0, 1), 0);
    int port = cosched_listener_port(l);
    ck_assert_int_eq(cosched_connect_tcp(&ends[0], "127.0.0.1", (uint16_t)port, IO_SOON), 0);
    ck_assert_int_eq(cosched_accept(l, &ends[1], IO_SOON), 0);
    cosched_listener_close(l);
}

IO_TEST(many_parts_through_small_buffers_arrive_in_order)
{
    for (int i = 0; i < 6; i++) {
        cosched_stream *ends[2];
        if (i / 2 == 0) {
            ck_assert_int_eq(cosched_stream_pair(ends), 0);
            make_tiny(ends[0]);
        } else if (i / 2 == 1) {
            tcp_pair(ends);
            make_tiny(ends[0]);
        } else {
            ck_assert_int_eq(cosched_pipe(&ends[1], &ends[0]), 0);
            ck_assert_int_gt(fcntl(cosched_stream_fileno(ends[0]), F_SETPIPE_SZ, 4096), 0);
        }
        cosched_task writer = io_spawn(both[i % 2], write_parts, ends[0]);
        read_bulk(ends[1]);
        ck_assert_int_eq(io_await(writer), BULK);
        io_close_pair(ends);
    }
    return 0;
}

IO_TEST(parts_that_are_nothing)
{
    cosched_stream *ends[2];
    ck_assert_int_eq(cosched_stream_pair(ends), 0);
    const struct iovec none[3] = {{.iov_len = 0}};
    ck_assert_int_eq(cosched_writev(ends[0], none, 3, IO_SOON), 0);
    ck_assert_int_eq(cosched_writev(ends[0], NULL, 0, IO_SOON), 0);
    const struct iovec absurd[2] = {{.iov_len = SIZE_MAX / 2}, {.iov_len = SIZE_MAX / 2}};
    ck_assert_int_eq(cosched_writev(ends[0], absurd, 2, IO_SOON), -EINVAL);
    io_close_pair(ends);
    return 0;
}

/* A short read of TCP proves that nothing is left, unless an end came with it. */
IO_TEST(what_comes_with_the_end_is_not_waited_for)
{
    for (int i = 0; i < 200; i++) {
        cosched_stream *ends[2];
        char buffer[64];
        tcp_pair(ends);
        cosched_task reader = io_spawn(both[i % 2], read_some, ends[1]);
        if (i % 4 < 2) {
            io_until_waits(io_source(ends[1]), COS_READ_SIDE); /* so that it is watched */
        }
        ck_assert_int_eq(cosched_write(ends[0], "abc", 3, IO_SOON), 3);
        if (i % 3 == 0) {
            ck_assert_int_eq(io_await(reader), 3);
        }
        ck_assert_int_eq(cosched_stream_shutdown_write(ends[0]), 0);
        if (i % 3 != 0) {
            ck_assert_int_eq(io_await(reader), 3);
        }
        ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 0);
        io_close_pair(ends);
    }
    return 0;
}

static int64_t read_urgent_rest(void *arg)
{
    char buffer[64];
    int64_t all = 0, n;
    while (all < 6 && (n = cosched_read(arg, buffer, sizeof buffer, IO_SOON)) > 0) {
        all += n;
    }
    return all;
}

IO_TEST(urgent_data_hide_nothing)
{
    for (int i = 0; i < 40; i++) {
        cosched_stream *ends[2];
        tcp_pair(ends);
        cosched_task reader = io_spawn(both[i % 2], read_urgent_rest, ends[1]);
        io_until_waits(io_source(ends[1]), COS_READ_SIDE);
        int fd = cosched_stream_fileno(ends[0]);
        ck_assert_int_eq(send(fd, "abc", 3, 0), 3);
        ck_assert_int_eq(send(fd, "!", 1, MSG_OOB), 1); /* a read stops before it */
        ck_assert_int_eq(send(fd, "def", 3, 0), 3);
        ck_assert_int_eq(io_await(reader), 6);
        io_close_pair(ends);
    }
    return 0;
}

/* --- adopting ------------------------------------------------------------------------------------------------------- */

IO_TEST(any_descriptor_but_a_file)
{
    cosched_stream *s, *t;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(cosched_stream_adopt(&s, ends[0]), 0);
    ck_assert_int_eq(cosched_stream_fileno(s), ends[0]);
    ck_assert_int_ne(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_eq(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(cosched_stream_adopt(&t, ends[1]), 0);
    ck_assert_int_eq(cosched_write(t, "abc", 3, IO_SOON), 3);
    ck_assert_int_eq(read_some(s), 3);
    cosched_close(s);
    cosched_close(t);

    int null = open("/dev/null", O_RDWR);
    ck_assert_int_eq(cosched_stream_adopt(&s, null), 0);
    ck_assert_int_eq(write_one(s), 1);
    ck_assert_int_eq(read_some(s), 0);
    cosched_close(s);

    int file = open(io_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    ck_assert_int_eq(cosched_stream_adopt(&s, file), -EINVAL);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(close(file), 0); /* it had stayed ours */
    int directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_eq(cosched_stream_adopt(&s, directory), -EINVAL);
    close(directory);
    ck_assert_int_eq(cosched_stream_adopt(&s, -1), -EBADF);
    ck_assert_int_eq(cosched_tty_open(&s, null), -EBADF);
    return 0;
}

/* --- addresses ------------------------------------------------------------------------------------------------------- */

static void is_text(const struct cosched_address *a, const char *text)
{
    char got[COSCHED_ADDRESS_TEXT];
    ck_assert_int_eq(cosched_address_text(a, got, sizeof got), (int)strlen(text));
    ck_assert_str_eq(got, text);
    ck_assert_int_eq(cosched_address_text(a, got, strlen(text)), -ENOSPC);
    ck_assert_int_eq(cosched_address_text(a, got, strlen(text) + 1), (int)strlen(text));
}

IO_TEST(who_the_two_ends_are)
{
    cosched_stream *ends[2];
    struct cosched_address a, b;
    char text[COSCHED_ADDRESS_TEXT];
    tcp_pair(ends);
    ck_assert_int_eq(cosched_stream_local(ends[0], &a), 0);
    ck_assert_int_eq(cosched_stream_peer(ends[1], &b), 0);
    ck_assert_int_eq(cosched_address_port(&a), cosched_address_port(&b));
    snprintf(text, sizeof text, "127.0.0.1:%d", cosched_address_port(&a));
    is_text(&a, text);
    is_text(&b, text);
    io_close_pair(ends);

    cosched_listener *l = io_listen(1);
    ck_assert_int_eq(cosched_connect_unix(&ends[0], io_path, IO_SOON), 0);
    ck_assert_int_eq(cosched_stream_peer(ends[0], &a), 0);
    is_text(&a, io_path);
    ck_assert_int_eq(cosched_stream_local(ends[0], &a), 0);
    ck_assert_int_eq(cosched_address_text(&a, text, sizeof text), 0); /* it has no name */
    cosched_close(ends[0]);
    cosched_listener_close(l);

    ck_assert_int_eq(cosched_pipe(&ends[0], &ends[1]), 0);
    ck_assert_int_eq(cosched_stream_peer(ends[0], &a), -ENOTSOCK);
    io_close_pair(ends);

    struct cosched_addresses *six;
    ck_assert_int_eq(cosched_resolve("2001:db8::1", "443", IO_SOON, &six), 0);
    is_text(&six->at[0], "[2001:db8::1]:443");
    six->at[0].to.ss_family = AF_PACKET;
    ck_assert_int_eq(cosched_address_text(&six->at[0], text, sizeof text), -EAFNOSUPPORT);
    cosched_addresses_free(six);
    return 0;
}

/* --- nothing to be had ------------------------------------------------------------------------------------------------ */

IO_TEST(without_memory_or_descriptors_nothing_is_lost)
{
    cosched_stream *ends[2];
    for (unsigned n = 1; n <= 2; n++) {
        cos_alloc_fail_at(n);
        ck_assert_int_eq(cosched_pipe(&ends[0], &ends[1]), -ENOMEM);
        ck_assert_ptr_null(ends[0]);
        ck_assert_ptr_null(ends[1]);
        cos_alloc_fail_at(n);
        ck_assert_int_eq(cosched_stream_pair(ends), -ENOMEM);
    }
    cos_alloc_fail_at(1);
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(cosched_stream_adopt(&ends[0], fd), -ENOMEM);
    cos_alloc_fail_at(0);

    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)fd + 1; /* one is left at most, and a pair needs two */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(cosched_pipe(&ends[0], &ends[1]), -EMFILE);
    ck_assert_int_eq(cosched_stream_pair(ends), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    return 0;
}

IO_MAIN("io_pipe", a_pipe_has_two_ends, a_pipe_without_a_reader_breaks_and_raises_nothing,
        a_sigpipe_that_was_pending_stays, many_parts_through_small_buffers_arrive_in_order,
        parts_that_are_nothing, what_comes_with_the_end_is_not_waited_for, urgent_data_hide_nothing,
        any_descriptor_but_a_file, who_the_two_ends_are,
        without_memory_or_descriptors_nothing_is_lost)
