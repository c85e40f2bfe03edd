/* Names: what needs no lookup, what the system knows, and lookups that are left behind. Those are made by a function of
 * this file that answers when it is told to, so nothing depends on a name server. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "arch/futex.h"
#include "base/alloc.h"
#include "io/address.h"
#include "io/resolve.h"
#include "test_io.h"

IO_TEST(numeric_ones_need_no_lookup)
{
    static const char *const hosts[] = {"127.0.0.1", "::1", "0.0.0.0", "::ffff:10.0.0.1"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct cosched_addresses *a;
        ck_assert_int_eq(cosched_resolve(hosts[i], "8080", COSCHED_NOW, &a), 0);
        ck_assert_uint_eq(a->count, 1);
        ck_assert_int_eq(cosched_address_port(a->at), 8080);
        ck_assert_int_eq(a->at->to.ss_family, strchr(hosts[i], ':') != NULL ? AF_INET6 : AF_INET);
        cosched_addresses_free(a);
        ck_assert_int_eq(cosched_resolve(hosts[i], NULL, COSCHED_NOW, &a), 0);
        ck_assert_int_eq(cosched_address_port(a->at), 0);
        cosched_addresses_free(a);
    }
    cosched_addresses_free(NULL);
    return 0;
}

START_TEST(ports_in_digits)
{
    uint16_t port = 1;
    ck_assert(cos_address_port_numeric(&port, NULL));
    ck_assert_uint_eq(port, 0);
    ck_assert(cos_address_port_numeric(&port, "65535"));
    ck_assert_uint_eq(port, 65535);
    ck_assert(!cos_address_port_numeric(&port, "65536"));
    ck_assert(!cos_address_port_numeric(&port, "99999999999999999999"));
    ck_assert(!cos_address_port_numeric(&port, ""));
    ck_assert(!cos_address_port_numeric(&port, "-1"));
    ck_assert(!cos_address_port_numeric(&port, "80 "));
    ck_assert(!cos_address_port_numeric(&port, "http"));
    struct cosched_address local = {.to = {.ss_family = AF_UNIX}, .size = 2};
    ck_assert_int_eq(cosched_address_port(&local), -EAFNOSUPPORT);
}

END_TEST

static int64_t ask_for_localhost(void *arg)
{
    (void)arg;
    struct cosched_addresses *a;
    ck_assert_int_eq(cosched_resolve("localhost", "443", IO_SOON, &a), 0);
    ck_assert_uint_ge(a->count, 1);
    for (size_t i = 0; i < a->count; i++) {
        ck_assert_int_eq(cosched_address_port(&a->at[i]), 443);
    }
    cosched_addresses_free(a);
    return 0;
}

IO_TEST(the_system_knows_localhost)
{
    struct cosched_addresses *a;
    cosched_task many[12];
    for (int i = 0; i < 12; i++) {
        many[i] = io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, ask_for_localhost, NULL);
    }
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(io_await(many[i]), 0);
    }
    ck_assert_int_eq(cosched_resolve("localhost", "no-such-service", IO_SOON, &a), -ENOENT);
    ck_assert_ptr_null(a);
    ck_assert_int_eq(cosched_resolve("localhost", "443", COSCHED_NOW, &a), -ETIMEDOUT);
    return 0;
}

/* --- lookups that take their time -------------------------------------------------------------------------------- */

static COS_ATOMIC(uint32_t) gate, begun, answered;

static void gate_close(void)
{
    cos_atomic_store(&gate, 0, seq_cst);
    cos_atomic_store(&begun, 0, seq_cst);
    cos_atomic_store(&answered, 0, seq_cst);
}

static void gate_open(void)
{
    cos_atomic_store(&gate, 1, seq_cst);
    cos_futex_wake(&gate, INT32_MAX);
}

static int slow(const char *host, const char *service, struct cosched_addresses **out)
{
    ck_assert_str_eq(host, "slow.test");
    ck_assert_str_eq(service, "80");
    (void)cos_atomic_add(&begun, 1, seq_cst);
    while (cos_atomic_load(&gate, seq_cst) == 0) {
        cos_futex_wait(&gate, 0, COSCHED_NEVER);
    }
    struct cosched_addresses *a = cos_alloc(sizeof *a);
    *out = a;
    (void)cos_atomic_add(&answered, 1, seq_cst);
    return 0;
}

