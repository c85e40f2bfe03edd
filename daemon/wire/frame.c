/* Lines out of a byte stream. Owned by one connection (or one reader of a file); no thread of its
 * own. Bytes are moved only when room is made, never per line, and each byte is searched once.
 *
 * Memory is bounded: what is kept of a line is at most line_max and one read; a big buffer is given
 * back when it stands empty, so an idle connection costs little. */
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

#define FRAME_ROOM_MIN 4096
#define FRAME_CAP_MIN  16384
#define FRAME_CAP_IDLE 65536

void frame_init(struct frame *f, size_t line_max)
{
    *f = (struct frame){.line_max = line_max};
}

void frame_fini(struct frame *f)
{
    if (!f) {
        return;
    }
    free(f->data);
    *f = (struct frame){.line_max = f->line_max};
}

char *frame_space(struct frame *f, size_t *room)
{
    if (f->start == f->end) {
        f->start = f->end = f->scanned = 0;
        if (f->cap > FRAME_CAP_IDLE) {
            free(f->data);
            f->data = NULL;
            f->cap = 0;
        }
    }
    if (f->start > 0 && f->cap - f->end < FRAME_ROOM_MIN + 1) {
        memmove(f->data, f->data + f->start, f->end - f->start);
        f->end -= f->start;
        f->scanned -= f->start;
        f->start = 0;
    }
    /* One byte behind the end is kept free for the NUL of a last line without an end. */
    if (f->cap - f->end < FRAME_ROOM_MIN + 1) {
        size_t cap = f->cap ? f->cap * 2 : FRAME_CAP_MIN;
        char *data = realloc(f->data, cap);
        if (!data) {
            f->failed = true;
            *room = 0;
            return NULL;
        }
        f->data = data;
        f->cap = cap;
    }
    *room = f->cap - f->end - 1;
    return f->data + f->end;
}

void frame_added(struct frame *f, size_t n)
{
    f->end += n;
}

void frame_finish(struct frame *f)
{
    f->finished = true;
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            return false;
        }
    }
    return true;
}

/* No line end in sight: wait for more, or give up on a line that is already too long. One byte
 * more than line_max may still be the CR of a CRLF. */
static enum frame_result partial(struct frame *f)
{
    if (f->skipping) {
        f->start = f->scanned = f->end;
        return FRAME_MORE;
    }
    f->scanned = f->end;
    size_t len = f->end - f->start;
    if (len > f->line_max + 1 || (len == f->line_max + 1 && f->data[f->end - 1] != '\r')) {
        f->skipping = true;
        f->start = f->scanned = f->end;
        return FRAME_TOO_LONG;
    }
    return FRAME_MORE;
}

enum frame_result frame_next(struct frame *f, char **line, size_t *len)
{
    if (f->failed) {
        return FRAME_OOM;
    }
    while (f->start < f->end) {
        char *from = f->data + f->scanned;
        char *stop = memchr(from, '\n', f->end - f->scanned);
        if (!stop) {
            enum frame_result result = partial(f);
            if (result != FRAME_MORE || !f->finished || f->start == f->end) {
                return result;
            }
            stop = f->data + f->end; /* the kept byte */
        }
        char *begin = f->data + f->start;
        size_t n = (size_t)(stop - begin);
        size_t next = f->start + n + 1;
        f->start = f->scanned = next < f->end ? next : f->end;
        if (f->skipping) {
            f->skipping = false;
            continue;
        }
        if (n > 0 && begin[n - 1] == '\r') {
            n--;
        }
        if (n > f->line_max) {
            return FRAME_TOO_LONG;
        }
        if (is_blank(begin, n)) {
            continue;
        }
        begin[n] = '\0';
        *line = begin;
        *len = n;
        return FRAME_LINE;
    }
    return FRAME_MORE;
}
