/* Growable bytes. Owned by whoever declared the struct; any thread, never two at once.
 *
 * Growth doubles, so n appended bytes cost O(n). The wire floor stands below libcosched and uses
 * plain realloc: a failure shows as .failed and is never ignored by who asks at the end. */
#include "wire/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAP_MIN 256
/* More than any message: a length beyond is a bug upstream, not a reason to try. */
#define BUF_CAP_MAX ((size_t)1 << 40)

void buf_free(struct buf *b)
{
    if (!b) {
        return;
    }
    free(b->data);
    *b = BUF_INIT;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data) {
        b->data[0] = '\0';
    }
}

bool buf_reserve(struct buf *b, size_t n)
{
    if (b->failed) {
        return false;
    }
    if (b->cap > b->len && b->cap - b->len > n) {
        return true;
    }
    size_t cap = b->cap ? b->cap : BUF_CAP_MIN;
    if (n >= BUF_CAP_MAX - b->len) {
        b->failed = true;
        return false;
    }
    while (cap <= b->len + n) {
        cap *= 2;
    }
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

void buf_append(struct buf *b, const void *data, size_t n)
{
    if (n == 0 || !buf_reserve(b, n)) {
        return;
    }
    memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_uint(struct buf *b, unsigned long long value)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(b, digits + at, sizeof digits - at);
}

void buf_int(struct buf *b, long long value)
{
    if (value < 0) {
        buf_putc(b, '-');
        buf_uint(b, 0 - (unsigned long long)value);
    } else {
        buf_uint(b, (unsigned long long)value);
    }
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0) {
        b->failed = true;
    } else if (buf_reserve(b, (size_t)n)) {
        (void)vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->len) {
        b->len = 0;
    } else {
        memmove(b->data, b->data + n, b->len - n);
        b->len -= n;
    }
    if (b->data) {
        b->data[b->len] = '\0';
    }
}

void buf_truncate(struct buf *b, size_t n)
{
    if (n < b->len) {
        b->len = n;
        b->data[n] = '\0';
    }
}

char *buf_take(struct buf *b)
{
    if (!b->data && !b->failed) {
        (void)buf_reserve(b, 0);
    }
    char *data = b->failed ? NULL : b->data;
    if (!data) {
        free(b->data);
    }
    *b = BUF_INIT;
    return data;
}
