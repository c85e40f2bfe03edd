/* Growable bytes. Text appended stays NUL-terminated, so .data can be printed.
 *
 * An allocation that fails sets .failed, which is sticky: later appends do nothing, so a long
 * encoding is written without a check a line and asked once, at its end. */
#ifndef WIRE_BUF_H
#define WIRE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct buf {
    char *data;  /* owned; NULL until something was appended */
    size_t len;  /* without the NUL */
    size_t cap;  /* allocated, NUL included */
    bool failed; /* out of memory (or over SIZE_MAX); sticky until buf_free */
};

#define BUF_INIT ((struct buf){NULL, 0, 0, false})

/* Frees the memory; the buf is empty and usable again. Takes NULL and a zeroed buf. */
void buf_free(struct buf *b);
/* Forgets the contents and keeps the memory; clears .failed too. */
void buf_reset(struct buf *b);
/* Makes room for n more bytes and a NUL. False: out of memory, .failed is set. */
bool buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *data, size_t n);
void buf_puts(struct buf *b, const char *text);
void buf_int(struct buf *b, long long value);
void buf_uint(struct buf *b, unsigned long long value);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Removes the first n bytes (what a socket took). */
void buf_drop(struct buf *b, size_t n);
/* Cuts to n bytes; n is at most .len. */
void buf_truncate(struct buf *b, size_t n);
/* Hands the text over: the caller frees it. NULL if the buf failed. The buf is empty afterwards. */
char *buf_take(struct buf *b);

static inline const char *buf_text(const struct buf *b)
{
    return b->data ? b->data : "";
}

static inline void buf_putc(struct buf *b, char c)
{
    if (b->cap - b->len < 2 && !buf_reserve(b, 1)) {
        return;
    }
    if (b->failed) {
        return;
    }
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

/* A string literal: its length is known to the compiler. */
#define buf_literal(b, text) buf_append((b), "" text, sizeof(text) - 1)

#endif
