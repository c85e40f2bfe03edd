/* Completion wins: an accept and a connect meet while either is cancelled, timed out or left alone, at random moments. A
 * connection that a client was given is accepted, or is found in the backlog; what was given up leaves no descriptor.
 *
 * COSCHED_IO_OPS: how many accepts and connects in all; 20,000 unless told otherwise, a million nightly. */
#include <cosched/io.h>

#include <dirent.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stress_run.h"

enum { LANES = 8 };

static uint64_t seed;
static long rounds; /* of each lane */
static atomic_long met, found, canceled, expired, refused;

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    EXPECT(dir != NULL);
    unsigned n = 0;
    while (readdir(dir) != NULL) {
        n++;
    }
    closedir(dir);
    return n;
}

struct side {
    cosched_listener *l; /* NULL: it connects */
    const char *path;    /* NULL: to the port */
    uint16_t port;
    int64_t deadline;
    cosched_stream *s; /* what it got */
};

static int64_t act(void *arg)
{
    struct side *side = arg;
    int rc = side->l != NULL ? cosched_accept(side->l, &side->s, side->deadline)
             : side->path != NULL
                 ? cosched_connect_unix(&side->s, side->path, side->deadline)
                 : cosched_connect_tcp(&side->s, "127.0.0.1", side->port, side->deadline);
    EXPECT((rc == 0) == (side->s != NULL));
    return rc;
}

static void tally(int64_t rc, bool connects)
{
    /* A connection that was given up at once may be refused on the other side, and ports of TCP run out for a while. */
    EXPECT(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT || (connects && rc == -EADDRNOTAVAIL));
    atomic_fetch_add(rc == 0            ? &met
                     : rc == -ECANCELED ? &canceled
                     : rc == -ETIMEDOUT ? &expired
                                        : &refused,
                     1);
}

/* Its port is free again at once. */
static void reset(cosched_stream *s)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(cosched_stream_fileno(s), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    cosched_close(s);
}

/* The two are one connection. */
static void prove(cosched_stream *client, cosched_stream *server, uint64_t token)
{
    uint64_t got = 0;
    EXPECT_EQ(cosched_write(client, &token, sizeof token, cosched_in_ms(60000)), sizeof token);
    EXPECT_EQ(cosched_read(server, &got, sizeof got, cosched_in_ms(60000)), sizeof got);
    EXPECT_EQ(got, token);
}

static int64_t moment(uint64_t *rng)
{
    return cos_rng_below(rng, 3) == 0 ? cosched_in_ns((int64_t)cos_rng_below(rng, 60000))
                                      : COSCHED_NEVER;
}

static void meet(cosched_listener *l, const char *path, uint64_t *rng)
{
    struct side server = {.l = l, .deadline = moment(rng)};
    struct side client = {.path = path, .deadline = moment(rng)};
    if (path == NULL) {
        client.port = (uint16_t)cosched_listener_port(l);
    }
    cosched_task accepts = run_spawn(act, &server, stress_place(rng));
    cosched_task connects = run_spawn(act, &client, stress_place(rng));
    uint64_t fate = cos_rng_below(rng, 6); /* two of six are left alone */
    for (uint64_t n = cos_rng_below(rng, 5); n > 0; n--) {
        cosched_yield();
    }
    if (fate == 0 || fate == 1) {
        cosched_cancel(accepts);
    }
    if (fate == 1 || fate == 2) {
        cosched_cancel(connects);
    }
    int64_t made = run_join(connects);
    tally(made, true);
    if (made < 0) {
        cosched_cancel(accepts); /* nobody else will come */
    }
    int64_t taken = run_join(accepts);
    tally(taken, false);
    if (made == 0 && taken < 0) {
        EXPECT_EQ(cosched_accept(l, &server.s, cosched_in_ms(60000)), 0);
        atomic_fetch_add(&found, 1);
    }
    if (made == 0) {
        prove(client.s, server.s, cos_rng_next(rng));
        reset(client.s);
    }
    cosched_close(server.s);
    while (cosched_accept(l, &server.s, COSCHED_NOW) == 0) { /* one that its client gave up */
        EXPECT(made < 0);
        cosched_close(server.s);
    }
}

static int64_t lane(void *arg)
{
    uint64_t number = (uint64_t)(uintptr_t)arg, rng = stress_rng(seed, number);
    cosched_listener *l;
    char path[64];
    bool tcp = number % 4 == 0;
    snprintf(path, sizeof path, "io-cancel.%d.%" PRIu64, (int)getpid(), number);
    EXPECT_EQ(
        tcp ? cosched_listen_tcp(&l, "127.0.0.1", 0, 8) : cosched_listen_unix(&l, path, 0600, 8), 0);
    for (long i = 0; i < rounds; i++) {
        meet(l, tcp ? NULL : path, &rng);
    }
    cosched_listener_close(l);
    if (!tcp) {
        unlink(path);
    }
    return 0;
}

static int64_t all_lanes(void *arg)
{
    (void)arg;
    cosched_task t[LANES];
    uint64_t rng = stress_rng(seed, 99);
    for (uintptr_t i = 0; i < LANES; i++) {
        t[i] = run_spawn(lane, (void *)i, stress_place(&rng));
    }
    for (int i = 0; i < LANES; i++) {
        EXPECT_EQ(run_join(t[i]), 0);
    }
    return 0;
}

START_TEST(no_connection_is_lost)
{
    const char *text = getenv("COSCHED_IO_OPS");
    long ops = text != NULL ? atol(text) : stress_size(20000);
    seed = run_seed();
    rounds = ops / (2 * LANES * RUN_WORKERS) + 1;
    run_on(run_workers[_i], run_return); /* opens what stays open */
    unsigned before = descriptors();
    run_on(run_workers[_i], all_lanes);
    EXPECT_EQ(descriptors(), before);
    printf("FIGURES io_cancel: workers %d, %ld accepts and connects: %ld met, %ld found in the "
           "backlog, "
           "%ld cancelled, %ld timed out, %ld without a port, 0 descriptors lost\n",
           run_workers[_i], rounds * 2 * LANES, met, found, canceled, expired, refused);
    fflush(stdout);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("io_cancel");
    TCase *tcase = tcase_create("io_cancel");
    tcase_set_timeout(tcase, 900);
    tcase_add_loop_test(tcase, no_connection_is_lost, 0, RUN_WORKERS);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
