/* TCP: how its listeners and streams come to be. Once they are there they are like those of unix sockets. */
#include <cosched/io.h>

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "io/address.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_net.h"

static int bound(const char *host, uint16_t port)
{
    struct cosched_address at;
    if (host == NULL) {
        return cos_sys_net_bound_any(SOCK_STREAM, port);
    }
    return cos_address_numeric(&at, host, port) ? cos_sys_net_bound(SOCK_STREAM, &at) : -EINVAL;
}

int cosched_listen_tcp(cosched_listener **out, const char *host, uint16_t port, int backlog)
{
    *out = NULL;
    int rc = cos_io_allowed();
    int fd = rc == 0 ? bound(host, port) : rc;
    if (fd < 0) {
        return fd;
    }
    rc = cos_sys_net_listen(fd, backlog);
    rc = rc == 0 ? cosched_listen_fd(out, fd) : rc;
    if (rc < 0) {
        cos_sys_close(fd);
    }
    return rc;
}

/* On s, which nobody else knows yet. */
static int connect_until(struct cosched_stream *s, const struct cosched_address *to,
                         int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    do {
        rc = cos_sys_net_connect(s->watch.fd, to);
        if (rc == -EAGAIN) {
            int why = cos_watch_wait(&op, UV_WRITABLE, deadline);
            rc = why < 0 ? why : rc;
        }
    } while (rc == -EAGAIN);
    cos_op_end(&op);
    return rc;
}

static int connect_one(cosched_stream **out, const struct cosched_address *to, int64_t deadline)
{
    struct cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    int fd = cos_sys_net_socket(to->to.ss_family, SOCK_STREAM);
    if (fd < 0) {
        cos_free(s);
        return fd;
    }
    cos_watch_init(&s->watch, fd, true);
    int rc = connect_until(s, to, deadline);
    if (rc < 0) {
        cosched_close(s);
    } else {
        *out = s;
    }
    return rc;
}

int cosched_connect_tcp(cosched_stream **out, const char *host, uint16_t port, int64_t deadline)
{
    *out = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct cosched_addresses *all;
    int rc = cosched_resolve(host, service, deadline, &all);
    if (rc < 0) {
        return rc;
    }
    rc = -ENOENT;
    for (size_t i = 0; i < all->count && *out == NULL; i++) {
        rc = connect_one(out, &all->at[i], deadline);
        if (rc == -ETIMEDOUT && !cos_io_expired(deadline)) {
            continue; /* the kernel's own patience, not ours */
        }
        if (rc == -ETIMEDOUT || rc == -ECANCELED) {
            break;
        }
    }
    cosched_addresses_free(all);
    return rc;
}

int cosched_stream_nodelay(cosched_stream *s, bool on)
{
    return cos_sys_net_nodelay(s->watch.fd, on);
}
