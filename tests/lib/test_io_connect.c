/* Happy Eyeballs, with addresses of the test's own: one that answers, one that refuses, one that never says a word (a listener
 * whose backlog is full). What would take time is decided by paces that are "never" or "at once" instead. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "io/connect.h"
#include "test_io.h"

#define NEVER_STAGGER INT64_C(3600000000000)

static struct cosched_address loopback(uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct cosched_address a = {.size = sizeof in};
    memcpy(&a.to, &in, sizeof in);
    return a;
}

static struct cosched_address of_family(int family, uint16_t port)
{
    struct cosched_address a = loopback(port);
    a.to.ss_family = (sa_family_t)family;
    return a;
}

struct silent {
    int fd, inside; /* listening, and the connection that fills it */
    uint16_t port;
};

static uint16_t bind_somewhere(int fd)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    return ntohs(in.sin_port);
}

static struct silent silence(void)
{
    struct silent s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    s.port = bind_somewhere(s.fd);
    ck_assert_int_eq(listen(s.fd, 0), 0);
    s.inside = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct cosched_address at = loopback(s.port);
    ck_assert_int_eq(connect(s.inside, (struct sockaddr *)&at.to, at.size), 0);
    return s;
}

static void speak(struct silent s)
{
    if (s.inside >= 0) {
        close(s.inside);
    }
    close(s.fd);
}

/* Nobody listens there, and as long as it is bound nobody else will. */
static struct silent refusal(void)
{
    struct silent s = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .inside = -1};
    s.port = bind_somewhere(s.fd);
    return s;
}

static cosched_listener *answering(uint16_t *port)
{
    cosched_listener *l;
    ck_assert_int_eq(cosched_listen_tcp(&l, "127.0.0.1", 0, 64), 0);
    *port = (uint16_t)cosched_listener_port(l);
    return l;
}

/* Tries the addresses of these ports; the port that it got to, or why not. */
static int64_t race(const uint16_t *ports, size_t count, int64_t stagger, int64_t deadline)
{
    struct cosched_address at[32];
    struct cosched_addresses all = {.count = count, .at = at};
    for (size_t i = 0; i < count; i++) {
        at[i] = loopback(ports[i]);
    }
    cosched_stream *s;
    int rc = cos_connect_first(&s, &all, stagger, deadline);
    if (rc < 0) {
        ck_assert_ptr_null(s);
        return rc;
    }
    struct cosched_address peer;
    ck_assert_int_eq(cosched_stream_peer(s, &peer), 0);
    ck_assert_int_eq(cosched_write(s, "x", 1, IO_SOON), 1);
    cosched_close(s);
    return cosched_address_port(&peer);
}

static void expect_accept(cosched_listener *l)
{
    cosched_stream *s;
    ck_assert_int_eq(cosched_accept(l, &s, IO_SOON), 0);
    cosched_close(s);
}

IO_TEST(families_take_turns)
{
    static const int before[] = {6, 6, 6, 4, 4, 6}, after[] = {6, 4, 6, 4, 6, 6};
    struct cosched_address at[6];
    struct cosched_addresses a = {.count = 6, .at = at};
    for (uint16_t i = 0; i < 6; i++) {
        at[i] = of_family(before[i] == 6 ? AF_INET6 : AF_INET, (uint16_t)(i + 1));
    }
    cos_connect_interleave(&a);
    uint16_t last[7] = {0};
    for (int i = 0; i < 6; i++) {
        struct sockaddr_in in;
        memcpy(&in, &at[i].to, sizeof in);
        ck_assert_int_eq(at[i].to.ss_family, after[i] == 6 ? AF_INET6 : AF_INET);
        ck_assert_uint_gt(ntohs(in.sin_port), last[after[i]]); /* within one, the same order */
        last[after[i]] = ntohs(in.sin_port);
    }
    a.count = 1;
    cos_connect_interleave(&a);
    return 0;
}

IO_TEST(the_first_that_answers)
{
    uint16_t good, other;
    cosched_listener *l = answering(&good), *m = answering(&other);
    struct silent s = silence(), refuses = refusal();
    uint16_t bad = refuses.port;
    /* No pace: only a failure makes room. */
    ck_assert_int_eq(race((uint16_t[]){good, other}, 2, NEVER_STAGGER, IO_SOON), good);
    expect_accept(l);
    ck_assert_int_eq(race((uint16_t[]){bad, good}, 2, NEVER_STAGGER, IO_SOON), good);
    expect_accept(l);
    ck_assert_int_eq(race((uint16_t[]){bad, bad, bad, other}, 4, NEVER_STAGGER, IO_SOON), other);
    expect_accept(m);
    /* The silent one goes on while the next is tried. */
    ck_assert_int_eq(race((uint16_t[]){s.port, good}, 2, 1, IO_SOON), good);
    expect_accept(l);
    ck_assert_int_eq(race((uint16_t[]){s.port, bad, s.port, good}, 4, 1000000, IO_SOON), good);
    expect_accept(l);
    speak(s);
    speak(refuses);
    cosched_listener_close(l);
    cosched_listener_close(m);
    return 0;
}

