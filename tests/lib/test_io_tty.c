/* Terminals, on the slave of a pseudo-terminal; the test holds the master. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "base/alloc.h"
#include "test_io.h"

/* The master's stream, and a descriptor of the slave's that somebody else uses, too. */
static int open_pair(cosched_stream **master)
{
    char name[64];
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(grantpt(fd), 0);
    ck_assert_int_eq(unlockpt(fd), 0);
    ck_assert_int_eq(ptsname_r(fd, name, sizeof name), 0);
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(slave, 0);
    ck_assert_int_eq(cosched_tty_open(master, fd), 0);
    close(fd);
    return slave;
}

static tcflag_t local_flags(int fd)
{
    struct termios mode;
    ck_assert_int_eq(tcgetattr(fd, &mode), 0);
    return mode.c_lflag;
}

static int64_t read_some(void *arg)
{
    char buffer[64];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

static void expect_read(cosched_stream *s, const char *text)
{
    char buffer[64];
    size_t got = 0;
    while (got < strlen(text)) {
        int64_t n = cosched_read(s, buffer + got, sizeof buffer - got, IO_SOON);
        ck_assert_int_gt(n, 0);
        got += (size_t)n;
    }
    ck_assert_uint_eq(got, strlen(text));
    ck_assert_mem_eq(buffer, text, got);
}

IO_TEST(lines_or_keys)
{
    cosched_stream *master, *tty;
    int slave = open_pair(&master);
    ck_assert_int_eq(cosched_tty_open(&tty, slave), 0);
    ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0); /* others are left alone */
    tcflag_t former = local_flags(slave);
    ck_assert_uint_ne(former & ICANON, 0);

    ck_assert_int_eq(cosched_write(master, "ab", 2, IO_SOON), 2);
    expect_read(master, "ab"); /* its echo */
    char buffer[8];
    ck_assert_int_eq(cosched_read(tty, buffer, sizeof buffer, IO_MOMENT), -ETIMEDOUT); /* no line */
    for (int i = 0; i < 4; i++) {
        cosched_task reader = io_spawn(i % 2 ? COSCHED_MAIN : COSCHED_WORKER, read_some, tty);
        io_until_waits(io_source(tty), COS_READ_SIDE);
        ck_assert_int_eq(cosched_write(master, "c\n", 2, IO_SOON), 2);
        ck_assert_int_eq(io_await(reader), i == 0 ? 4 : 2);
        expect_read(master, "c\r\n");
    }
    /* Two lines at once: a read takes one of them. */
    ck_assert_int_eq(cosched_write(master, "d\ne\n", 4, IO_SOON), 4);
    expect_read(tty, "d\n");
    expect_read(tty, "e\n");
    expect_read(master, "d\r\ne\r\n");

    ck_assert_int_eq(cosched_tty_raw(tty, true), 0);
    ck_assert_int_eq(cosched_tty_raw(tty, true), 0); /* the former mode is still known */
    ck_assert_uint_eq(local_flags(slave) & (tcflag_t)(ICANON | ECHO | ISIG), 0);
    ck_assert_int_eq(cosched_write(master, "\003", 1, IO_SOON), 1);
    expect_read(tty, "\003");
    ck_assert_int_eq(cosched_write(tty, "x\n", 2, IO_SOON), 2);
    expect_read(master, "x\r\n");
    ck_assert_int_eq(cosched_tty_raw(tty, false), 0);
    ck_assert_uint_eq(local_flags(slave), former);
    ck_assert_int_eq(cosched_tty_raw(tty, false), 0);

    ck_assert_int_eq(cosched_tty_raw(tty, true), 0);
    cosched_close(tty); /* gives the mode back, too */
    ck_assert_uint_eq(local_flags(slave), former);
    close(slave);
    cosched_close(master);
    return 0;
}

IO_TEST(a_window_has_a_size)
{
    cosched_stream *master, *tty, *pipe[2];
    int slave = open_pair(&master), columns = 0, rows = 0;
    struct winsize size = {.ws_col = 132, .ws_row = 43};
    ck_assert_int_eq(cosched_tty_open(&tty, slave), 0);
    ck_assert_int_eq(ioctl(cosched_stream_fileno(master), TIOCSWINSZ, &size), 0);
    ck_assert_int_eq(cosched_tty_size(tty, &columns, &rows), 0);
    ck_assert_int_eq(columns, 132);
    ck_assert_int_eq(rows, 43);
    ck_assert_int_eq(cosched_pipe(&pipe[0], &pipe[1]), 0);
    ck_assert_int_eq(cosched_tty_size(pipe[0], &columns, &rows), -ENOTTY);
    ck_assert_int_eq(cosched_tty_raw(pipe[0], true), -ENOTTY);
    io_close_pair(pipe);
    cosched_close(tty);
    cosched_close(master);
    close(slave);
    return 0;
}

IO_TEST(a_terminal_that_hangs_up)
{
    cosched_stream *master, *tty;
    int slave = open_pair(&master);
    ck_assert_int_eq(cosched_tty_open(&tty, slave), 0);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_some, tty);
    io_until_waits(io_source(tty), COS_READ_SIDE);
    cosched_close(master);
    ck_assert_int_eq(io_await(reader), 0);
    ck_assert_int_eq(cosched_write(tty, "x", 1, IO_SOON), -EIO);
    cosched_close(tty);
    close(slave);
    return 0;
}

IO_TEST(what_is_none)
{
    cosched_stream *s;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(cosched_tty_open(&s, null), -ENOTTY);
    ck_assert_ptr_null(s);
    ck_assert_int_eq(cosched_tty_open(&s, -1), -EBADF);
    close(null);
    cosched_stream *master;
    int slave = open_pair(&master);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_tty_open(&s, slave), -ENOMEM);
    ck_assert_int_eq(cosched_tty_open(&s, slave), 0);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_tty_raw(s, true), -ENOMEM);
    cos_alloc_fail_at(0);
    cosched_close(s);
    close(slave);
    cosched_close(master);
    return 0;
}

IO_MAIN("io_tty", lines_or_keys, a_window_has_a_size, a_terminal_that_hangs_up, what_is_none)
