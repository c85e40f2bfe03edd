/* Any stream, cut anywhere: the first byte says how. However it is cut, the same lines come out. */
#include <stdint.h>
#include <stdlib.h>

#include "wire/buf.h"
#include "wire/frame.h"

#define LINE_MAX_HERE 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct frame *f, struct buf *seen)
{
    char *line;
    size_t len;
    for (;;) {
        switch (frame_next(f, &line, &len)) {
        case FRAME_MORE: return;
        case FRAME_OOM: abort();
        case FRAME_TOO_LONG: buf_literal(seen, "!\n"); break;
        case FRAME_LINE:
            if (len > LINE_MAX_HERE || line[len] != '\0') {
                abort();
            }
            buf_append(seen, line, len);
            buf_putc(seen, '\n');
            break;
        }
    }
}

static struct buf feed(const uint8_t *data, size_t size, size_t step)
{
    struct frame f;
    struct buf seen = BUF_INIT;
    frame_init(&f, LINE_MAX_HERE);
    for (size_t at = 0; at < size;) {
        size_t room;
        char *space = frame_space(&f, &room);
        if (!space) {
            abort();
        }
        size_t take = size - at < step ? size - at : step;
        take = take < room ? take : room;
        memcpy(space, data + at, take);
        frame_added(&f, take);
        at += take;
        drain(&f, &seen);
    }
    frame_finish(&f);
    drain(&f, &seen);
    frame_fini(&f);
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct buf whole = feed(data + 1, size - 1, size);
    struct buf cut = feed(data + 1, size - 1, (size_t)data[0] % 7 + 1);
    if (whole.len != cut.len || memcmp(buf_text(&whole), buf_text(&cut), whole.len) != 0) {
        abort();
    }
    buf_free(&whole);
    buf_free(&cut);
    return 0;
}
