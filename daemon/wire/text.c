/* UTF-8 well-formedness (Unicode 15, table 3-7) and base64 (RFC 4648, section 4). Pure. */
#include "wire/text.h"

#include <stdint.h>

size_t text_utf8_length(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t room = (size_t)(end - p);
    unsigned c = s[0];
    if (c < 0x80) {
        return 1;
    }
    if (c < 0xc2 || c > 0xf4) {
        return 0; /* a continuation byte, an overlong two-byte form, or beyond U+10FFFF */
    }
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (room < n) {
        return 0;
    }
    /* The second byte's range tells overlong forms, surrogates and values too large apart. */
    unsigned low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool text_is_utf8(const void *data, size_t n)
{
    const char *p = data;
    const char *end = p + n;
    while (p < end) {
        size_t length = *p ? text_utf8_length(p, end) : 0;
        if (length == 0) {
            return false;
        }
        p += length;
    }
    return true;
}

size_t text_utf8_cut(const void *data, size_t n)
{
    const unsigned char *s = data;
    /* Only the last three bytes can begin a sequence that n cuts. */
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        unsigned c = s[n - back];
        if (c < 0x80) {
            return n;
        }
        if (c >= 0xc0) {
            size_t length = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
            return length > back ? n - back : n;
        }
    }
    return n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int text_hex4(const char *p, const char *end)
{
    int value = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64_encode(struct buf *out, const void *data, size_t n)
{
    const unsigned char *s = data;
    if (!buf_reserve(out, n / 3 * 4 + 4)) {
        return;
    }
    char *to = out->data + out->len;
    size_t i = 0;
    for (; i + 3 <= n; i += 3) {
        uint32_t v = (uint32_t)s[i] << 16 | (uint32_t)s[i + 1] << 8 | s[i + 2];
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = base64_digits[v >> 6 & 63];
        *to++ = base64_digits[v & 63];
    }
    if (i < n) {
        bool two = i + 1 < n;
        uint32_t v = (uint32_t)s[i] << 16 | (two ? (uint32_t)s[i + 1] << 8 : 0);
        *to++ = base64_digits[v >> 18];
        *to++ = base64_digits[v >> 12 & 63];
        *to++ = two ? base64_digits[v >> 6 & 63] : '=';
        *to++ = '=';
    }
    *to = '\0';
    out->len = (size_t)(to - out->data);
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool text_base64_decode(struct buf *out, const char *text, size_t n)
{
    if (n % 4 != 0) {
        return false;
    }
    size_t pad = 0;
    while (pad < 2 && pad < n && text[n - 1 - pad] == '=') {
        pad++;
    }
    if (!buf_reserve(out, n / 4 * 3)) {
        return false;
    }
    for (size_t i = 0; i < n; i += 4) {
        uint32_t v = 0;
        size_t digits = i + 4 == n ? 4 - pad : 4;
        for (size_t k = 0; k < digits; k++) {
            int value = base64_value(text[i + k]);
            if (value < 0) {
                return false;
            }
            v |= (uint32_t)value << (18 - 6 * k);
        }
        if (digits < 4 && v & (digits == 3 ? 0xffU : 0xffffU)) {
            return false; /* bits behind the last byte: two texts for one value */
        }
        char bytes[3] = {(char)(v >> 16), (char)(v >> 8 & 255), (char)(v & 255)};
        buf_append(out, bytes, digits - 1);
    }
    return true;
}
