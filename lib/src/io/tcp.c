/* TCP: how its listeners come to be (its streams: connect.c). Once they are there they are like those of unix sockets. */
#include <cosched/io.h>

#include <errno.h>
#include <sys/socket.h>

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

int cosched_stream_nodelay(cosched_stream *s, bool on)
{
    return cos_sys_net_nodelay(s->watch.fd, on);
}
