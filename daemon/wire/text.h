/* UTF-8 and base64: what the parser, the writer and the output chunks all ask of text. Pure. */
#ifndef WIRE_TEXT_H
#define WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/buf.h"

/* Length (1–4) of the well-formed UTF-8 sequence that starts at p, or 0: overlong forms,
 * surrogates, values over U+10FFFF and cut sequences are not well-formed. p < end. */
size_t text_utf8_length(const char *p, const char *end);
/* All n bytes are well-formed UTF-8 without a NUL: they can travel as a JSON string. */
bool text_is_utf8(const void *data, size_t n);
/* The largest prefix (≤ n) that does not end inside a sequence: where a stream may be cut. */
size_t text_utf8_cut(const void *data, size_t n);

/* Eight bytes at once: not 0 if one of them is a control character, a quote, a backslash or not
 * ASCII. (Zero-byte test of S. Anderson, "Bit Twiddling Hacks"; a borrow can only add a false hit
 * above a true one.) */
static inline uint64_t text_special8(uint64_t v)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = v ^ ones * '"';
    uint64_t slash = v ^ ones * '\\';
    uint64_t hit = ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash);
    return (hit | v) & ones * 0x80;
}

/* How many bytes from p on stand in a JSON string as they are: printable ASCII, no quote, no
 * backslash. */
static inline size_t text_plain_length(const char *p, const char *end)
{
    const char *from = p;
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        if (text_special8(v)) {
            break;
        }
        p += 8;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\') {
        p++;
    }
    return (size_t)(p - from);
}

/* The value of four hexadecimal digits at p, or -1: not four, or not digits. */
int text_hex4(const char *p, const char *end);

void text_base64_encode(struct buf *out, const void *data, size_t n);
/* Standard alphabet, padding required. False: not base64; out may hold part of it. */
bool text_base64_decode(struct buf *out, const char *text, size_t n);

#endif
