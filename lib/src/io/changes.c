/* File changes: an inotify descriptor under a watch. One read takes as many as there are; they are handed out one by
 * one. Adding a path walks the file system, so it goes to the blocking pool; it holds the write side meanwhile, so that
 * nobody closes the descriptor under it. */
#include <cosched/io.h>

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "io/pool.h"
#include "io/sys.h"
#include "io/watch.h"

COS_STATIC_ASSERT(sizeof(((struct cosched_change *)0)->name) == 256,
                  "a name of NAME_MAX and its end");

struct cosched_changes {
    struct cos_watch watch; /* first */
    size_t at, end;         /* of the buffer, not handed out yet; who holds the read side */
    _Alignas(struct inotify_event) char buffer[4096];
};

int cosched_changes_open(cosched_changes **out)
{
    *out = NULL;
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    struct cosched_changes *c = cos_alloc(sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    int fd = cos_sys_inotify();
    if (fd < 0) {
        cos_free(c);
        return fd;
    }
    cos_watch_init(&c->watch, fd, true);
    *out = c;
    return 0;
}

struct addition {
    int fd;
    const char *path;
    uint32_t what;
};

static int64_t do_add(void *arg)
{
    const struct addition *a = arg;
    return cos_sys_inotify_add(a->fd, a->path, a->what);
}

int cosched_changes_add(cosched_changes *c, const char *path, uint32_t what, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &c->watch.source, COS_WRITE_SIDE);
    if (rc < 0) {
        return rc;
    }
    struct addition a = {.fd = c->watch.fd, .path = path, .what = what};
    rc = (int)cos_pool_run(do_add, &a, deadline);
    rc = cos_op_is_shut(&op) ? -ECANCELED
                             : rc; /* closed meanwhile: there is nothing to have an id of */
    cos_op_end(&op);
    return rc;
}

int cosched_changes_remove(cosched_changes *c, int id)
{
    return cos_sys_inotify_remove(c->watch.fd, id);
}

static void take(struct cosched_changes *c, struct cosched_change *out)
{
    struct inotify_event event;
    memcpy(&event, c->buffer + c->at, sizeof event);
    *out = (struct cosched_change){.id = event.wd, .what = event.mask, .cookie = event.cookie};
    if (event.len > 0) { /* padded with zeroes, at least one */
        size_t length = strnlen(c->buffer + c->at + sizeof event, event.len);
        COS_ASSERT(length < sizeof out->name);
        memcpy(out->name, c->buffer + c->at + sizeof event, length);
    }
    c->at += sizeof event + event.len;
    COS_ASSERT(c->at <= c->end);
}

int cosched_changes_next(cosched_changes *c, struct cosched_change *out, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &c->watch.source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    cos_op_breathe(&op, deadline);
    while (rc == 0 && c->at == c->end) {
        int64_t n = cos_sys_read(c->watch.fd, c->buffer, sizeof c->buffer);
        if (n > 0) {
            c->at = 0;
            c->end = (size_t)n;
        } else {
            rc = n == -EAGAIN ? cos_watch_wait(&op, deadline) : (n < 0 ? (int)n : -EIO);
        }
    }
    if (rc == 0) {
        take(c, out);
    }
    cos_op_end(&op);
    return rc;
}

void cosched_changes_close(cosched_changes *c)
{
    if (c != NULL) {
        cos_source_close(&c->watch.source);
    }
}
