/* Servers and clients in one runtime: the server at MAIN, the client at WORKER, and whoever of them fails ends both. */
#include <unistd.h>

#include "torture.h"

enum { BYTES = 40 };

static char path[128];
static cosched_listener *listener;
static cosched_udp *udp[2];

/* The other side's failure, seen from here: an end, or a reset. */
static void note_own(int64_t rc)
{
    if (rc != -ECANCELED && rc != -EPIPE && rc != -ECONNRESET) {
        NOTE(rc);
    } else if (!torture_fired()) {
        NOTE(-EPROTO);
    } else {
        torture_note_if_planned(rc);
    }
}

static int64_t ended(int64_t rc)
{
    note_own(rc);
    return rc;
}

static int64_t read_all(cosched_stream *s, char *to, size_t size)
{
    size_t got = 0;
    while (got < size) {
        int64_t n = cosched_read(s, to + got, size - got, COSCHED_NEVER);
        if (n <= 0) {
            return n < 0 ? n : -EPIPE;
        }
        got += (size_t)n;
    }
    return (int64_t)got;
}

static int64_t echo(void *arg)
{
    (void)arg;
    cosched_stream *s = NULL;
    int64_t rc = cosched_accept(listener, &s, COSCHED_NEVER);
    char buffer[BYTES];
    if (rc >= 0) {
        rc = read_all(s, buffer, sizeof buffer);
    }
    if (rc >= 0) {
        rc = cosched_write(s, buffer, sizeof buffer, COSCHED_NEVER);
    }
    cosched_close(s);
    return rc < 0 ? ended(rc) : 0;
}

/* Says it, hears it back, and takes s over. */
static int64_t converse(cosched_stream *s)
{
    char text[BYTES], back[BYTES];
    memset(text, 'x', sizeof text);
    int64_t rc = cosched_write(s, text, sizeof text, COSCHED_NEVER);
    if (rc >= 0) {
        rc = cosched_stream_shutdown_write(s);
    }
    if (rc >= 0) {
        rc = read_all(s, back, sizeof back);
    }
    if (rc >= 0 && memcmp(text, back, sizeof text) != 0) {
        rc = -EPROTO;
    }
    cosched_close(s);
    return rc < 0 ? ended(rc) : 0;
}

static int64_t call_unix(void *arg)
{
    (void)arg;
    cosched_stream *s = NULL;
    int64_t rc = cosched_connect_unix(&s, path, COSCHED_NEVER);
    return rc < 0 ? ended(rc) : converse(s);
}

static int64_t call_tcp(void *arg)
{
    (void)arg;
    cosched_stream *s = NULL;
    int64_t port = cosched_listener_port(listener);
    int64_t rc =
        port < 0 ? port : cosched_connect_tcp(&s, "127.0.0.1", (uint16_t)port, COSCHED_NEVER);
    if (rc >= 0) {
        rc = cosched_stream_nodelay(s, true);
        if (rc < 0) {
            cosched_close(s);
        }
    }
    return rc < 0 ? ended(rc) : converse(s);
}

/* Both, until both have ended or one has failed. */
static void run_both(cosched_fn server, cosched_fn client)
{
    cosched_group g;
    if (NOTE(cosched_group_init(&g, NULL)) < 0) {
        return;
    }
    int rc = cosched_group_spawn(&g, server, NULL, torture_at(COSCHED_MAIN));
    rc = rc < 0 ? rc : cosched_group_spawn(&g, client, NULL, torture_at(COSCHED_WORKER));
    if (rc < 0) {
        cosched_group_cancel(&g);
        note_own(rc);
    }
    int64_t joined = cosched_group_join(&g, COSCHED_NEVER);
    if (joined < 0) {
        note_own(joined);
    }
}

static void drop_socket(void)
{
    torture_quiet(true);
    unlink(path);
    torture_quiet(false);
}

static int64_t unix_talk(void *arg)
{
    (void)arg;
    snprintf(path, sizeof path, "%s/socket", torture_dir);
    if (NOTE(cosched_listen_unix(&listener, path, 0666, 4)) == 0) {
        run_both(echo, call_unix);
        cosched_listener_close(listener);
    }
    drop_socket();
    return 0;
}

static void unix_echo(int workers)
{
    torture_run(workers, unix_talk);
}

