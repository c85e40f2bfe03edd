/* Files: each call is one request to the blocking pool, whose thread works on the caller's buffers while the task waits
 * for it. Here errno is safe: the functions of the pool never suspend. */
#include <cosched/io.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pool.h"

/* A close that finds no thread within this time is done where the task is. */
#define CLOSE_GRACE_MS 1000

struct request {
    const char *path;
    int fd, flags;
    mode_t mode;
    char *into;
    const char *from;
    size_t size;
    int64_t offset;
    struct stat *st;
};

static int64_t do_open(void *arg)
{
    const struct request *r = arg;
    for (;;) {
        int fd = open(r->path, r->flags | O_CLOEXEC, r->mode);
        if (fd >= 0 || errno != EINTR) {
            return fd < 0 ? -errno : fd;
        }
    }
}

int cosched_file_open(const char *path, int flags, mode_t mode, int64_t deadline)
{
    struct request r = {.path = path, .flags = flags, .mode = mode};
    return (int)cos_pool_run(do_open, &r, deadline);
}

static int64_t do_read(void *arg)
{
    const struct request *r = arg;
    for (;;) {
        ssize_t n = pread(r->fd, r->into, r->size, r->offset);
        if (n >= 0 || errno != EINTR) {
            return n < 0 ? -errno : n;
        }
    }
}

int64_t cosched_file_read_at(int fd, void *buffer, size_t size, int64_t offset, int64_t deadline)
{
    if (size == 0) {
        return -EINVAL; /* 0 would look like the end */
    }
    struct request r = {.fd = fd, .into = buffer, .size = size, .offset = offset};
    return cos_pool_run(do_read, &r, deadline);
}

static int64_t do_write(void *arg)
{
    const struct request *r = arg;
    size_t done = 0;
    while (done < r->size) {
        ssize_t n = pwrite(r->fd, r->from + done, r->size - done, r->offset + (int64_t)done);
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0) {
            return -EIO; /* no disk answers so; trying again might go on for ever */
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return (int64_t)done;
}

int64_t cosched_file_write_at(int fd, const void *buffer, size_t size, int64_t offset,
                              int64_t deadline)
{
    struct request r = {.fd = fd, .from = buffer, .size = size, .offset = offset};
    return cos_pool_run(do_write, &r, deadline);
}

static int64_t do_sync(void *arg)
{
    return fsync(((const struct request *)arg)->fd) < 0 ? -errno
                                                        : 0; /* never again after an error */
}

int cosched_file_sync(int fd, int64_t deadline)
{
    struct request r = {.fd = fd};
    return (int)cos_pool_run(do_sync, &r, deadline);
}

static int64_t do_sync_data(void *arg)
{
    return fdatasync(((const struct request *)arg)->fd) < 0 ? -errno : 0;
}

int cosched_file_sync_data(int fd, int64_t deadline)
{
    struct request r = {.fd = fd};
    return (int)cos_pool_run(do_sync_data, &r, deadline);
}

static int64_t do_truncate(void *arg)
{
    const struct request *r = arg;
    while (ftruncate(r->fd, r->offset) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int cosched_file_truncate(int fd, int64_t size, int64_t deadline)
{
    struct request r = {.fd = fd, .offset = size};
    return (int)cos_pool_run(do_truncate, &r, deadline);
}

static int64_t do_stat(void *arg)
{
    const struct request *r = arg;
    return stat(r->path, r->st) < 0 ? -errno : 0;
}

int cosched_file_stat(const char *path, struct stat *out, int64_t deadline)
{
    struct request r = {.path = path, .st = out};
    return (int)cos_pool_run(do_stat, &r, deadline);
}

static int64_t do_stat_fd(void *arg)
{
    const struct request *r = arg;
    return fstat(r->fd, r->st) < 0 ? -errno : 0;
}

int cosched_file_stat_fd(int fd, struct stat *out, int64_t deadline)
{
    struct request r = {.fd = fd, .st = out};
    return (int)cos_pool_run(do_stat_fd, &r, deadline);
}

static int64_t do_close(void *arg)
{
    /* EINTR: Linux has closed it nevertheless, and a second close might hit another's descriptor. */
    return close(((const struct request *)arg)->fd) < 0 && errno != EINTR ? -errno : 0;
}

int cosched_file_close(int fd)
{
    struct request r = {.fd = fd};
    int64_t result;
    cosched_scope shield; /* a task that was cancelled closes its files, too */
    if (cosched_where() == COSCHED_INHERIT) {
        return -EPERM;
    }
    if (cosched_scope_begin(&shield, cosched_in_ms(CLOSE_GRACE_MS), COSCHED_SHIELD) < 0) {
        return (int)do_close(&r);
    }
    int rc = cosched_blocking_in(&cos_files, &result, do_close, &r, COSCHED_NEVER);
    cosched_scope_end(&shield);
    return (int)(rc < 0 ? do_close(&r) : result);
}
