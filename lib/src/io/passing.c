/* Descriptors through a unix socket: one with each byte, so that neither can be had without the other. */
#include <errno.h>

#include "io/stream.h"
#include "io/sys_net.h"

int cosched_send_fd(cosched_stream *s, int fd, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    do {
        cos_op_breathe(&op, deadline);
        rc = cos_sys_net_send_fd(s->watch.fd, fd);
        if (rc == -EAGAIN) {
            int why = cos_watch_wait(&op, deadline);
            rc = why < 0 ? why : rc;
        }
    } while (rc == -EAGAIN);
    cos_op_end(&op);
    return rc;
}

int cosched_recv_fd(cosched_stream *s, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    do {
        cos_op_breathe(&op, deadline);
        rc = cos_sys_net_recv_fd(s->watch.fd);
        if (rc == -EAGAIN) {
            int why = cos_watch_wait(&op, deadline);
            rc = why < 0 ? why : rc;
        }
    } while (rc == -EAGAIN);
    cos_op_end(&op);
    return rc;
}
