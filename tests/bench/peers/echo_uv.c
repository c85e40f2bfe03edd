/* The echo server of the benchmark by hand on libuv: a buffer a connection, written back at once where the socket takes it,
 * else by a request while reading rests. */
#include <uv.h>

#include "../echo.h"

struct peer {
    uv_tcp_t tcp; /* first */
    uv_write_t write;
    char buffer[ECHO_BUFFER];
};

static uv_loop_t loop;
static uv_tcp_t listener;
static uv_signal_t end;

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused);

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct peer *p = (struct peer *)(void *)handle;
    *out = uv_buf_init(p->buffer, sizeof p->buffer);
}

static void on_written(uv_write_t *write, int status)
{
    uv_stream_t *stream = write->handle;
    if (status < 0 || uv_read_start(stream, on_alloc, on_read) < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *unused)
{
    (void)unused;
    struct peer *p = (struct peer *)(void *)stream;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    uv_buf_t rest = uv_buf_init(p->buffer, (unsigned)n);
    int sent = uv_try_write(stream, &rest, 1);
    if (sent == n || n == 0) {
        return;
    }
    sent = sent < 0 ? 0 : sent;
    rest = uv_buf_init(p->buffer + sent, (unsigned)(n - sent));
    uv_read_stop(stream);
    if (uv_write(&p->write, stream, &rest, 1, on_written) < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct peer *p = status < 0 ? NULL : malloc(sizeof *p);
    if (p == NULL) {
        return;
    }
    uv_tcp_init(&loop, &p->tcp);
    if (uv_accept(server, (uv_stream_t *)&p->tcp) < 0 || uv_tcp_nodelay(&p->tcp, 1) < 0 ||
        uv_read_start((uv_stream_t *)&p->tcp, on_alloc, on_read) < 0) {
        uv_close((uv_handle_t *)&p->tcp, on_closed);
    }
}

static void on_end(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

int main(void)
{
    struct sockaddr_in at;
    struct sockaddr_storage bound;
    int size = sizeof bound;
    echo_raise_files();
    if (uv_loop_init(&loop) < 0 || uv_tcp_init(&loop, &listener) < 0 ||
        uv_ip4_addr("127.0.0.1", 0, &at) < 0 ||
        uv_tcp_bind(&listener, (const struct sockaddr *)&at, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, ECHO_BACKLOG, on_connection) < 0 ||
        uv_tcp_getsockname(&listener, (struct sockaddr *)&bound, &size) < 0 ||
        uv_signal_init(&loop, &end) < 0 || uv_signal_start(&end, on_end, SIGTERM) < 0) {
        return 1;
    }
    echo_announce(ntohs(((struct sockaddr_in *)&bound)->sin_port));
    uv_run(&loop, UV_RUN_DEFAULT);
    return 0; /* the kernel closes */
}