static int64_t tcp_talk(void *arg)
{
    (void)arg;
    if (NOTE(cosched_listen_tcp(&listener, "127.0.0.1", 0, 4)) == 0) {
        run_both(echo, call_tcp);
        cosched_listener_close(listener);
    }
    if (NOTE(cosched_listen_tcp(&listener, NULL, 0, 4)) == 0) {
        cosched_listener_close(listener);
    }
    return 0;
}

static void tcp_echo(int workers)
{
    torture_run(workers, tcp_talk);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

static int64_t give(void *arg)
{
    (void)arg;
    cosched_stream *s = NULL;
    int64_t rc = cosched_accept(listener, &s, COSCHED_NEVER);
    if (rc >= 0) {
        rc = cosched_send_fd(s, STDERR_FILENO, COSCHED_NEVER);
    }
    cosched_close(s);
    return rc < 0 ? ended(rc) : 0;
}

static int64_t take(void *arg)
{
    (void)arg;
    cosched_stream *s = NULL;
    int64_t rc = cosched_connect_unix(&s, path, COSCHED_NEVER);
    if (rc >= 0) {
        rc = cosched_recv_fd(s, COSCHED_NEVER);
        if (rc >= 0) {
            torture_quiet(true);
            close((int)rc);
            torture_quiet(false);
        }
    }
    cosched_close(s);
    return rc < 0 ? ended(rc) : 0;
}

static int64_t pass_one(void *arg)
{
    (void)arg;
    snprintf(path, sizeof path, "%s/socket", torture_dir);
    if (NOTE(cosched_listen_unix(&listener, path, 0600, 4)) == 0) {
        run_both(give, take);
        cosched_listener_close(listener);
    }
    drop_socket();
    return 0;
}

static void passing(int workers)
{
    torture_run(workers, pass_one);
}

/* --- datagrams ----------------------------------------------------------------------------------------------------- */

static int64_t answer(void *arg)
{
    (void)arg;
    char buffer[BYTES];
    struct cosched_address from;
    int64_t n = cosched_udp_recv_from(udp[0], buffer, sizeof buffer, &from, COSCHED_NEVER);
    if (n >= 0) {
        n = cosched_udp_send_to(udp[0], buffer, (size_t)n, &from, COSCHED_NEVER);
    }
    return n < 0 ? ended(n) : 0;
}

static int64_t question(void *arg)
{
    (void)arg;
    int64_t port = cosched_udp_port(udp[0]);
    if (port < 0) {
        return ended(port);
    }
    char service[16], buffer[BYTES] = "";
    snprintf(service, sizeof service, "%d", (int)port);
    struct cosched_addresses *at = NULL;
    int64_t rc = cosched_resolve("127.0.0.1", service, COSCHED_NEVER, &at);
    if (rc >= 0) {
        rc = cosched_udp_send_to(udp[1], buffer, sizeof buffer, &at->at[0], COSCHED_NEVER);
    }
    cosched_addresses_free(at);
    if (rc >= 0) {
        rc = cosched_udp_recv_from(udp[1], buffer, sizeof buffer, NULL, COSCHED_NEVER);
    }
    return rc < 0 ? ended(rc) : 0;
}

static int64_t udp_talk(void *arg)
{
    (void)arg;
    if (NOTE(cosched_udp_open(&udp[0], "127.0.0.1", 0)) == 0) {
        if (NOTE(cosched_udp_open(&udp[1], "127.0.0.1", 0)) == 0) {
            run_both(answer, question);
            cosched_udp_close(udp[1]);
        }
        cosched_udp_close(udp[0]);
    }
    return 0;
}

static void udp_echo(int workers)
{
    torture_run(workers, udp_talk);
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static int64_t look_up(void *arg)
{
    (void)arg;
    struct cosched_addresses *at = NULL;
    NOTE(cosched_resolve("127.0.0.1", "80", COSCHED_NEVER, &at));
    cosched_addresses_free(at);
    NOTE(cosched_resolve("localhost", NULL, cosched_in_ms(60000), &at));
    cosched_addresses_free(at);
    return 0;
}

static void names(int workers)
{
    torture_run(workers, look_up);
}

const struct torture_scenario torture_net[] = {
    {"unix_echo", unix_echo, 0}, {"tcp_echo", tcp_echo, 0}, {"passing", passing, 0},
    {"udp_echo", udp_echo, 0},   {"names", names, 0},
};
const size_t torture_net_count = sizeof torture_net / sizeof torture_net[0];
