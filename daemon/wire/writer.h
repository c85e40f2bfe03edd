/* Writes JSON text into a buf: commas are the writer's, structure is the caller's. Nothing here
 * fails by itself; ask out->failed at the end.
 *
 *     writer_object(&w);
 *     writer_key(&w, "id");
 *     writer_int(&w, 7);
 *     writer_member_string(&w, "state", "queued");   // key and value in one
 *     writer_end_object(&w); */
#ifndef WIRE_WRITER_H
#define WIRE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buf.h"
#include "wire/json.h"

struct writer {
    struct buf *out; /* borrowed while the writer is used */
    bool comma;      /* a value stands before: the next one needs a comma */
};

void writer_init(struct writer *w, struct buf *out);
void writer_object(struct writer *w);
void writer_end_object(struct writer *w);
void writer_array(struct writer *w);
void writer_end_array(struct writer *w);
void writer_key(struct writer *w, const char *key);
/* NULL writes null. Bytes that are not UTF-8 become U+FFFD: the text sent is valid whatever a
 * path or an error message holds. */
void writer_string(struct writer *w, const char *text);
void writer_string_n(struct writer *w, const char *text, size_t n);
void writer_int(struct writer *w, int64_t value);
void writer_uint(struct writer *w, uint64_t value);
/* The shortest text that reads back to the same double; not finite writes null. */
void writer_double(struct writer *w, double value);
void writer_bool(struct writer *w, bool value);
void writer_null(struct writer *w);
/* JSON text of one value, made elsewhere and trusted. */
void writer_raw(struct writer *w, const char *json, size_t n);
/* A value read from text; integers stay integers. */
void writer_value(struct writer *w, const struct json *value);
/* A string in base64. */
void writer_base64(struct writer *w, const void *data, size_t n);
/* Raw bytes as a JSON string, or base64 if they are not UTF-8 or have a NUL; which it was is the
 * answer: "utf8" or "base64" (the member enc of a log event). */
const char *writer_bytes(struct writer *w, const void *data, size_t n);

void writer_member_string(struct writer *w, const char *key, const char *text);
void writer_member_int(struct writer *w, const char *key, int64_t value);
void writer_member_uint(struct writer *w, const char *key, uint64_t value);
void writer_member_double(struct writer *w, const char *key, double value);
void writer_member_bool(struct writer *w, const char *key, bool value);
void writer_member_null(struct writer *w, const char *key);
void writer_member_raw(struct writer *w, const char *key, const char *json, size_t n);
void writer_member_value(struct writer *w, const char *key, const struct json *value);
void writer_member_object(struct writer *w, const char *key); /* ended by writer_end_object */
void writer_member_array(struct writer *w, const char *key);  /* ended by writer_end_array */
/* A time as the protocol writes it; unix_us 0 ("not yet") writes null. */
void writer_member_time(struct writer *w, const char *key, int64_t unix_us);

/* One text for one value: keys sorted by their bytes, no spaces, numbers in the writer's form. Two
 * bodies with the same canonical text are the same body (idempotency keys). */
void writer_canonical(struct buf *out, const struct json *value);

#endif
