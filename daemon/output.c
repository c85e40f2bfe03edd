/* output.c - capped output files.
 *
 * A file is a header of 64 bytes (struct header, the machine's own byte order), then `head` bytes
 * from the start of the stream, then a ring of `ring` bytes for its end. Byte number o of the
 * stream lies at
 *
 *     o < head:   64 + o
 *     else:       64 + head + (o - head) mod ring
 *
 * so that a stream within its cap is simply the rest of the file. As long as that is so (counted =
 * 0) the file's size says how much was written, and a write is one system call. Once the ring
 * turns, or the disk refused something, the header counts: `reserved` is moved before the bytes go
 * in, `written` after. Whoever reads, after a kill -9 or while the writer writes, takes [reserved -
 * ring, written) for the tail: the bytes below may be overwritten, those above may be missing. A
 * reader looks at the header again after it has read, as with a sequence lock.
 *
 * When the disk refuses bytes they become the hole; later writes try again, and one more refusal
 * widens the hole over everything between. Nothing is synced: output survives the daemon's death,
 * not the machine's.
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

#define SHARD 1000

enum { PATH_SIZE = 80, TRIES = 4, READ_TRIES = 8 };

struct header {
    char magic[8];
    struct output_layout layout;
};

static const char magic[8] = {'c', 'o', 's', 'o', 'u', 't', '1', '\n'};

_Static_assert(sizeof(struct header) == 64, "the format has no padding");

/* --- the layout, pure ----------------------------------------------------------------------- */

/* The first byte of the kept tail: everything from head up to it was dropped. */
static uint64_t layout_tail(const struct output_layout *l)
{
    return l->reserved > l->head + l->ring ? l->reserved - l->ring : l->head;
}

static uint64_t layout_position(const struct output_layout *l, uint64_t o)
{
    return sizeof(struct header) + (o < l->head ? o : l->head + (o - l->head) % l->ring);
}

/* How many bytes from o on lie side by side in the file. */
static uint64_t layout_run(const struct output_layout *l, uint64_t o)
{
    return o < l->head ? l->head - o : l->ring - (o - l->head) % l->ring;
}

static void layout_lose(struct output_layout *l, uint64_t from, uint64_t to)
{
    bool passed = l->hole_from >= l->head && l->hole_to <= layout_tail(l);

    /* A former hole that the cap has dropped since is no longer worth widening. */
    if (l->hole_from == l->hole_to || passed)
        l->hole_from = from;
    l->hole_to = to;
}

static uint64_t overlap(uint64_t a_from, uint64_t a_to, uint64_t b_from, uint64_t b_to)
{
    uint64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;
    return to > from ? to - from : 0;
}

static void layout_count(const struct output_layout *l, struct output_counts *counts)
{
    uint64_t tail = layout_tail(l), hole = l->hole_to - l->hole_from;

    if (tail > l->written)
        tail = l->written; /* an interrupted write took more than it gave back */
    if (tail < l->head)
        tail = l->head;
    uint64_t dropped = overlap(l->head, tail, 0, l->written);
    counts->bytes = l->written;
    counts->lost = hole - overlap(l->head, tail, l->hole_from, l->hole_to);
    counts->kept = l->written - dropped - counts->lost;
}

/* --- files ---------------------------------------------------------------------------------- */

static void path_format(char path[PATH_SIZE], int64_t id, uint32_t attempt,
                        enum output_stream stream)
{
    snprintf(path, PATH_SIZE, "%lld/%lld/%u.%s", (long long)(id / SHARD), (long long)id, attempt,
             stream == OUTPUT_STDOUT ? "stdout" : "stderr");
}