IO_TEST(nobody_answers)
{
    struct silent s = silence(), refuses = refusal();
    uint16_t bad = refuses.port, many[20];
    ck_assert_int_eq(race((uint16_t[]){bad, bad}, 2, 1, IO_SOON), -ECONNREFUSED);
    ck_assert_int_eq(race((uint16_t[]){s.port}, 1, 1, IO_MOMENT), -ETIMEDOUT);
    ck_assert_int_eq(race((uint16_t[]){s.port}, 1, 1, COSCHED_NOW), -ETIMEDOUT);
    ck_assert_int_eq(race((uint16_t[]){s.port, bad, s.port}, 3, 1, IO_MOMENT), -ETIMEDOUT);
    for (int i = 0; i < 20; i++) {
        many[i] = s.port;
    }
    ck_assert_int_eq(race(many, 20, 1, IO_MOMENT), -ETIMEDOUT); /* 16 of them */
    for (unsigned n = 1; n <= 2; n++) {
        cos_alloc_fail_at(n);
        ck_assert_int_eq(race((uint16_t[]){s.port, s.port}, 2, 1, IO_MOMENT), -ETIMEDOUT);
        cos_alloc_fail_at(0);
    }
    cos_alloc_fail_at(1);
    ck_assert_int_eq(race((uint16_t[]){bad}, 1, 1, IO_SOON), -ENOMEM);
    cos_alloc_fail_at(0);
    speak(s);
    speak(refuses);
    return 0;
}

/* --- from a name, and cancelled ----------------------------------------------------------------------------------- */

static uint16_t silent_port, good_port;

static int two_addresses(const char *host, const char *service, struct cosched_addresses **out)
{
    ck_assert_str_eq(host, "somewhere");
    ck_assert_str_eq(service, "echo");
    struct cosched_addresses *a = cos_alloc(sizeof *a + 3 * sizeof a->at[0]);
    ck_assert_ptr_nonnull(a);
    a->count = 3;
    a->at = (struct cosched_address *)(void *)(a + 1);
    a->at[0] = loopback(silent_port);
    a->at[1] = loopback(silent_port);
    a->at[2] = loopback(good_port);
    *out = a;
    return 0;
}

static int64_t connect_somewhere(void *arg)
{
    cosched_stream *s;
    int rc = cos_connect_by(&s, two_addresses, "somewhere", "echo", (int64_t)(intptr_t)arg, IO_SOON);
    if (rc == 0) {
        cosched_close(s);
    } else {
        ck_assert_ptr_null(s);
    }
    return rc;
}

IO_TEST(by_name_from_anywhere)
{
    cosched_listener *l = answering(&good_port);
    struct silent s = silence();
    silent_port = s.port;
    for (int i = 0; i < 2; i++) {
        cosched_task task =
            io_spawn(i == 0 ? COSCHED_MAIN : COSCHED_WORKER, connect_somewhere, (void *)1);
        ck_assert_int_eq(io_await(task), 0);
        expect_accept(l);
    }
    cosched_stream *localhost;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)good_port);
    ck_assert_int_eq(cosched_connect_name(&localhost, "127.0.0.1", service, IO_SOON), 0);
    cosched_close(localhost);
    speak(s);
    cosched_listener_close(l);
    return 0;
}

IO_TEST(cancelled_at_any_moment)
{
    cosched_listener *l = answering(&good_port);
    struct silent s = silence();
    silent_port = s.port;
    uint32_t seed = 11;
    for (int i = 0; i < 100; i++) {
        intptr_t stagger = i % 3 == 0 ? NEVER_STAGGER : 1 + io_random(&seed) % 100000;
        cosched_task task = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, connect_somewhere,
                                     (void *)stagger);
        for (uint32_t n = io_random(&seed) % 8; n > 0; n--) {
            cosched_yield();
        }
        cosched_cancel(task);
        int64_t rc = io_await(task);
        ck_assert(rc == 0 || rc == -ECANCELED || rc == -EAGAIN); /* 16 lookups are left */
        cosched_stream *accepted;
        while (cosched_accept(l, &accepted, COSCHED_NOW) == 0) {
            cosched_close(accepted);
        }
    }
    speak(s);
    cosched_listener_close(l);
    return 0;
}

IO_MAIN("io_connect", families_take_turns, the_first_that_answers, nobody_answers,
        by_name_from_anywhere, cancelled_at_any_moment)
