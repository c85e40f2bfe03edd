/* Names in the file system: each change is one request to the blocking pool, as in file.c. */
#include <cosched/io.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/pool.h"

struct change {
    const char *path, *to;
    mode_t mode;
};

static int64_t result(int rc)
{
    return rc < 0 ? -errno : 0;
}

static int64_t do_rename(void *arg)
{
    const struct change *c = arg;
    return result(rename(c->path, c->to));
}

int cosched_rename(const char *from, const char *to, int64_t deadline)
{
    struct change c = {.path = from, .to = to};
    return (int)cos_pool_run(do_rename, &c, deadline);
}

static int64_t do_unlink(void *arg)
{
    return result(unlink(((const struct change *)arg)->path));
}

int cosched_unlink(const char *path, int64_t deadline)
{
    struct change c = {.path = path};
    return (int)cos_pool_run(do_unlink, &c, deadline);
}

static int64_t do_mkdir(void *arg)
{
    const struct change *c = arg;
    return result(mkdir(c->path, c->mode));
}

int cosched_mkdir(const char *path, mode_t mode, int64_t deadline)
{
    struct change c = {.path = path, .mode = mode};
    return (int)cos_pool_run(do_mkdir, &c, deadline);
}

static int64_t do_rmdir(void *arg)
{
    return result(rmdir(((const struct change *)arg)->path));
}

int cosched_rmdir(const char *path, int64_t deadline)
{
    struct change c = {.path = path};
    return (int)cos_pool_run(do_rmdir, &c, deadline);
}
