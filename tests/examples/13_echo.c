/* An echo server over TCP with thousands of conversations, a task each, and its clients in a process of their own, which the server
 * starts and waits for.
 *
 *     example_13_echo [CONNECTIONS]      10,000 are fine, where the limit of descriptors allows */
#include <cosched/io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { SPARE = 64 }; /* descriptors for other things than connections */

static const char *self;
static int connections = 1000;

/* Each connection is a descriptor: as many as this process may have. */
static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
        return;
    }
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < (rlim_t)connections + SPARE) {
        connections = (int)files.rlim_max - SPARE;
    }
}

/* --- the server ------------------------------------------------------------------------------------------ */

static int64_t converse(void *s)
{
    char buffer[512];
    for (int64_t n; (n = cosched_read(s, buffer, sizeof buffer, COSCHED_NEVER)) > 0;) {
        if (cosched_write(s, buffer, (size_t)n, cosched_in_ms(60000)) < 0) {
            break;
        }
    }
    cosched_close(s); /* the client has shut its side, or this task was cancelled */
    return 0;
}

static int64_t serve(void *listener)
{
    int64_t served = 0;
    cosched_stream *s;
    while (cosched_accept(listener, &s, COSCHED_NEVER) == 0) {
        cosched_attr attr = {
            .struct_size = sizeof attr, .name = "converse", .affinity = COSCHED_WORKER};
        if (cosched_spawn(NULL, converse, s, &attr) < 0) {
            cosched_close(s);
        }
        served++;
    }
    return served; /* cancelled: the clients have gone */
}

static int64_t server(void *unused)
{
    (void)unused;
    cosched_listener *l;
    if (cosched_listen_tcp(&l, "127.0.0.1", 0, 1024) < 0) {
        return -1;
    }
    char port[16], count[16];
    snprintf(port, sizeof port, "%d", cosched_listener_port(l));
    snprintf(count, sizeof count, "%d", connections);
    cosched_task serving;
    if (cosched_spawn(&serving, serve, l, NULL) < 0) {
        cosched_listener_close(l);
        return -1;
    }
    const char *argv[] = {self, "--clients", port, count, NULL};
    cosched_process_attr attr = {.struct_size = sizeof attr, .argv = argv};
    attr.stdio[1].how = attr.stdio[2].how = COSCHED_STDIO_INHERIT;
    cosched_process *clients;
    int status = -1;
    if (cosched_process_spawn(&clients, NULL, &attr, cosched_in_ms(60000)) == 0) {
        cosched_process_wait(clients, &status, COSCHED_NEVER);
        cosched_process_close(clients);
    }
    cosched_cancel(serving);
    int64_t served = 0;
    cosched_await(&serving, &served, COSCHED_NEVER);
    cosched_listener_close(l);
    printf("served %d connections\n", (int)served);
    return status == 0 && served >= connections ? 0 : -1; /* strangers may have come by */
}

/* --- the clients ------------------------------------------------------------------------------------------- */

static uint16_t port;
static cosched_barrier all_here;

/* It says the same before and after everybody else has come. */
static bool ask(cosched_stream *s)
{
    char answer[5];
    size_t got = 0;
    if (cosched_write(s, "hello", 5, cosched_in_ms(60000)) != 5) {
        return false;
    }
    while (got < sizeof answer) {
        int64_t n = cosched_read(s, answer + got, sizeof answer - got, cosched_in_ms(60000));
        if (n <= 0) {
            return false;
        }
        got += (size_t)n;
    }
    return memcmp(answer, "hello", 5) == 0;
}

static int64_t client(void *unused)
{
    (void)unused;
    cosched_stream *s;
    char byte;
    if (cosched_connect_tcp(&s, "127.0.0.1", port, cosched_in_ms(60000)) < 0) {
        return -1;
    }
    bool good =
        ask(s) && cosched_barrier_wait(&all_here, cosched_in_ms(60000)) >= 0 && ask(s) &&
        cosched_stream_shutdown_write(s) == 0 &&
        cosched_read(s, &byte, 1, cosched_in_ms(60000)) == 0; /* the server has closed, too */
    cosched_close(s);
    return good ? 0 : -1;
}

static int64_t all_clients(void *unused)
{
    (void)unused;
    cosched_group group; /* the first that fails ends them all */
    if (cosched_barrier_init(&all_here, (uint32_t)connections) < 0 ||
        cosched_group_init(&group, NULL) < 0) {
        return -1;
    }
    for (int i = 0; i < connections; i++) {
        if (cosched_group_spawn(&group, client, NULL, NULL) < 0) {
            cosched_group_cancel(&group);
        }
    }
    return cosched_group_join(&group, COSCHED_NEVER);
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 4 && strcmp(argv[1], "--clients") == 0) {
        port = (uint16_t)atoi(argv[2]);
        connections = atoi(argv[3]);
        raise_files();
        cosched_config config = {.struct_size = sizeof config}; /* they all live on MAIN */
        return cosched_run(&config, all_clients, NULL) == 0 ? 0 : 1;
    }
    if (argc > 1) {
        connections = atoi(argv[1]);
    }
    raise_files();
    return cosched_run(NULL, server, NULL) == 0 ? 0 : 1;
}
