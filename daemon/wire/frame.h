/* Lines out of a byte stream. LF or CRLF ends a line; blank ones are skipped; an over-long one is
 * reported once, as soon as it is too long, and skipped to its end.
 *
 *     space = frame_space(&f, &room);  n = read(fd, space, room);  frame_added(&f, n);
 *     while ((r = frame_next(&f, &line, &len)) != FRAME_MORE) … */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#define FRAME_LINE_MAX   ((size_t)1 << 20)  /* a request, its line end not counted */
#define FRAME_ANSWER_MAX ((size_t)17 << 20) /* what a client accepts: an answer is ≤ 16 MiB */

enum frame_result {
    FRAME_LINE,     /* *line has *len bytes and a NUL behind them, until the next call */
    FRAME_MORE,     /* no whole line left */
    FRAME_TOO_LONG, /* said once for a line */
    FRAME_OOM,      /* frame_space found no memory; the stream cannot go on */
};

struct frame {
    char *data; /* owned */
    size_t cap;
    size_t start;   /* first byte not handed out */
    size_t end;     /* one behind the last byte added */
    size_t scanned; /* bytes before it hold no line end */
    size_t line_max;
    bool skipping; /* inside an over-long line */
    bool finished; /* the stream ended: what is left counts as a line */
    bool failed;
};

void frame_init(struct frame *f, size_t line_max);
void frame_fini(struct frame *f);
/* Room for the next read, at least 4 KiB. NULL: out of memory; frame_next then says FRAME_OOM.
 * Ends the life of the last line. */
char *frame_space(struct frame *f, size_t *room);
void frame_added(struct frame *f, size_t n);
/* The stream has ended: a last line without an end is handed out too. */
void frame_finish(struct frame *f);
enum frame_result frame_next(struct frame *f, char **line, size_t *len);

#endif
