/* Connecting, reading and writing. Each operation tries first and waits when the kernel says so; on a timeout or a
 * cancellation it tries once more, so what had arrived by then wins. */
#include "io/stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "io/sys.h"
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
    for (;;) {
        cos_op_breathe(&op, deadline);
        got = cos_sys_recv(s->watch.fd, buffer, size);
        if (got != -EAGAIN) {
            break;
        }
        if (rc < 0) {
            got = rc;
            break;
        }
        rc = cos_watch_wait(&op, deadline);
        if (rc < 0 && cos_op_is_shut(&op)) {
            got = -ECANCELED;
            break;
        }
    }
    cos_op_end(&op);
    return got;
}

int64_t cosched_write(cosched_stream *s, const void *buffer, size_t size, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    size_t sent = 0;
    while (sent < size && !cos_op_is_shut(&op)) {
        cos_op_breathe(&op, deadline);
        int64_t n = cos_sys_send(s->watch.fd, (const char *)buffer + sent, size - sent);
        if (n >= 0) {
            sent += (size_t)n;
            continue;
        }
        if (n != -EAGAIN || rc < 0) {
            rc = n != -EAGAIN ? (int)n : rc;
            break;
        }
        rc = cos_watch_wait(&op, deadline);
    }
    int64_t result = sent == size ? (int64_t)size : rc < 0 ? rc : -ECANCELED;
    cos_op_end(&op);
    return result;
}

int cosched_stream_fileno(const cosched_stream *s)
{
    return s->watch.fd;
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
