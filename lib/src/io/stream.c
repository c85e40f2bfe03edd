/* Reading and writing. Each operation tries first and waits when the kernel says so; on a timeout or a cancellation it tries
 * once more, so what had arrived by then wins. */
#include "io/stream.h"

#include <errno.h>

#include "base/alloc.h"
#include "io/sys.h"
#include "io/sys_net.h"
#include "io/sys_stream.h"

#define PARTS_AT_ONCE 16 /* what a write hands to the kernel in one call */

void cos_stream_init(struct cosched_stream *s, int fd, enum cos_stream_kind kind)
{
    cos_watch_init(&s->watch, fd, true);
    s->kind = kind;
    s->drained = false;
    s->former = NULL;
}

static int64_t take(const struct cosched_stream *s, void *buffer, size_t size)
{
    return s->kind == COS_STREAM_FILE ? cos_sys_read(s->watch.fd, buffer, size)
                                      : cos_sys_recv(s->watch.fd, buffer, size);
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
    if (s->drained) {
        cos_watch_doze(&op, deadline);
    }
    int64_t got;
    do {
        cos_op_breathe(&op, deadline);
        got = take(s, buffer, size);
        if (got == -EAGAIN) {
            rc = cos_watch_wait(&op, deadline);
            got = rc < 0 ? rc : -EAGAIN;
        }
    } while (got == -EAGAIN);
    /* 0 is the end: the next read is told so again, at once. */
    s->drained = s->kind == COS_STREAM_TCP && got > 0 && (size_t)got < size;
    cos_op_end(&op);
    return got;
}

/* Between two parts: a wait that failed was granted one more try, and a shut ends the conversation here. */
static int write_may_go_on(const struct cos_op *op)
{
    return op->why < 0 ? op->why : cos_op_is_shut(op) ? -ECANCELED : 0;
}

/* What is left of the caller's parts: `at` and, of that one, what lies behind `offset`. */
struct rest {
    const struct iovec *parts;
    size_t count, at, offset;
};

static void advance(struct rest *r, size_t sent)
{
    while (r->at < r->count && sent >= r->parts[r->at].iov_len - r->offset) {
        sent -= r->parts[r->at].iov_len - r->offset;
        r->at++;
        r->offset = 0;
    }
    r->offset += sent;
}

static int64_t put(const struct cosched_stream *s, const struct rest *r)
{
    struct iovec now[PARTS_AT_ONCE];
    size_t count = 0;
    while (count < PARTS_AT_ONCE && r->at + count < r->count) {
        now[count] = r->parts[r->at + count];
        count++;
    }
    now[0].iov_base = (char *)now[0].iov_base + r->offset;
    now[0].iov_len -= r->offset;
    if (s->kind == COS_STREAM_FILE) {
        return cos_sys_write_parts(s->watch.fd, now, count);
    }
    return count == 1 ? cos_sys_send(s->watch.fd, now[0].iov_base, now[0].iov_len)
                      : cos_sys_send_parts(s->watch.fd, now, count);
}

static int64_t write_all(cosched_stream *s, const struct iovec *parts, size_t count, size_t size,
                         int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    struct rest rest = {.parts = parts, .count = count};
    advance(&rest, 0); /* past parts that are empty */
    while (rc == 0 && rest.at < count) {
        cos_op_breathe(&op, deadline);
        int64_t n = put(s, &rest);
        if (n >= 0) {
            advance(&rest, (size_t)n);
            rc = rest.at < count ? write_may_go_on(&op) : 0;
        } else {
            rc = n == -EAGAIN ? cos_watch_wait(&op, deadline) : (int)n;
        }
    }
    cos_op_end(&op);
    return rc < 0 ? rc : (int64_t)size;
}

int64_t cosched_write(cosched_stream *s, const void *buffer, size_t size, int64_t deadline)
{
    const struct iovec one = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    return write_all(s, &one, 1, size, deadline);
}

int64_t cosched_writev(cosched_stream *s, const struct iovec *parts, size_t count, int64_t deadline)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].iov_len > INT64_MAX - size) {
            return -EINVAL;
        }
        size += parts[i].iov_len;
    }
    return write_all(s, parts, count, size, deadline);
}

int cosched_stream_fileno(const cosched_stream *s)
{
    return s->watch.fd;
}

int cosched_stream_local(const cosched_stream *s, struct cosched_address *out)
{
    return cos_sys_net_local(s->watch.fd, out);
}

int cosched_stream_peer(const cosched_stream *s, struct cosched_address *out)
{
    return cos_sys_net_peer(s->watch.fd, out);
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
    if (s == NULL) {
        return;
    }
    if (s->former != NULL) {
        (void)cos_sys_tty_set(s->watch.fd, s->former); /* the terminal has gone: nothing to restore */
        cos_free(s->former);
    }
    cos_source_close(&s->watch.source);
}
