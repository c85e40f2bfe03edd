/* Listening, accepting and connecting. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "arch/sanitizer.h"
#include "test_io.h"

IO_TEST(paths_that_cannot_be)
{
    cosched_listener *l, *second;
    cosched_stream *s;
    char path[200];
    memset(path, 'x', sizeof path);
    path[snprintf(path, sizeof path, "%d", (int)getpid())] = 'x'; /* nobody else's, in this folder */
    path[108] = '\0'; /* one more than an address holds with its end */
    ck_assert_int_eq(cosched_listen_unix(&l, path, 0600, 1), -ENAMETOOLONG);
    ck_assert_ptr_null(l);
    ck_assert_int_eq(cosched_connect_unix(&s, path, COSCHED_NOW), -ENAMETOOLONG);
    path[107] = '\0';
    ck_assert_int_eq(cosched_listen_unix(&l, path, 0600, 1), 0);
    ck_assert_int_eq(cosched_connect_unix(&s, path, COSCHED_NOW), 0);
    cosched_close(s);
    ck_assert_int_eq(cosched_listen_unix(&second, path, 0600, 1), -EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(access(path, F_OK), 0); /* the failure has not taken it away */
    cosched_listener_close(l);
    ck_assert_int_eq(cosched_connect_unix(&s, path, IO_SOON), -ECONNREFUSED);
    ck_assert_ptr_null(s);
    unlink(path);
    ck_assert_int_eq(cosched_connect_unix(&s, path, IO_SOON), -ENOENT);
    ck_assert_int_eq(cosched_listen_unix(&l, "", 0600, 1), -EINVAL);
    ck_assert_int_eq(cosched_connect_unix(&s, "", COSCHED_NOW), -EINVAL);
    ck_assert_int_eq(cosched_listen_unix(&l, "no/such/directory", 0600, 1), -ENOENT);
    return 0;
}

IO_TEST(the_mode_is_in_force_whatever_the_umask)
{
    static const mode_t modes[] = {0600, 0660, 0666, 0777, 0};
    mode_t before = umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        cosched_listener *l;
        struct stat st;
        ck_assert_int_eq(cosched_listen_unix(&l, io_path, modes[i], 1), 0);
        ck_assert_int_eq(stat(io_path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 07777, modes[i]);
        cosched_listener_close(l);
        unlink(io_path);
    }
    ck_assert_uint_eq(umask(before), 077); /* it was not touched */
    return 0;
}

static int64_t accept_one(void *arg)
{
    cosched_stream *s;
    int rc = cosched_accept(arg, &s, IO_SOON);
    cosched_close(s);
    return rc;
}

IO_TEST(accept_times_out_and_works_again)
{
    cosched_listener *l = io_listen(1);
    cosched_stream *s, *accepted;
    ck_assert_int_eq(cosched_accept(l, &accepted, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_accept(l, &accepted, IO_MOMENT), -ETIMEDOUT);
    ck_assert_ptr_null(accepted);
    cosched_task waiter = io_spawn(COSCHED_WORKER, accept_one, l);
    io_until_waits(io_source(l), COS_READ_SIDE);
    ck_assert_int_eq(cosched_accept(l, &accepted, IO_SOON), -EBUSY);
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, IO_SOON), 0);
    ck_assert_int_eq(io_await(waiter), 0);
    cosched_close(s);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(cancelled_accept_leaves_the_listener_usable)
{
    cosched_listener *l = io_listen(1);
    cosched_stream *s, *accepted;
    for (int i = 0; i < 20; i++) {
        cosched_task waiter = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, accept_one, l);
        io_until_waits(io_source(l), COS_READ_SIDE);
        cosched_cancel(waiter);
        ck_assert_int_eq(io_await(waiter), -ECANCELED);
    }
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, IO_SOON), 0);
    ck_assert_int_eq(cosched_accept(l, &accepted, COSCHED_NOW), 0);
    cosched_close(s);
    cosched_close(accepted);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(close_wakes_the_accepting_task)
{
    for (int i = 0; i < 100; i++) {
        cosched_listener *l = io_listen(1);
        cosched_task waiter = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, accept_one, l);
        io_until_waits(io_source(l), COS_READ_SIDE);
        cosched_listener_close(l);
        ck_assert_int_eq(io_await(waiter), -ECANCELED);
        unlink(io_path);
    }
    return 0;
}

/* A full backlog: connect waits for room, and is told by nobody. */
static int64_t connect_and_close(void *arg)
{
    (void)arg;
    cosched_stream *s;
    int rc = cosched_connect_unix(&s, io_path, IO_SOON);
    cosched_close(s);
    return rc;
}

