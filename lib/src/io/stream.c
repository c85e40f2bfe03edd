/* Connecting, reading and writing. Each operation tries first and waits when the kernel says so; on a timeout or a
 * cancellation it tries once more, so what had arrived by then wins. */
#include "io/stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "io/sys.h"
#include "io/sys_net.h"
#include "sched/park.h"

#define RETRY_MIN_NS COS_NS_PER_MS
#define RETRY_MAX_NS (16 * COS_NS_PER_MS)

/* The kernel tells nobody when a unix socket's backlog has room again (a non-blocking connect is refused with EAGAIN
 * and is not under way), so a full one is asked again after a while. */
static int connect_until(int fd, const struct sockaddr_un *to, int64_t deadline)
{
    int64_t pause = RETRY_MIN_NS;
    for (;;) {
        int rc = cos_sys_connect(fd, to);
        if (rc != -EAGAIN) {
            return rc;
        }
        if (cos_io_expired(deadline)) {
            return -ETIMEDOUT;
        }
        int64_t next = cos_clock_add(cos_clock_now(), pause);
        cos_park_begin();
        if (cos_park(next < deadline ? next : deadline, 0) == COS_CANCELED) {
            rc = cos_sys_connect(fd, to);
            return rc == -EAGAIN ? -ECANCELED : rc;
        }
        pause = pause < RETRY_MAX_NS ? 2 * pause : pause;
    }
}

int cosched_connect_unix(cosched_stream **out, const char *path, int64_t deadline)
{
    *out = NULL;
    struct sockaddr_un to;
    int rc = cos_io_allowed();
    rc = rc == 0 ? cos_sys_address(&to, path) : rc;
    if (rc < 0) {
        return rc;
    }
    struct cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    int fd = cos_sys_socket();
    rc = fd < 0 ? fd : connect_until(fd, &to, deadline);
    if (rc < 0) {
        if (fd >= 0) {
            cos_sys_close(fd);
        }
        cos_free(s);
        return rc;
    }
    cos_watch_init(&s->watch, fd, true);
    *out = s;
    return 0;
}

int64_t cosched_read(cosched_stream *s, void *buffer, size_t size, int64_t deadline)
{
    struct cos_op op;
    if (size == 0) {
        return -EINVAL; /* 0 would look like the end */
    }
    int rc = cos_op_begin(&op, &s->watch.source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    int64_t got;
    do {
        cos_op_breathe(&op, deadline);
        got = cos_sys_recv(s->watch.fd, buffer, size);
        if (got == -EAGAIN) {
            rc = cos_watch_wait(&op, UV_READABLE, deadline);
            got = rc < 0 ? rc : -EAGAIN;
        }
    } while (got == -EAGAIN);
    cos_op_end(&op);
    return got;
}

/* Between two parts: a wait that failed was granted one more try, and a shut ends the conversation here. */
static int write_may_go_on(const struct cos_op *op)
{
    return op->why < 0 ? op->why : cos_op_is_shut(op) ? -ECANCELED : 0;
}

int64_t cosched_write(cosched_stream *s, const void *buffer, size_t size, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    size_t sent = 0;
    while (rc == 0 && sent < size) {
        cos_op_breathe(&op, deadline);
        int64_t n = cos_sys_send(s->watch.fd, (const char *)buffer + sent, size - sent);
        if (n >= 0) {
            sent += (size_t)n;
            rc = sent < size ? write_may_go_on(&op) : 0;
        } else {
            rc = n == -EAGAIN ? cos_watch_wait(&op, UV_WRITABLE, deadline) : (int)n;
        }
    }
    cos_op_end(&op);
    return rc < 0 ? rc : (int64_t)size;
}

int cosched_stream_fileno(const cosched_stream *s)
{
    return s->watch.fd;
}

int cosched_stream_shutdown_write(cosched_stream *s)
{
    return cos_sys_net_shutdown_write(s->watch.fd);
}

void cosched_stream_shut(cosched_stream *s)
{
    cos_source_shut(&s->watch.source);
}

void cosched_close(cosched_stream *s)
{
    if (s != NULL) {
        cos_source_close(&s->watch.source);
    }
}
