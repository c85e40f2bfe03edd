/* TCP over loopback, IPv4 and IPv6: connecting, the port that was given, half-closing. What streams do once they are
 * there is in test_io_stream.c. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/alloc.h"
#include "io/address.h"
#include "test_io.h"

static const char *const hosts[] = {"127.0.0.1", "::1"};

/* How many of them this machine has. */
static int count_hosts(void)
{
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int n = fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? 2 : 1;
    if (fd >= 0) {
        close(fd);
    }
    return n;
}

static cosched_listener *listen_on(const char *host, uint16_t *port)
{
    cosched_listener *l;
    ck_assert_int_eq(cosched_listen_tcp(&l, host, 0, 8), 0);
    int rc = cosched_listener_port(l);
    ck_assert_int_gt(rc, 0);
    *port = (uint16_t)rc;
    return l;
}

static void pair_on(const char *host, cosched_stream *ends[2])
{
    uint16_t port;
    cosched_listener *l = listen_on(host, &port);
    ck_assert_int_eq(cosched_connect_tcp(&ends[0], host, port, IO_SOON), 0);
    ck_assert_int_eq(cosched_accept(l, &ends[1], IO_SOON), 0);
    cosched_listener_close(l);
}

/* --- conversations -------------------------------------------------------------------------------------------- */

static int64_t echo(void *arg)
{
    cosched_listener *l = arg;
    cosched_stream *s;
    char buffer[64];
    int64_t n, all = 0;
    ck_assert_int_eq(cosched_accept(l, &s, IO_SOON), 0);
    while ((n = cosched_read(s, buffer, sizeof buffer, IO_SOON)) > 0) {
        ck_assert_int_eq(cosched_write(s, buffer, (size_t)n, IO_SOON), n);
        all += n;
    }
    ck_assert_int_eq(n, 0);
    cosched_close(s);
    return all;
}

struct target {
    const char *host;
    uint16_t port;
};

static int64_t talk(void *arg)
{
    const struct target *to = arg;
    cosched_affinity where = cosched_where();
    cosched_stream *s;
    char out[700], in[700];
    ck_assert_int_eq(cosched_connect_tcp(&s, to->host, to->port, IO_SOON), 0);
    ck_assert_int_eq(cosched_where(), where);
    for (size_t i = 0; i < sizeof out; i++) {
        out[i] = (char)(i * 7);
    }
    ck_assert_int_eq(cosched_write(s, out, sizeof out, IO_SOON), (int64_t)sizeof out);
    ck_assert_int_eq(cosched_stream_shutdown_write(s), 0); /* what the echo ends on */
    size_t got = 0;
    int64_t n;
    while (got < sizeof in && (n = cosched_read(s, in + got, sizeof in - got, IO_SOON)) > 0) {
        got += (size_t)n;
    }
    ck_assert_uint_eq(got, sizeof in);
    ck_assert_mem_eq(in, out, sizeof in);
    ck_assert_int_eq(cosched_read(s, in, sizeof in, IO_SOON), 0);
    cosched_close(s);
    return 0;
}

IO_TEST(echo_over_both_families)
{
    for (int i = 0; i < count_hosts() * 6; i++) {
        struct target to = {.host = hosts[i % count_hosts()]};
        cosched_listener *l = listen_on(to.host, &to.port);
        cosched_task server = io_spawn(i % 3 == 0 ? COSCHED_MAIN : COSCHED_WORKER, echo, l);
        cosched_task client = io_spawn(i % 4 == 0 ? COSCHED_MAIN : COSCHED_WORKER, talk, &to);
        ck_assert_int_eq(io_await(client), 0);
        ck_assert_int_eq(io_await(server), 700);
        cosched_listener_close(l);
    }
    return 0;
}

IO_TEST(a_name_is_tried_address_by_address)
{
    /* localhost is ::1 and 127.0.0.1 where both are known, and one of them refuses. */
    for (int i = 0; i < count_hosts(); i++) {
        uint16_t port;
        cosched_stream *s, *accepted;
        cosched_listener *l = listen_on(hosts[i], &port);
        int rc = cosched_connect_tcp(&s, "localhost", port, IO_SOON);
        if (rc == 0) {
            ck_assert_int_eq(cosched_accept(l, &accepted, IO_SOON), 0);
            cosched_close(accepted);
            cosched_close(s);
        } else {
            ck_assert_int_eq(rc, -ECONNREFUSED);
            ck_assert_int_ne(i, 0); /* every hosts file knows 127.0.0.1 */
        }
        cosched_listener_close(l);
    }
    return 0;
}

