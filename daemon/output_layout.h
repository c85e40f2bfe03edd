/* output_layout.h - what an output file looks like, for those who write and read it: pure arithmetic.
 *
 * A file is a header of 64 bytes (struct output_header, the machine's own byte order), then `head` bytes
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
 */
#ifndef COSCHEDD_OUTPUT_LAYOUT_H
#define COSCHEDD_OUTPUT_LAYOUT_H
#include <stdio.h>

#include "output.h"

#define OUTPUT_SHARD 1000

enum { OUTPUT_PATH_SIZE = 80 };

struct output_header {
    char magic[8];
    struct output_layout layout;
};

static const char output_magic[8] = {'c', 'o', 's', 'o', 'u', 't', '1', '\n'};

_Static_assert(sizeof(struct output_header) == 64, "the format has no padding");

/* The first byte of the kept tail: everything from head up to it was dropped. */
static inline uint64_t layout_tail(const struct output_layout *l)
{
    return l->reserved > l->head + l->ring ? l->reserved - l->ring : l->head;
}

static inline uint64_t layout_position(const struct output_layout *l, uint64_t o)
{
    return sizeof(struct output_header) + (o < l->head ? o : l->head + (o - l->head) % l->ring);
}

/* How many bytes from o on lie side by side in the file. */
static inline uint64_t layout_run(const struct output_layout *l, uint64_t o)
{
    return o < l->head ? l->head - o : l->ring - (o - l->head) % l->ring;
}

static inline void layout_lose(struct output_layout *l, uint64_t from, uint64_t to)
{
    bool passed = l->hole_from >= l->head && l->hole_to <= layout_tail(l);

    /* A former hole that the cap has dropped since is no longer worth widening. */
    if (l->hole_from == l->hole_to || passed) {
        l->hole_from = from;
    }
    l->hole_to = to;
}

static inline uint64_t layout_overlap(uint64_t a_from, uint64_t a_to, uint64_t b_from, uint64_t b_to)
{
    uint64_t from = a_from > b_from ? a_from : b_from, to = a_to < b_to ? a_to : b_to;
    return to > from ? to - from : 0;
}

static inline void layout_count(const struct output_layout *l, struct output_counts *counts)
{
    uint64_t tail = layout_tail(l), hole = l->hole_to - l->hole_from;

    if (tail > l->written) {
        tail = l->written; /* an interrupted write took more than it gave back */
    }
    if (tail < l->head) {
        tail = l->head;
    }
    uint64_t dropped = layout_overlap(l->head, tail, 0, l->written);
    counts->bytes = l->written;
    counts->lost = hole - layout_overlap(l->head, tail, l->hole_from, l->hole_to);
    counts->kept = l->written - dropped - counts->lost;
}

/* Below STATE/output. */
static inline void output_path(char path[OUTPUT_PATH_SIZE], int64_t id, uint32_t attempt,
                               enum output_stream stream)
{
    snprintf(path, OUTPUT_PATH_SIZE, "%lld/%lld/%u.%s", (long long)(id / OUTPUT_SHARD),
             (long long)id, attempt, stream == OUTPUT_STDOUT ? "stdout" : "stderr");
}

#endif
