/* Datagrams over loopback, IPv4 and IPv6. Loopback loses none as long as the receiver's buffer has room, which a handful
 * of small ones never fills. */
#include <arpa/inet.h>
#include <netinet/in.h>

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

static cosched_udp *open_on(const char *host, struct cosched_address *at)
{
    cosched_udp *u;
    ck_assert_int_eq(cosched_udp_open(&u, host, 0), 0);
    int port = cosched_udp_port(u);
    ck_assert_int_gt(port, 0);
    ck_assert(cos_address_numeric(at, host, (uint16_t)port));
    return u;
}

static int64_t answer(void *arg)
{
    char buffer[64];
    int64_t served = 0, n;
    struct cosched_address from;
    while ((n = cosched_udp_recv_from(arg, buffer, sizeof buffer, &from, IO_SOON)) > 0) {
        ck_assert_int_eq(cosched_udp_send_to(arg, buffer, (size_t)n, &from, IO_SOON), n);
        served++;
    }
    return n < 0 ? n : served; /* an empty one ends it */
}

IO_TEST(questions_and_answers)
{
    for (int i = 0; i < count_hosts() * 2; i++) {
        struct cosched_address server_at, client_at, from;
        cosched_udp *server = open_on(hosts[i % count_hosts()], &server_at);
        cosched_udp *client = open_on(hosts[i % count_hosts()], &client_at);
        cosched_task task =
            io_spawn(i < count_hosts() ? COSCHED_WORKER : COSCHED_MAIN, answer, server);
        for (size_t size = 1; size <= 40; size++) {
            char out[64], in[64];
            memset(out, (int)size, sizeof out);
            ck_assert_int_eq(cosched_udp_send_to(client, out, size, &server_at, IO_SOON),
                             (int64_t)size);
            ck_assert_int_eq(cosched_udp_recv_from(client, in, sizeof in, &from, IO_SOON),
                             (int64_t)size);
            ck_assert_mem_eq(in, out, size);
            ck_assert_int_eq(cosched_address_port(&from), cosched_address_port(&server_at));
            ck_assert_int_eq(from.to.ss_family, server_at.to.ss_family);
            ck_assert_uint_eq(from.size, server_at.size);
        }
        ck_assert_int_eq(cosched_udp_send_to(client, NULL, 0, &server_at, IO_SOON), 0);
        ck_assert_int_eq(io_await(task), 40);
        cosched_udp_close(client);
        cosched_udp_close(server);
    }
    cosched_udp_close(NULL);
    return 0;
}

IO_TEST(datagrams_keep_their_bounds)
{
    struct cosched_address at;
    cosched_udp *u = open_on("127.0.0.1", &at);
    char buffer[8];
    ck_assert_int_eq(cosched_udp_send_to(u, "abcdefghijkl", 12, &at, COSCHED_NOW), 12);
    ck_assert_int_eq(cosched_udp_send_to(u, "mnop", 4, &at, COSCHED_NOW), 4);
    ck_assert_int_eq(cosched_udp_recv_from(u, buffer, sizeof buffer, NULL, IO_SOON), -EMSGSIZE);
    ck_assert_int_eq(cosched_udp_recv_from(u, buffer, sizeof buffer, NULL, IO_SOON), 4);
    ck_assert_mem_eq(buffer, "mnop", 4);
    static const char big[70000];
    ck_assert_int_eq(cosched_udp_send_to(u, big, sizeof big, &at, IO_SOON), -EMSGSIZE);
    cosched_udp_close(u);
    return 0;
}

IO_TEST(sockets_that_cannot_be)
{
    struct cosched_address at;
    cosched_udp *u = open_on("127.0.0.1", &at), *second;
    uint16_t port = (uint16_t)cosched_udp_port(u);
    ck_assert_int_eq(cosched_udp_open(&second, "127.0.0.1", port), -EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_int_eq(cosched_udp_open(&second, "localhost", 0), -EINVAL);
    ck_assert_int_eq(cosched_udp_open(&second, "192.0.2.1", 0), -EADDRNOTAVAIL);
    ck_assert_int_eq(cosched_udp_open(&second, NULL, 0), 0);
    ck_assert_int_gt(cosched_udp_port(second), 0);
    cosched_udp_close(second);
    cosched_udp_close(u);
    return 0;
}

static int64_t receive(void *arg)
{
    char buffer[8];
    return cosched_udp_recv_from(arg, buffer, sizeof buffer, NULL, IO_SOON);
}

IO_TEST(deadlines_cancels_and_shuts)
{
    struct cosched_address at;
    char buffer[8];
    cosched_udp *u = open_on("127.0.0.1", &at);
    ck_assert_int_eq(cosched_udp_recv_from(u, buffer, 8, NULL, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(cosched_udp_recv_from(u, buffer, 8, NULL, IO_MOMENT), -ETIMEDOUT);
    for (int i = 0; i < 8; i++) {
        cosched_task waits = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, receive, u);
        io_until_waits(io_source(u), COS_READ_SIDE);
        ck_assert_int_eq(cosched_udp_recv_from(u, buffer, 8, NULL, IO_SOON), -EBUSY);
        cosched_cancel(waits);
        ck_assert_int_eq(io_await(waits), -ECANCELED);
    }
    ck_assert_int_eq(cosched_udp_send_to(u, "abc", 3, &at, COSCHED_NOW), 3);
    ck_assert_int_eq(receive(u), 3);
    cosched_task waits = io_spawn(COSCHED_WORKER, receive, u);
    io_until_waits(io_source(u), COS_READ_SIDE);
    cosched_udp_shut(u);
    ck_assert_int_eq(io_await(waits), -ECANCELED);
    ck_assert_int_eq(cosched_udp_send_to(u, "abc", 3, &at, COSCHED_NOW), -ECANCELED);
    cosched_udp_close(u);
    u = open_on(hosts[count_hosts() - 1], &at);
    waits = io_spawn(COSCHED_WORKER, receive, u);
    io_until_waits(io_source(u), COS_READ_SIDE);
    cosched_udp_close(u); /* the task that waits disposes of it */
    ck_assert_int_eq(io_await(waits), -ECANCELED);
    return 0;
}

IO_TEST(no_memory_for_a_socket)
{
    cosched_udp *u;
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_udp_open(&u, "127.0.0.1", 0), -ENOMEM);
    ck_assert_ptr_null(u);
    return 0;
}

IO_MAIN("io_udp", questions_and_answers, datagrams_keep_their_bounds, sockets_that_cannot_be,
        deadlines_cancels_and_shuts, no_memory_for_a_socket)