IO_TEST(connect_waits_for_room_in_the_backlog)
{
    enum { ROOM = 2 }; /* Linux takes one more than it was asked for */

    cosched_listener *l = io_listen(ROOM - 1);
    cosched_stream *waiting[ROOM], *s;
    for (int i = 0; i < ROOM; i++) {
        ck_assert_int_eq(cosched_connect_unix(&waiting[i], io_path, COSCHED_NOW), 0);
    }
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, cosched_in_ms(5)), -ETIMEDOUT);
    ck_assert_ptr_null(s);
    cosched_task late = io_spawn(COSCHED_WORKER, connect_and_close, NULL);
    cosched_cancel(late);
    ck_assert_int_eq(io_await(late), -ECANCELED);
    late = io_spawn(COSCHED_WORKER, connect_and_close, NULL);
    for (int i = 0; i < ROOM; i++) {
        ck_assert_int_eq(cosched_accept(l, &s, IO_SOON), 0);
        cosched_close(s);
        cosched_close(waiting[i]);
    }
    ck_assert_int_eq(io_await(late), 0);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(out_of_descriptors_the_connection_waits)
{
    cosched_listener *l = io_listen(2);
    cosched_stream *s, *accepted;
    char byte;
    ck_assert_int_eq(cosched_accept(l, &accepted, IO_MOMENT), -ETIMEDOUT); /* it is armed */
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, IO_SOON), 0);
    int next = dup(0);
    close(next);
    struct rlimit before, now;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    now = before;
    now.rlim_cur = (rlim_t)next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cosched_accept(l, &accepted, IO_SOON), -EMFILE);
        ck_assert_ptr_null(accepted);
        ck_assert_int_eq(cosched_sleep_until(IO_MOMENT), 0); /* MAIN polls meanwhile */
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(cosched_accept(l, &accepted, COSCHED_NOW), 0);
    ck_assert_int_eq(cosched_write(s, "x", 1, IO_SOON), 1);
    ck_assert_int_eq(cosched_read(accepted, &byte, 1, IO_SOON), 1);
    cosched_close(s);
    cosched_close(accepted);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(an_inherited_listener)
{
    cosched_listener *l;
    cosched_stream *s, *accepted;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(cosched_listen_fd(&l, ends[0]), -ENOTSOCK);
    ck_assert_int_eq(cosched_listen_fd(&l, -1), -EBADF);
    close(ends[0]);
    close(ends[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(cosched_listen_fd(&l, fd), -EINVAL); /* it does not listen */
    ck_assert_ptr_null(l);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    strcpy(at.sun_path, io_path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 4), 0);
    ck_assert_int_eq(cosched_listen_fd(&l, fd), 0);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(cosched_connect_unix(&s, io_path, IO_SOON), 0);
    ck_assert_int_eq(cosched_accept(l, &accepted, IO_SOON), 0);
    ck_assert_int_ne(fcntl(cosched_stream_fileno(accepted), F_GETFD) & FD_CLOEXEC, 0);
    cosched_close(s);
    cosched_close(accepted);
    cosched_listener_close(l);
    return 0;
}

/* --- random cancellation ------------------------------------------------------------------------------------------- */

struct pair {
    cosched_listener *listener;
    cosched_stream *accepted, *connected;
};

static int64_t random_accept(void *arg)
{
    struct pair *p = arg;
    return cosched_accept(p->listener, &p->accepted, IO_SOON);
}

static int64_t random_connect(void *arg)
{
    struct pair *p = arg;
    return cosched_connect_unix(&p->connected, io_path, IO_SOON);
}

static void one_pair(cosched_listener *l, uint32_t *seed)
{
    struct pair p = {.listener = l};
    uint32_t r = io_random(seed);
    cosched_affinity where[] = {COSCHED_MAIN, COSCHED_WORKER};
    cosched_task acceptor = io_spawn(where[r & 1], random_accept, &p);
    cosched_task connector = io_spawn(where[r >> 1 & 1], random_connect, &p);
    for (uint32_t i = r >> 2 & 3; i > 0; i--) {
        cosched_yield();
    }
    if ((r >> 4 & 3) == 0) {
        cosched_cancel(connector);
    }
    if ((r >> 6 & 1) == 0) {
        cosched_cancel(acceptor);
    }
    int64_t connected = io_await(connector);
    if (connected < 0) {
        cosched_cancel(acceptor); /* nobody else will come */
    }
    int64_t accepted = io_await(acceptor);
    ck_assert(connected == 0 || connected == -ECANCELED);
    ck_assert(accepted == 0 || accepted == -ECANCELED);
    ck_assert((p.connected != NULL) == (connected == 0));
    ck_assert((p.accepted != NULL) == (accepted == 0));
    if (connected == 0 && accepted < 0) { /* it is in the backlog, not lost */
        ck_assert_int_eq(cosched_accept(l, &p.accepted, COSCHED_NOW), 0);
    }
    if (connected == 0) {
        ck_assert_int_eq(cosched_write(p.connected, "x", 1, COSCHED_NOW), 1);
    }
    cosched_close(p.connected);
    cosched_close(p.accepted);
}

IO_TEST(random_cancels_lose_no_descriptor)
{
    const char *given = getenv("COSCHED_SEED");
    uint32_t seed =
        given != NULL ? (uint32_t)strtoul(given, NULL, 0) | 1 : (uint32_t)cosched_now() | 1;
    printf("COSCHED_SEED=%u\n", seed);
    cosched_listener *l = io_listen(8);
    for (int i = 0; i < (COS_SANITIZED ? 2000 : 20000); i++) {
        one_pair(l, &seed);
    }
    cosched_listener_close(l);
    return 0; /* io_run counts */
}

IO_MAIN("io_listener", paths_that_cannot_be, the_mode_is_in_force_whatever_the_umask,
        accept_times_out_and_works_again, cancelled_accept_leaves_the_listener_usable,
        close_wakes_the_accepting_task, connect_waits_for_room_in_the_backlog,
        out_of_descriptors_the_connection_waits, an_inherited_listener,
        random_cancels_lose_no_descriptor)
