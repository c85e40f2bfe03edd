/* An echo server and its clients over a unix socket: a task for each conversation, written from top to bottom. */
#include <cosched/io.h>

#include <stdio.h>
#include <unistd.h>

static int64_t converse(void *s)
{
    char buffer[256];
    for (int64_t n; (n = cosched_read(s, buffer, sizeof buffer, COSCHED_NEVER)) > 0;) {
        cosched_write(s, buffer, (size_t)n, cosched_in_ms(5000));
    }
    cosched_close(s); /* the client has hung up */
    return 0;
}

static int64_t serve(void *listener)
{
    cosched_stream *s;
    while (cosched_accept(listener, &s, COSCHED_NEVER) == 0) {
        if (cosched_spawn(NULL, converse, s, NULL) < 0) {
            cosched_close(s);
        }
    }
    cosched_listener_close(listener); /* it was cancelled: the program is over */
    return 0;
}

static int64_t client(void *path)
{
    cosched_stream *s;
    char answer = 0;
    bool good = cosched_connect_unix(&s, path, cosched_in_ms(5000)) == 0 &&
                cosched_write(s, "x", 1, cosched_in_ms(5000)) == 1 &&
                cosched_read(s, &answer, 1, cosched_in_ms(5000)) == 1 && answer == 'x';
    cosched_close(s);
    return good ? 0 : -1;
}

static int64_t program(void *path)
{
    cosched_listener *listener;
    cosched_group clients; /* the first that fails ends them all */
    int started = 0;
    if (cosched_listen_unix(&listener, path, 0600, 16) < 0 ||
        cosched_spawn(NULL, serve, listener, NULL) < 0 || cosched_group_init(&clients, NULL) < 0) {
        return -1;
    }
    while (started < 100 && cosched_group_spawn(&clients, client, path, NULL) == 0) {
        started++;
    }
    return cosched_group_join(&clients, COSCHED_NEVER) == 0 && started == 100 ? 0 : -1;
}

int main(void)
{
    char path[32];
    (void)snprintf(path, sizeof path, "example-%d.socket", (int)getpid());
    unlink(path); /* of a server that was killed */
    return cosched_run(NULL, program, path) == 0 && unlink(path) == 0 ? 0 : 1;
}
