/* JSON text into a buf. Owned by the caller's frame; pure but for the memory of the buf.
 *
 * Nothing here goes through snprintf except a number with a fraction: an answer is a few hundred
 * bytes of integers and short strings, and they are what the daemon writes all day. */
#include "wire/writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/text.h"
#include "wire/units.h"

void writer_init(struct writer *w, struct buf *out)
{
    w->out = out;
    w->comma = false;
}

static void before_value(struct writer *w)
{
    if (w->comma) {
        buf_putc(w->out, ',');
    }
    w->comma = true;
}

static void open_with(struct writer *w, char c)
{
    before_value(w);
    buf_putc(w->out, c);
    w->comma = false;
}

static void close_with(struct writer *w, char c)
{
    buf_putc(w->out, c);
    w->comma = true;
}

void writer_object(struct writer *w)
{
    open_with(w, '{');
}

void writer_end_object(struct writer *w)
{
    close_with(w, '}');
}

void writer_array(struct writer *w)
{
    open_with(w, '[');
}

void writer_end_array(struct writer *w)
{
    close_with(w, ']');
}

static void append_escaped(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    size_t n = 2;
    switch (c) {
    case '"':
    case '\\': text[1] = (char)c; break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default: n = sizeof text; break;
    }
    buf_append(out, text, n);
}

static void append_quoted(struct buf *out, const char *text, size_t n)
{
    const char *end = text + n;
    if (!buf_reserve(out, n + 2)) {
        return;
    }
    buf_putc(out, '"');
    while (text < end) {
        size_t plain = text_plain_length(text, end);
        buf_append(out, text, plain);
        text += plain;
        if (text == end) {
            break;
        }
        if ((unsigned char)*text < 0x80) {
            append_escaped(out, (unsigned char)*text++);
            continue;
        }
        size_t length = text_utf8_length(text, end);
        if (length > 0) {
            buf_append(out, text, length);
            text += length;
        } else {
            buf_literal(out, "\xef\xbf\xbd"); /* U+FFFD for each byte that belongs to nothing */
            text++;
        }
    }
    buf_putc(out, '"');
}

void writer_key(struct writer *w, const char *key)
{
    before_value(w);
    append_quoted(w->out, key, strlen(key));
    buf_putc(w->out, ':');
    w->comma = false;
}

void writer_string(struct writer *w, const char *text)
{
    if (text) {
        writer_string_n(w, text, strlen(text));
    } else {
        writer_null(w);
    }
}

void writer_string_n(struct writer *w, const char *text, size_t n)
{
    before_value(w);
    append_quoted(w->out, text, n);
}

void writer_int(struct writer *w, int64_t value)
{
    before_value(w);
    buf_int(w->out, value);
}

void writer_uint(struct writer *w, uint64_t value)
{
    before_value(w);
    buf_uint(w->out, value);
}

void writer_double(struct writer *w, double value)
{
    if (!isfinite(value)) {
        writer_null(w);
        return;
    }
    /* Whole numbers of the exact range are written as the integers they are. */
    if (value >= -(double)JSON_INT_MAX && value <= (double)JSON_INT_MAX) {
        double whole = (double)(int64_t)value;
        if (!(value < whole || value > whole)) {
            writer_int(w, (int64_t)value);
            return;
        }
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (!(back < value || back > value)) {
            break;
        }
    }
    before_value(w);
    buf_puts(w->out, text);
}

void writer_bool(struct writer *w, bool value)
{
    before_value(w);
    buf_puts(w->out, value ? "true" : "false");
}

void writer_null(struct writer *w)
{
    before_value(w);
    buf_literal(w->out, "null");
}

void writer_raw(struct writer *w, const char *json, size_t n)
{
    before_value(w);
    buf_append(w->out, json, n);
}

void writer_base64(struct writer *w, const void *data, size_t n)
{
    before_value(w);
    buf_putc(w->out, '"');
    text_base64_encode(w->out, data, n);
    buf_putc(w->out, '"');
}

