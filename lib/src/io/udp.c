/* UDP: datagrams. Each try is one system call, so a datagram is sent or taken whole or not at all. */
#include <cosched/io.h>

#include <errno.h>

#include "base/alloc.h"
#include "io/address.h"
#include "io/sys.h"
#include "io/sys_net.h"
#include "io/watch.h"

struct cosched_udp {
    struct cos_watch watch; /* first */
};

static int bound(const char *host, uint16_t port)
{
    struct cosched_address at;
    if (host == NULL) {
        return cos_sys_net_bound_any(SOCK_DGRAM, port);
    }
    return cos_address_numeric(&at, host, port) ? cos_sys_net_bound(SOCK_DGRAM, &at) : -EINVAL;
}

int cosched_udp_open(cosched_udp **out, const char *host, uint16_t port)
{
    *out = NULL;
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    struct cosched_udp *u = cos_alloc(sizeof *u);
    if (u == NULL) {
        return -ENOMEM;
    }
    int fd = bound(host, port);
    if (fd < 0) {
        cos_free(u);
        return fd;
    }
    cos_watch_init(&u->watch, fd, true);
    *out = u;
    return 0;
}

int cosched_udp_port(const cosched_udp *u)
{
    return cos_sys_net_port(u->watch.fd);
}

int64_t cosched_udp_send_to(cosched_udp *u, const void *buffer, size_t size,
                            const struct cosched_address *to, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &u->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    int64_t sent;
    do {
        cos_op_breathe(&op, deadline);
        sent = cos_sys_net_send_to(u->watch.fd, buffer, size, to);
        if (sent == -EAGAIN) {
            rc = cos_watch_wait(&op, deadline);
            sent = rc < 0 ? rc : -EAGAIN;
        }
    } while (sent == -EAGAIN);
    cos_op_end(&op);
    return sent;
}

int64_t cosched_udp_recv_from(cosched_udp *u, void *buffer, size_t size,
                              struct cosched_address *from, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &u->watch.source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    int64_t got;
    do {
        cos_op_breathe(&op, deadline);
        got = cos_sys_net_recv_from(u->watch.fd, buffer, size, from);
        if (got == -EAGAIN) {
            rc = cos_watch_wait(&op, deadline);
            got = rc < 0 ? rc : -EAGAIN;
        }
    } while (got == -EAGAIN);
    cos_op_end(&op);
    return got;
}

void cosched_udp_shut(cosched_udp *u)
{
    cos_source_shut(&u->watch.source);
}

void cosched_udp_close(cosched_udp *u)
{
    if (u != NULL) {
        cos_source_close(&u->watch.source);
    }
}