IO_TEST(every_address_means_both_families)
{
    uint16_t port;
    cosched_listener *l = listen_on(NULL, &port);
    for (int i = 0; i < count_hosts(); i++) {
        cosched_stream *s, *accepted;
        ck_assert_int_eq(cosched_connect_tcp(&s, hosts[i], port, IO_SOON), 0);
        ck_assert_int_eq(cosched_accept(l, &accepted, IO_SOON), 0);
        cosched_close(accepted);
        cosched_close(s);
    }
    cosched_listener_close(l);
    return 0;
}

/* --- what is refused ------------------------------------------------------------------------------------------- */

IO_TEST(listeners_that_cannot_be)
{
    uint16_t port;
    cosched_listener *l = listen_on("127.0.0.1", &port), *second, *local = io_listen(1);
    ck_assert_int_eq(cosched_listen_tcp(&second, "127.0.0.1", port, 1), -EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(cosched_listen_tcp(&second, "localhost", 0, 1), -EINVAL);
    ck_assert_int_eq(cosched_listen_tcp(&second, "", 0, 1), -EINVAL);
    ck_assert_int_eq(cosched_listen_tcp(&second, "192.0.2.1", 0, 1), -EADDRNOTAVAIL);
    ck_assert_int_eq(cosched_listener_port(local), -EAFNOSUPPORT);
    cosched_listener_close(local);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(nobody_listens)
{
    for (int i = 0; i < count_hosts(); i++) {
        struct cosched_address at;
        struct sockaddr_storage bound;
        socklen_t size = sizeof bound;
        cosched_stream *s;
        ck_assert(cos_address_numeric(&at, hosts[i], 0));
        /* Bound, so that nobody else listens there meanwhile. */
        int fd = socket(at.to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(fd, (struct sockaddr *)&at.to, at.size), 0);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
        memcpy(&at.to, &bound, sizeof bound);
        int port = cosched_address_port(&at);
        ck_assert_int_eq(cosched_connect_tcp(&s, hosts[i], (uint16_t)port, IO_SOON), -ECONNREFUSED);
        ck_assert_ptr_null(s);
        close(fd);
    }
    return 0;
}

static int64_t connect_and_close(void *arg)
{
    const struct target *to = arg;
    cosched_stream *s;
    int rc = cosched_connect_tcp(&s, to->host, to->port, IO_SOON);
    ck_assert((rc == 0) == (s != NULL));
    cosched_close(s);
    return rc;
}

IO_TEST(cancelled_and_late_connects)
{
    struct target to = {.host = "127.0.0.1"};
    cosched_stream *s;
    cosched_listener *l = listen_on(to.host, &to.port);
    ck_assert_int_eq(cosched_connect_tcp(&s, "localhost", to.port, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_ptr_null(s);
    for (int i = 0; i < 8; i++) { /* cancelled before it starts: its first call says so */
        cosched_task late = io_spawn(COSCHED_MAIN, connect_and_close, &to);
        cosched_cancel(late);
        ck_assert_int_eq(io_await(late), -ECANCELED);
    }
    cosched_listener_close(l);
    return 0;
}

/* A full backlog swallows the first packet of a connection, so that connect has to wait. */
IO_TEST(a_connect_that_nobody_answers_ends_at_its_deadline)
{
    struct target to = {.host = "127.0.0.1"};
    cosched_listener *l;
    ck_assert_int_eq(cosched_listen_tcp(&l, to.host, 0, 0), 0);
    to.port = (uint16_t)cosched_listener_port(l);
    cosched_stream *s[8];
    int n = 0, rc = 0;
    while (n < 8 && rc == 0) {
        rc = cosched_connect_tcp(&s[n], to.host, to.port, cosched_in_ms(50));
        n += rc == 0;
    }
    ck_assert_int_eq(rc, -ETIMEDOUT);
    ck_assert_ptr_null(s[n]);
    cosched_task waits = io_spawn(COSCHED_WORKER, connect_and_close, &to);
    for (int i = 0; i < 100; i++) {
        cosched_yield(); /* most likely under way by now; the answer is the same before */
    }
    cosched_cancel(waits);
    int64_t answer = io_await(waits);
    ck_assert(answer == -ECANCELED || answer == 0); /* completion wins */
    while (n > 0) {
        cosched_close(s[--n]);
    }
    cosched_listener_close(l);
    return 0;
}

/* --- streams ---------------------------------------------------------------------------------------------------- */

static void check_half_close(cosched_stream *ends[2])
{
    char buffer[8];
    ck_assert_int_eq(cosched_write(ends[0], "abc", 3, IO_SOON), 3);
    ck_assert_int_eq(cosched_stream_shutdown_write(ends[0]), 0);
    ck_assert_int_eq(cosched_write(ends[0], "d", 1, IO_SOON), -EPIPE);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 3);
    ck_assert_int_eq(cosched_read(ends[1], buffer, sizeof buffer, IO_SOON), 0);
    ck_assert_int_eq(cosched_write(ends[1], "defg", 4, IO_SOON), 4); /* the other way is open */
    ck_assert_int_eq(cosched_read(ends[0], buffer, sizeof buffer, IO_SOON), 4);
    io_close_pair(ends);
}

IO_TEST(half_a_close)
{
    cosched_stream *ends[2];
    io_pair(ends);
    check_half_close(ends);
    for (int i = 0; i < count_hosts(); i++) {
        pair_on(hosts[i], ends);
        check_half_close(ends);
    }
    return 0;
}

static int64_t read_end(void *arg)
{
    char buffer[8];
    return cosched_read(arg, buffer, sizeof buffer, IO_SOON);
}

IO_TEST(half_a_close_wakes_the_reader)
{
    cosched_stream *ends[2];
    pair_on("127.0.0.1", ends);
    cosched_task reader = io_spawn(COSCHED_WORKER, read_end, ends[1]);
    io_until_waits(io_source(ends[1]), COS_READ_SIDE);
    ck_assert_int_eq(cosched_stream_shutdown_write(ends[0]), 0);
    ck_assert_int_eq(io_await(reader), 0);
    io_close_pair(ends);
    return 0;
}

IO_TEST(small_writes_at_once)
{
    cosched_stream *ends[2];
    int on = 0;
    socklen_t size = sizeof on;
    pair_on("127.0.0.1", ends);
    ck_assert_int_eq(cosched_stream_nodelay(ends[0], true), 0);
    getsockopt(cosched_stream_fileno(ends[0]), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(cosched_stream_nodelay(ends[0], false), 0);
    getsockopt(cosched_stream_fileno(ends[0]), IPPROTO_TCP, TCP_NODELAY, &on, &size);
    ck_assert_int_eq(on, 0);
    io_close_pair(ends);
    io_pair(ends);
    ck_assert_int_eq(cosched_stream_nodelay(ends[0], true), -EOPNOTSUPP);
    io_close_pair(ends);
    return 0;
}

IO_TEST(no_memory_for_sockets)
{
    cosched_listener *l;
    cosched_stream *s, *accepted;
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_listen_tcp(&l, "127.0.0.1", 0, 1), -ENOMEM);
    ck_assert_ptr_null(l);
    uint16_t port;
    l = listen_on("127.0.0.1", &port);
    for (unsigned n = 1; n <= 2; n++) { /* the addresses, the stream */
        cos_alloc_fail_at(n);
        ck_assert_int_eq(cosched_connect_tcp(&s, "127.0.0.1", port, IO_SOON), -ENOMEM);
        ck_assert_ptr_null(s);
    }
    ck_assert_int_eq(cosched_accept(l, &accepted, COSCHED_NOW), -ETIMEDOUT);
    cosched_listener_close(l);
    return 0;
}

IO_MAIN("io_tcp", echo_over_both_families, a_name_is_tried_address_by_address,
        every_address_means_both_families, listeners_that_cannot_be, nobody_listens,
        cancelled_and_late_connects, a_connect_that_nobody_answers_ends_at_its_deadline,
        half_a_close, half_a_close_wakes_the_reader, small_writes_at_once, no_memory_for_sockets)
