/* output_read.c - reading capped output files, also while they are written: what is there, what is missing, and how much
 * there is of it. Called on any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_layout.h"

enum { READ_TRIES = 8 };

/* 1, 0 (no file, or none yet), or a negative errno. */
static int file_open(int dir, int64_t id, uint32_t attempt, enum output_stream stream, int *fd)
{
    char path[OUTPUT_PATH_SIZE];

    output_path(path, id, attempt, stream);
    *fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd >= 0) {
        return 1;
    }
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

/* The layout as of now. 1, 0 (killed while it was made) or a negative errno. Where the header could
 * not be read, *l is all zero: a file without a byte. */
static int layout_read(int fd, struct output_layout *l)
{
    struct output_header header;
    struct stat st;

    *l = (struct output_layout){0};
    ssize_t n = pread(fd, &header, sizeof header, 0);
    if (n < 0) {
        return -errno;
    }
    if (n < (ssize_t)sizeof header) {
        return 0;
    }
    if (memcmp(header.magic, output_magic, sizeof output_magic) != 0) {
        return -EBADMSG;
    }
    *l = header.layout;
    if (l->head > OUTPUT_CAP_MAX || l->ring > OUTPUT_CAP_MAX || l->hole_from > l->hole_to ||
        l->written > l->reserved) {
        return -EBADMSG;
    }
    if (l->counted) {
        return 1;
    }
    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    uint64_t size = (uint64_t)st.st_size - sizeof header;
    if (size > l->head + l->ring) {
        size = l->head + l->ring;
    }
    l->written = l->reserved = size;
    return 1;
}

/* Moves o over what is not there. */
static void chunk_skip(const struct output_layout *l, uint64_t o, struct output_chunk *chunk)
{
    uint64_t tail = layout_tail(l), at = o;

    for (uint64_t before = at + 1; before != at;) {
        before = at;
        if (at >= l->head && at < tail) {
            at = tail;
        }
        if (at >= l->hole_from && at < l->hole_to) {
            at = l->hole_to;
            chunk->gap_disk = true;
        }
    }
    if (at > l->written) {
        at = l->written;
    }
    if (at > o) {
        chunk->gap_from = o;
        chunk->gap_to = at;
    }
    chunk->offset = at;
}

/* Bytes from chunk->offset on that may be read in one piece. */
static size_t chunk_size(const struct output_layout *l, const struct output_chunk *chunk,
                         size_t size)
{
    uint64_t at = chunk->offset, n = l->written - at;

    if (n > size) {
        n = size;
    }
    if (n > 0 && n > layout_run(l, at)) {
        n = layout_run(l, at);
    }
    if (at < l->hole_from && n > l->hole_from - at) {
        n = l->hole_from - at;
    }
    return (size_t)n;
}

static int read_chunk(int fd, int64_t offset, void *buf, size_t size, struct output_chunk *chunk)
{
    struct output_layout now, after;
    int known = layout_read(fd, &now);

    for (int try = 0; known > 0; try++) {
        uint64_t o = (uint64_t)offset;
        if (offset < 0) {
            o = now.written > -o ? now.written + o : 0;
        }
        chunk->bytes = now.written;
        chunk->offset = o;
        if (o >= now.written) {
            return 0;
        }
        chunk_skip(&now, o, chunk);
        size_t want = chunk_size(&now, chunk, size);
        if (want == 0 || try == READ_TRIES) {
            return 0;
        }
        ssize_t n = pread(fd, buf, want, (off_t)layout_position(&now, chunk->offset));
        if (n < 0) {
            return -errno;
        }
        known = layout_read(fd, &after);
        if (known > 0 && (chunk->offset < after.head || chunk->offset >= layout_tail(&after))) {
            chunk->size = (size_t)n;
            return 0;
        }
        /* The ring came round while we read: what we have may be newer bytes. */
        now = after;
        offset = (int64_t)o;
    }
    return known;
}

int output_read(int dir, int64_t id, uint32_t attempt, enum output_stream stream, int64_t offset,
                void *buf, size_t size, struct output_chunk *chunk)
{
    int fd, result = file_open(dir, id, attempt, stream, &fd);

    *chunk = (struct output_chunk){.offset = offset > 0 ? (uint64_t)offset : 0};
    if (result <= 0) {
        return result;
    }
    result = read_chunk(fd, offset, buf, size, chunk);
    close(fd);
    return result;
}

int output_stat(int dir, int64_t id, uint32_t attempt, enum output_stream stream,
                struct output_counts *counts)
{
    struct output_layout layout;
    int fd, result = file_open(dir, id, attempt, stream, &fd);

    *counts = (struct output_counts){0, 0, 0};
    if (result <= 0) {
        return result;
    }
    result = layout_read(fd, &layout);
    close(fd);
    if (result > 0) {
        layout_count(&layout, counts);
    }
    return result < 0 ? result : 0;
}
