/* Connecting by name: "Happy Eyeballs" (RFC 8305). The addresses of both families take turns; each has a quarter of a second
 * before the next is tried beside it, or goes at once when it fails; the first that connects wins, and the others are
 * closed. One task waits for all of them. */
#include "io/connect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_net.h"

struct race {
    const struct cosched_addresses *a;
    size_t count, next; /* of the addresses: to be tried, the first that was not */
    size_t live;        /* attempts under way */
    int error;          /* of the last that failed */
    bool failed;        /* one did since the last start */
    int64_t stagger_ns;
    int64_t start_at; /* of the next one, unless one fails before */
    cosched_stream *stream[COS_CONNECT_ADDRESSES_MAX];
    size_t to[COS_CONNECT_ADDRESSES_MAX];
    struct cos_op op[COS_CONNECT_ADDRESSES_MAX]; /* side by side: see cos_op_wait_any */
};

void cos_connect_interleave(struct cosched_addresses *a)
{
    for (size_t i = 1; i < a->count && i < COS_CONNECT_ADDRESSES_MAX; i++) {
        size_t j = i;
        while (j < a->count && a->at[j].to.ss_family == a->at[i - 1].to.ss_family) {
            j++;
        }
        if (j == a->count) {
            return; /* one family is left */
        }
        struct cosched_address turn = a->at[j];
        memmove(&a->at[i + 1], &a->at[i], (j - i) * sizeof turn);
        a->at[i] = turn;
    }
}

/* Takes an attempt out: its stream, whose operation is over. */
static cosched_stream *leave(struct race *r, size_t i)
{
    cosched_stream *s = r->stream[i];
    cos_op_end(&r->op[i]);
    r->live--;
    r->stream[i] = r->stream[r->live];
    r->to[i] = r->to[r->live];
    r->op[i] = r->op[r->live];
    return s;
}

static void fail(struct race *r, int error)
{
    r->error = error;
    r->failed = true;
}

/* 0, also when this address failed at once; -ECANCELED. */
static int start(struct race *r)
{
    size_t to = r->next++;
    r->failed = false;
    r->start_at = cos_clock_add(cos_clock_now(), r->stagger_ns);
    cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        fail(r, -ENOMEM);
        return 0;
    }
    int fd = cos_sys_net_socket(r->a->at[to].to.ss_family, SOCK_STREAM);
    if (fd < 0) {
        cos_free(s);
        fail(r, fd);
        return 0;
    }
    cos_stream_init(s, fd, COS_STREAM_TCP);
    int rc = cos_op_begin(&r->op[r->live], &s->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        cosched_close(s);
        return rc;
    }
    r->stream[r->live] = s;
    r->to[r->live++] = to;
    return 0;
}

/* Asks all that are under way: the one that is connected, or NULL. */
static cosched_stream *look(struct race *r)
{
    for (size_t i = 0; i < r->live;) {
        cosched_stream *s = r->stream[i];
        int rc = cos_sys_net_connect(s->watch.fd, &r->a->at[r->to[i]]);
        if (rc == 0) {
            return leave(r, i);
        }
        rc = rc == -EAGAIN ? cos_watch_add(&s->watch) : rc;
        if (rc < 0) {
            cosched_close(leave(r, i));
            fail(r, rc);
        } else {
            i++;
        }
    }
    return NULL;
}

/* Until there is news, or the next may start. */
static int wait(struct race *r, int64_t deadline)
{
    int64_t until = r->next < r->count && r->start_at < deadline ? r->start_at : deadline;
    int rc = cos_op_wait_any(r->op, r->live, until);
    return rc == -ETIMEDOUT && !cos_io_expired(deadline) ? 0 : rc;
}

static bool may_start(const struct race *r)
{
    return r->next < r->count && (r->live == 0 || r->failed || cos_io_expired(r->start_at));
}

static int run(struct race *r, cosched_stream **out, int64_t deadline)
{
    int why = 0; /* what ended the wait: they are asked once more, then this is the answer */
    for (;;) {
        if (why == 0 && may_start(r)) {
            int rc = start(r);
            if (rc < 0) {
                return rc;
            }
        }
        *out = look(r);
        if (*out != NULL) {
            return 0;
        }
        if (why < 0) {
            return why;
        }
        if (r->live == 0 && r->next == r->count) {
            return r->error;
        }
        if (cos_io_expired(deadline)) {
            return -ETIMEDOUT;
        }
        why = may_start(r) ? 0 : wait(r, deadline);
    }
}

int cos_connect_first(cosched_stream **out, const struct cosched_addresses *a, int64_t stagger_ns,
                      int64_t deadline)
{
    struct race r = {.a = a, .error = -ENOENT, .stagger_ns = stagger_ns};
    r.count = a->count < COS_CONNECT_ADDRESSES_MAX ? a->count : COS_CONNECT_ADDRESSES_MAX;
    *out = NULL;
    int rc = run(&r, out, deadline);
    while (r.live > 0) {
        cosched_close(leave(&r, 0));
    }
    return rc;
}

int cos_connect_by(cosched_stream **out, cos_lookup_fn lookup, const char *host,
                   const char *service, int64_t stagger_ns, int64_t deadline)
{
    *out = NULL;
    struct cosched_addresses *all;
    int rc = cos_resolve_by(lookup, host, service, deadline, &all);
    if (rc < 0) {
        return rc;
    }
    cos_connect_interleave(all);
    rc = cos_connect_first(out, all, stagger_ns, deadline);
    cosched_addresses_free(all);
    return rc;
}

int cosched_connect_name(cosched_stream **out, const char *host, const char *service,
                         int64_t deadline)
{
    return cos_connect_by(out, cos_lookup_system, host, service, COS_CONNECT_STAGGER_NS, deadline);
}

int cosched_connect_tcp(cosched_stream **out, const char *host, uint16_t port, int64_t deadline)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    return cosched_connect_name(out, host, service, deadline);
}