int output_dir_open(int state_dir)
{
    if (mkdirat(state_dir, "output", 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(state_dir, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int file_create(const struct output *o)
{
    char path[PATH_SIZE];

    path_format(path, o->id, o->attempt, o->stream);
    for (int try = 0;; try++) {
        int fd = openat(o->dir, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
            return fd;
        if (errno != ENOENT || try == TRIES)
            return -errno;
        /* Outermost first: usually both are there, and the open above was all. */
        for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
            *slash = '\0';
            int made = mkdirat(o->dir, path, 0700);
            if (made < 0 && errno != EEXIST && errno != ENOENT)
                return -errno;
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
    struct header header;

    memcpy(header.magic, magic, sizeof magic);
    header.layout = o->layout;
    return write_at(o->fd, &header, sizeof header, 0, &o->error) == sizeof header;
}

/* --- writing -------------------------------------------------------------------------------- */

void output_open(struct output *o, int dir, int64_t id, uint32_t attempt, enum output_stream stream,
                 uint64_t cap)
{
    if (cap > OUTPUT_CAP_MAX)
        cap = OUTPUT_CAP_MAX;
    *o = (struct output){.dir = dir, .fd = -1, .id = id, .attempt = attempt, .stream = stream};
    o->layout.head = cap / 2;
    o->layout.ring = cap - cap / 2;
    o->open = true;
}

/* The file is there, with a header. A refused one is tried again by the next write. */
static bool output_ensure(struct output *o)
{
    if (o->fd >= 0)
        return true;
    int fd = file_create(o);
    if (fd < 0) {
        o->error = fd;
        return false;
    }
    o->fd = fd;
    if (header_write(o))
        return true;
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
        if (run > to - at)
            run = to - at;
        size_t done =
            write_at(o->fd, data + (at - from), (size_t)run, layout_position(l, at), &o->error);
        at += done;
        if (done < run)
            break;
    }
    return at;
}

int output_write(struct output *o, const void *data, size_t size)
{
    struct output_layout *l = &o->layout;
    uint64_t from = l->written, to = from + size;

    if (size == 0)
        return 0;
    o->error = 0;
    if (!output_ensure(o)) {
        l->counted = 1;
        l->written = l->reserved = to;
        layout_lose(l, from, to);
        return o->error;
    }
    if (to > l->head + l->ring)
        l->counted = 1;
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
    if (l->counted)
        header_write(o);
    return o->error;
}

void output_close(struct output *o, struct output_counts *counts)
{
    if (counts)
        *counts = (struct output_counts){0, 0, 0};
    if (!o->open)
        return;
    /* The disk may have room again for what could not be said before. */
    if (o->layout.counted && o->error && o->fd >= 0)
        header_write(o);
    if (counts)
        layout_count(&o->layout, counts);
    if (o->fd >= 0)
        close(o->fd);
    *o = (struct output){.fd = -1};
}

/* --- reading -------------------------------------------------------------------------------- */

/* 1, 0 (no file, or none yet), or a negative errno. */
static int file_open(int dir, int64_t id, uint32_t attempt, enum output_stream stream, int *fd)
{
    char path[PATH_SIZE];

    path_format(path, id, attempt, stream);
    *fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd >= 0)
        return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

/* The layout as of now. 1, 0 (killed while it was made) or a negative errno. Where the header could
 * not be read, *l is all zero: a file without a byte. */
static int layout_read(int fd, struct output_layout *l)
{
    struct header header;
    struct stat st;

    *l = (struct output_layout){0};
    ssize_t n = pread(fd, &header, sizeof header, 0);
    if (n < 0)
        return -errno;
    if (n < (ssize_t)sizeof header)
        return 0;
    if (memcmp(header.magic, magic, sizeof magic) != 0)
        return -EBADMSG;
    *l = header.layout;
    if (l->head > OUTPUT_CAP_MAX || l->ring > OUTPUT_CAP_MAX || l->hole_from > l->hole_to ||
        l->written > l->reserved)
        return -EBADMSG;
    if (l->counted)
        return 1;
    if (fstat(fd, &st) < 0)
        return -errno;
    uint64_t size = (uint64_t)st.st_size - sizeof header;
    if (size > l->head + l->ring)
        size = l->head + l->ring;
    l->written = l->reserved = size;
    return 1;
}

/* Moves o over what is not there. */
static void chunk_skip(const struct output_layout *l, uint64_t o, struct output_chunk *chunk)
{
    uint64_t tail = layout_tail(l), at = o;

    for (uint64_t before = at + 1; before != at;) {
        before = at;
        if (at >= l->head && at < tail)
            at = tail;
        if (at >= l->hole_from && at < l->hole_to) {
            at = l->hole_to;
            chunk->gap_disk = true;
        }
    }
    if (at > l->written)
        at = l->written;
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

    if (n > size)
        n = size;
    if (n > 0 && n > layout_run(l, at))
        n = layout_run(l, at);
    if (at < l->hole_from && n > l->hole_from - at)
        n = l->hole_from - at;
    return (size_t)n;
}

static int read_chunk(int fd, int64_t offset, void *buf, size_t size, struct output_chunk *chunk)
{
    struct output_layout now, after;
    int known = layout_read(fd, &now);

    for (int try = 0; known > 0; try++) {
        uint64_t o = (uint64_t)offset;
        if (offset < 0)
            o = now.written > -o ? now.written + o : 0;
        chunk->bytes = now.written;
        chunk->offset = o;
        if (o >= now.written)
            return 0;
        chunk_skip(&now, o, chunk);
        size_t want = chunk_size(&now, chunk, size);
        if (want == 0 || try == READ_TRIES)
            return 0;
        ssize_t n = pread(fd, buf, want, (off_t)layout_position(&now, chunk->offset));
        if (n < 0)
            return -errno;
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
    if (result <= 0)
        return result;
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
    if (result <= 0)
        return result;
    result = layout_read(fd, &layout);
    close(fd);
    if (result > 0)
        layout_count(&layout, counts);
    return result < 0 ? result : 0;
}

/* --- removing ------------------------------------------------------------------------------- */

int output_remove(int dir, int64_t id)
{
    char path[PATH_SIZE];
    int result = 0;

    snprintf(path, sizeof path, "%lld/%lld", (long long)(id / SHARD), (long long)id);
    int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    DIR *folder = fdopendir(fd);
    if (!folder) {
        result = -errno;
        close(fd);
        return result;
    }
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
            result = -errno;
    closedir(folder);
    if (unlinkat(dir, path, AT_REMOVEDIR) < 0 && errno != ENOENT && result == 0)
        result = -errno;
    *strchr(path, '/') = '\0';
    unlinkat(dir, path, AT_REMOVEDIR); /* refused while it holds others' */
    return result;
}
