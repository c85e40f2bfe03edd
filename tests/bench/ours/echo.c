/* The echo server of the benchmark on cosched: a task a connection, all on MAIN, one thread like its peer.
 * usage: bench_echo_cosched [WORKERS] */
#include "../echo.h"

#include <cosched/io.h>

#include <signal.h>

static bool on_workers;

static int64_t converse(void *s)
{
    char buffer[ECHO_BUFFER];
    for (int64_t n; (n = cosched_read(s, buffer, sizeof buffer, COSCHED_NEVER)) > 0;) {
        if (cosched_write(s, buffer, (size_t)n, COSCHED_NEVER) < 0) {
            break;
        }
    }
    cosched_close(s);
    return 0;
}

static int64_t serve(void *listener)
{
    cosched_stream *s;
    cosched_attr attr = {.struct_size = sizeof attr,
                         .affinity = on_workers ? COSCHED_WORKER : COSCHED_MAIN};
    while (cosched_accept(listener, &s, COSCHED_NEVER) == 0) {
        if (cosched_stream_nodelay(s, true) < 0 || cosched_spawn(NULL, converse, s, &attr) < 0) {
            cosched_close(s);
        }
    }
    cosched_listener_close(listener);
    return 0;
}

static int64_t program(void *unused)
{
    (void)unused;
    cosched_listener *l;
    cosched_signals *signals;
    cosched_task server;
    int end = SIGTERM;
    if (cosched_signals_open(&signals, &end, 1) < 0 ||
        cosched_listen_tcp(&l, "127.0.0.1", 0, ECHO_BACKLOG) < 0) {
        return -1;
    }
    echo_announce(cosched_listener_port(l));
    if (cosched_spawn(&server, serve, l, NULL) < 0) {
        return -1;
    }
    cosched_signals_wait(signals, COSCHED_NEVER);
    cosched_signals_close(signals);
    return 0; /* the server, its connections and all they hold go with the runtime */
}

int main(int argc, char **argv)
{
    cosched_config config = {.struct_size = sizeof config, .workers = argc > 1 ? atoi(argv[1]) : 0};
    on_workers = config.workers > 0;
    echo_raise_files();
    return cosched_run(&config, program, NULL) == 0 ? 0 : 1;
}