const char *writer_bytes(struct writer *w, const void *data, size_t n)
{
    if (text_is_utf8(data, n)) {
        writer_string_n(w, data, n);
        return "utf8";
    }
    writer_base64(w, data, n);
    return "base64";
}

void writer_member_string(struct writer *w, const char *key, const char *text)
{
    writer_key(w, key);
    writer_string(w, text);
}

void writer_member_int(struct writer *w, const char *key, int64_t value)
{
    writer_key(w, key);
    writer_int(w, value);
}

void writer_member_uint(struct writer *w, const char *key, uint64_t value)
{
    writer_key(w, key);
    writer_uint(w, value);
}

void writer_member_double(struct writer *w, const char *key, double value)
{
    writer_key(w, key);
    writer_double(w, value);
}

void writer_member_bool(struct writer *w, const char *key, bool value)
{
    writer_key(w, key);
    writer_bool(w, value);
}

void writer_member_null(struct writer *w, const char *key)
{
    writer_key(w, key);
    writer_null(w);
}

void writer_member_raw(struct writer *w, const char *key, const char *json, size_t n)
{
    writer_key(w, key);
    writer_raw(w, json, n);
}

void writer_member_value(struct writer *w, const char *key, const struct json *value)
{
    writer_key(w, key);
    writer_value(w, value);
}

void writer_member_object(struct writer *w, const char *key)
{
    writer_key(w, key);
    writer_object(w);
}

void writer_member_array(struct writer *w, const char *key)
{
    writer_key(w, key);
    writer_array(w);
}

void writer_member_time(struct writer *w, const char *key, int64_t unix_us)
{
    char text[UNITS_TIME_SIZE];
    if (unix_us == 0) {
        writer_member_null(w, key);
        return;
    }
    units_format_time(unix_us, text);
    writer_member_string(w, key, text);
}

/* --- values that were read ------------------------------------------------------------------------ */

static void value_in_order(struct writer *w, const struct json *value, bool sorted);

static int compare_keys(const void *left, const void *right)
{
    const struct json *const *a = left;
    const struct json *const *b = right;
    return strcmp(json_key(*a), json_key(*b));
}

static void members_sorted(struct writer *w, const struct json *object)
{
    size_t count = json_count(object);
    const struct json *few[16]; /* per level of nesting: small, the stack may be a task's */
    const struct json **members = few;
    if (count > sizeof few / sizeof few[0]) {
        members = malloc(count * sizeof *members);
        if (!members) {
            w->out->failed = true;
            return;
        }
    }
    size_t n = 0;
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        members[n++] = m;
    }
    if (n > 1) {
        qsort(members, n, sizeof *members, compare_keys);
    }
    for (size_t i = 0; i < n; i++) {
        writer_key(w, json_key(members[i]));
        value_in_order(w, members[i], true);
    }
    if (members != few) {
        free(members);
    }
}

/* Recursion is bounded: a parsed value is nested at most JSON_DEPTH_MAX deep. */
static void value_in_order(struct writer *w, const struct json *value, bool sorted)
{
    switch (json_type(value)) {
    case JSON_NULL: writer_null(w); break;
    case JSON_BOOL: writer_bool(w, json_bool(value)); break;
    case JSON_NUMBER: writer_double(w, json_number(value)); break;
    case JSON_STRING: writer_string(w, json_string(value)); break;
    case JSON_ARRAY:
        writer_array(w);
        for (const struct json *e = json_first(value); e; e = json_next(e)) {
            value_in_order(w, e, sorted);
        }
        writer_end_array(w);
        break;
    case JSON_OBJECT:
        writer_object(w);
        if (sorted) {
            members_sorted(w, value);
        } else {
            for (const struct json *m = json_first(value); m; m = json_next(m)) {
                writer_key(w, json_key(m));
                value_in_order(w, m, false);
            }
        }
        writer_end_object(w);
        break;
    }
}

void writer_value(struct writer *w, const struct json *value)
{
    value_in_order(w, value, false);
}

void writer_canonical(struct buf *out, const struct json *value)
{
    struct writer w;
    writer_init(&w, out);
    value_in_order(&w, value, true);
}