static int ask_slowly(int64_t deadline)
{
    char host[] = "slow.test", service[] = "80"; /* gone when the lookup still goes on */
    struct cosched_addresses *a;
    int rc = cos_resolve_by(slow, host, service, deadline, &a);
    ck_assert(rc == 0 ? a != NULL : a == NULL);
    cosched_addresses_free(a);
    memset(host, 'x', sizeof host);
    memset(service, 'x', sizeof service);
    return rc;
}

static int64_t ask_until_told(void *arg)
{
    (void)arg;
    return ask_slowly(COSCHED_NEVER);
}

static void until(COS_ATOMIC(uint32_t) * count, uint32_t value)
{
    while (cos_atomic_load(count, seq_cst) < value) {
        cosched_yield();
    }
}

IO_TEST(an_answer_that_comes_late_but_in_time)
{
    gate_close();
    cosched_task asker = io_spawn(COSCHED_WORKER, ask_until_told, NULL);
    until(&begun, 1);
    gate_open();
    ck_assert_int_eq(io_await(asker), 0);
    return 0;
}

IO_TEST(a_deadline_leaves_the_lookup_behind)
{
    gate_close();
    ck_assert_int_eq(ask_slowly(IO_MOMENT), -ETIMEDOUT);
    ck_assert_uint_eq(cos_atomic_load(&answered, seq_cst), 0);
    gate_open(); /* the runtime ends when it has ended */
    return 0;
}

IO_TEST(a_cancel_leaves_the_lookup_behind)
{
    gate_close();
    for (uint32_t i = 1; i <= 4; i++) {
        cosched_task asker =
            io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, ask_until_told, NULL);
        until(&begun, i);
        cosched_cancel(asker);
        ck_assert_int_eq(io_await(asker), -ECANCELED);
    }
    ck_assert_uint_eq(cos_atomic_load(&answered, seq_cst), 0);
    gate_open();
    until(&answered, 4);
    return 0;
}

IO_TEST(cancels_meet_answers)
{
    gate_close();
    gate_open();
    for (int i = 0; i < 200; i++) {
        cosched_task asker =
            io_spawn(i % 2 == 0 ? COSCHED_MAIN : COSCHED_WORKER, ask_until_told, NULL);
        for (int j = i % 5; j > 0; j--) {
            cosched_yield();
        }
        cosched_cancel(asker);
        int64_t rc = io_await(asker);
        ck_assert(rc == 0 || rc == -ECANCELED || rc == -EAGAIN);
    }
    return 0;
}

IO_TEST(so_many_are_left_behind_and_no_more)
{
    gate_close();
    for (uint32_t i = 1; i <= COS_RESOLVE_LEFT_MAX; i++) {
        cosched_task asker = io_spawn(COSCHED_MAIN, ask_until_told, NULL);
        until(&begun, i);
        cosched_cancel(asker);
        ck_assert_int_eq(io_await(asker), -ECANCELED);
    }
    ck_assert_int_eq(ask_slowly(IO_SOON), -EAGAIN);
    gate_open();
    int rc;
    while ((rc = ask_slowly(IO_SOON)) == -EAGAIN) {
        cosched_yield(); /* until the first of them has ended */
    }
    ck_assert_int_eq(rc, 0);
    return 0;
}

IO_TEST(no_memory_for_a_lookup)
{
    struct cosched_addresses *a;
    gate_close();
    gate_open();
    cos_alloc_fail_at(1);
    ck_assert_int_eq(cosched_resolve("::1", NULL, IO_SOON, &a), -ENOMEM);
    ck_assert_ptr_null(a);
    cos_alloc_fail_at(1);
    ck_assert_int_eq(ask_slowly(IO_SOON), -ENOMEM);
    ck_assert_int_eq(ask_slowly(IO_SOON), 0);
    return 0;
}

IO_MAIN("io_resolve", numeric_ones_need_no_lookup, ports_in_digits, the_system_knows_localhost,
        an_answer_that_comes_late_but_in_time, a_deadline_leaves_the_lookup_behind,
        a_cancel_leaves_the_lookup_behind, cancels_meet_answers,
        so_many_are_left_behind_and_no_more, no_memory_for_a_lookup)
