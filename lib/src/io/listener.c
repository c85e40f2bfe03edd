/* Listening and accepting. A connection is taken out of the backlog only when everything it needs is at hand. */
#include <cosched/io.h>

#include <errno.h>

#include "base/alloc.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_net.h"
#include "io/sys_stream.h"
#include "io/watch.h"

struct cosched_listener {
    struct cos_watch watch;    /* first; its read side is used */
    enum cos_stream_kind kind; /* const: of what it accepts */
};

static int listener_create(cosched_listener **out, int fd)
{
    struct cosched_listener *l = cos_alloc(sizeof *l);
    if (l == NULL) {
        return -ENOMEM;
    }
    cos_watch_init(&l->watch, fd, true);
    l->kind = cos_sys_is_tcp(fd) ? COS_STREAM_TCP : COS_STREAM_SOCKET;
    *out = l;
    return 0;
}

int cosched_listen_unix(cosched_listener **out, const char *path, mode_t mode, int backlog)
{
    *out = NULL;
    struct sockaddr_un at;
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_address(&at, path) : rc;
    int fd = rc == 0 ? cos_sys_socket() : rc;
    if (fd < 0) {
        return fd;
    }
    rc = listener_create(out, fd); /* first, so that nothing can fail once the path exists */
    rc = rc == 0 ? cos_sys_listen(fd, &at, mode, backlog) : rc;
    if (rc < 0) {
        cos_sys_close(fd);
        cos_free(*out);
        *out = NULL;
    }
    return rc;
}

int cosched_listen_fd(cosched_listener **out, int fd)
{
    *out = NULL;
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_is_listening(fd) : rc;
    rc = rc == 0 ? cos_sys_set_nonblocking(fd) : rc;
    rc = rc == 0 ? cos_sys_set_cloexec(fd) : rc;
    return rc == 0 ? listener_create(out, fd) : rc;
}

/* A descriptor, or why not. */
static int accept_until(struct cos_op *op, int listening, int64_t deadline)
{
    int rc;
    do {
        cos_op_breathe(op, deadline);
        rc = cos_op_is_shut(op) ? -ECANCELED : cos_sys_accept(listening);
        if (rc != -EAGAIN) {
            return rc;
        }
        rc = cos_watch_wait(op, deadline);
    } while (rc == 0);
    return rc;
}

int cosched_accept(cosched_listener *l, cosched_stream **out, int64_t deadline)
{
    struct cos_op op;
    *out = NULL;
    int rc = cos_op_begin(&op, &l->watch.source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    struct cosched_stream *s = cos_alloc(sizeof *s);
    int fd = s != NULL ? accept_until(&op, l->watch.fd, deadline) : -ENOMEM;
    if (fd >= 0) {
        cos_stream_init(s, fd, l->kind);
        *out = s;
    } else {
        cos_free(s);
    }
    cos_op_end(&op);
    return fd < 0 ? fd : 0;
}

void cosched_listener_close(cosched_listener *l)
{
    if (l != NULL) {
        cos_source_close(&l->watch.source);
    }
}

int cosched_listener_port(const cosched_listener *l)
{
    return cos_sys_net_port(l->watch.fd);
}
