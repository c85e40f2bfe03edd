/* output.h - what a command wrote: one capped file a stream and attempt.  Head and tail are
 * kept, the middle goes when the cap is reached. Offsets count the bytes the command wrote,
 * whatever was kept of them. Nothing here suspends: writes go to the page cache and may be done
 * on MAIN. Reads may come from any thread while the writer writes. The file format stands in
 * output_layout.h. Every function takes `dir`, a descriptor of STATE/output from output_dir_open. */
#ifndef COSCHEDD_OUTPUT_H
#define COSCHEDD_OUTPUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_CAP_DEFAULT (UINT64_C(1) << 20) /* bytes a stream, when nothing else was asked for */
#define OUTPUT_CAP_MAX     (UINT64_C(1) << 40)

enum output_stream { OUTPUT_STDOUT, OUTPUT_STDERR };

struct output_counts {
    uint64_t bytes; /* the command wrote */
    uint64_t kept;  /* of them readable */
    uint64_t lost;  /* the disk refused; the cap dropped bytes - kept - lost */
};

/* Where bytes are, as the file's header says it (output_layout.h). */
struct output_layout {
    uint64_t head, ring;         /* bytes kept from the start, and from the end */
    uint64_t written;            /* bytes the command wrote so far */
    uint64_t reserved;           /* … and will have written once the write under way is done */
    uint64_t hole_from, hole_to; /* bytes the disk refused: one range that covers them all */
    uint64_t counted;            /* 1: this header, not the file's size, says what was written */
};

/* One stream being written. Make it with output_open; zeroed it is closed. */
struct output {
    int dir; /* borrowed until output_close */
    int fd;  /* owned; -1 until the first byte */
    int64_t id;
    uint32_t attempt;
    enum output_stream stream;
    struct output_layout layout;
    bool open;
    int error; /* the last refusal of the disk, negative errno; 0 while it is well */
};

/* A descriptor of STATE/output (made with mode 0700 when missing), or a negative errno. */
int output_dir_open(int state_dir);

/* Touches no disk: a command that writes nothing leaves no file. cap 0 keeps nothing and counts. */
void output_open(struct output *o, int dir, int64_t id, uint32_t attempt, enum output_stream stream,
                 uint64_t cap);
/* 0, or the negative errno why a part was dropped (ENOSPC, EDQUOT, EMFILE …): it is counted as
 * lost, a later write tries again, and the job need not care. */
int output_write(struct output *o, const void *data, size_t size);
/* counts may be NULL. Closed or zeroed ones are ignored. */
void output_close(struct output *o, struct output_counts *counts);

struct output_chunk {
    uint64_t offset;           /* of the first byte returned, or where reading would go on */
    size_t size;               /* bytes returned */
    uint64_t gap_from, gap_to; /* bytes asked for that are no longer there; equal: none */
    bool gap_disk;             /* the disk refused them; else the cap dropped them */
    uint64_t bytes;            /* written by the command so far */
};

/* Up to `size` bytes from `offset` on (negative: from the end, clamped to 0). A missing range at
 * `offset` is reported as the gap, and the bytes behind it are returned. size 0 in *chunk:
 * nothing there yet beyond chunk->offset. No file: no bytes, 0. Negative errno when the file
 * cannot be read (-EBADMSG: not ours). */
int output_read(int dir, int64_t id, uint32_t attempt, enum output_stream stream, int64_t offset,
                void *buf, size_t size, struct output_chunk *chunk);
/* All zero when the stream has no file. */
int output_stat(int dir, int64_t id, uint32_t attempt, enum output_stream stream,
                struct output_counts *counts);
/* Removes all output of a job; 0 when there was none. Blocks on the disk: not for MAIN. */
int output_remove(int dir, int64_t id);

#endif
