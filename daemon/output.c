/* output.c - capped output files: where they lie, writing and removing them. Reading is output_read.c, the format
 * output_layout.h.
 *
 * Files lie in STATE/output/ID÷1000/ID/ATTEMPT.stdout|.stderr: at most a thousand folders in a
 * folder. They are made by the first byte, so that the many jobs that say nothing cost nothing.
 * Shards are removed when empty; a writer that meets that moment makes its shard anew.
 */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_layout.h"

enum { TRIES = 4 };

/* --- files ---------------------------------------------------------------------------------- */

int output_dir_open(int state_dir)
{
    if (mkdirat(state_dir, "output", 0700) < 0 && errno != EEXIST) {
        return -errno;
    }
    int fd = openat(state_dir, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int file_create(const struct output *o)
{
    char path[OUTPUT_PATH_SIZE];

    output_path(path, o->id, o->attempt, o->stream);
    for (int try = 0;; try++) {
        int fd = openat(o->dir, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            return fd;
        }
        if (errno != ENOENT || try == TRIES) {
            return -errno;
        }
        /* Outermost first: usually both are there, and the open above was all. */
        for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            int made = mkdirat(o->dir, path, 0700);
            if (made < 0 && errno != EEXIST && errno != ENOENT) {
                return -errno;
            }
            *slash = '/';
        }
    }
}

/* All of it at `position`, or how much of it went in before the disk refused; then *error says
 * why. */
static size_t write_at(int fd, const void *data, size_t size, uint64_t position, int *error)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)(position + done));
        if (n > 0) {
            done += (size_t)n;
        } else if (n == 0 || errno != EINTR) {
            *error = n < 0 ? -errno : -EIO;
            break;
        }
    }
    return done;
}

static bool header_write(struct output *o)
{
    struct output_header header;

    memcpy(header.magic, output_magic, sizeof output_magic);
    header.layout = o->layout;
    return write_at(o->fd, &header, sizeof header, 0, &o->error) == sizeof header;
}

/* --- writing -------------------------------------------------------------------------------- */

void output_open(struct output *o, int dir, int64_t id, uint32_t attempt, enum output_stream stream,
                 uint64_t cap)
{
    if (cap > OUTPUT_CAP_MAX) {
        cap = OUTPUT_CAP_MAX;
    }
    *o = (struct output){.dir = dir, .fd = -1, .id = id, .attempt = attempt, .stream = stream};
    o->layout.head = cap / 2;
    o->layout.ring = cap - cap / 2;
    o->open = true;
}

/* The file is there, with a header. A refused one is tried again by the next write. */
static bool output_ensure(struct output *o)
{
    if (o->fd >= 0) {
        return true;
    }
    int fd = file_create(o);
    if (fd < 0) {
        o->error = fd;
        return false;
    }
    o->fd = fd;
    if (header_write(o)) {
        return true;
    }
    close(fd);
    o->fd = -1;
    return false;
}

/* Bytes [from, to) of the stream, of which data is the first; those the cap keeps. Returns where it
 * stopped. */
static uint64_t output_place(struct output *o, const char *data, uint64_t from, uint64_t to)
{
    const struct output_layout *l = &o->layout;
    uint64_t at = from;

    while (at < to) {
        if (at >= l->head && to - at > l->ring) {
            at = to - l->ring; /* what would be overwritten by this very write */
            continue;
        }
        uint64_t run = layout_run(l, at);
        if (run > to - at) {
            run = to - at;
        }
        size_t done =
            write_at(o->fd, data + (at - from), (size_t)run, layout_position(l, at), &o->error);
        at += done;
        if (done < run) {
            break;
        }
    }
    return at;
}

int output_write(struct output *o, const void *data, size_t size)
{
    struct output_layout *l = &o->layout;
    uint64_t from = l->written, to = from + size;

    if (size == 0) {
        return 0;
    }
    o->error = 0;
    if (!output_ensure(o)) {
        l->counted = 1;
        l->written = l->reserved = to;
        layout_lose(l, from, to);
        return o->error;
    }
    if (to > l->head + l->ring) {
        l->counted = 1;
    }
    if (l->counted) {
        l->reserved = to;
        if (!header_write(o)) {
            /* Without the reservation on file the ring must not be touched. */
            l->written = to;
            layout_lose(l, from, to);
            return o->error;
        }
    }
    uint64_t stopped = output_place(o, data, from, to);
    l->written = l->reserved = to;
    if (stopped < to) {
        l->counted = 1;
        layout_lose(l, stopped, to);
    }
    if (l->counted) {
        header_write(o);
    }
    return o->error;
}

void output_close(struct output *o, struct output_counts *counts)
{
    if (counts) {
        *counts = (struct output_counts){0, 0, 0};
    }
    if (!o->open) {
        return;
    }
    /* The disk may have room again for what could not be said before. */
    if (o->layout.counted && o->error && o->fd >= 0) {
        header_write(o);
    }
    if (counts) {
        layout_count(&o->layout, counts);
    }
    if (o->fd >= 0) {
        close(o->fd);
    }
    *o = (struct output){.fd = -1};
}

/* --- removing ------------------------------------------------------------------------------- */

int output_remove(int dir, int64_t id)
{
    char path[OUTPUT_PATH_SIZE];
    int result = 0;

    snprintf(path, sizeof path, "%lld/%lld", (long long)(id / OUTPUT_SHARD), (long long)id);
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    DIR *folder = fdopendir(fd);
    if (!folder) {
        result = -errno;
        close(fd);
        return result;
    }
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] != '.' && unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT) {
            result = -errno;
        }
    }
    closedir(folder);
    if (unlinkat(dir, path, AT_REMOVEDIR) < 0 && errno != ENOENT && result == 0) {
        result = -errno;
    }
    *strchr(path, '/') = '\0';
    unlinkat(dir, path, AT_REMOVEDIR); /* refused while it holds others' */
    return result;
}
