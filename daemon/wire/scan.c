/* The strict scan before cJSON. Called by json.c on every line that comes in; pure.
 *
 * One pass without recursion: open containers lie in an array of JSON_DEPTH_MAX levels. The names
 * of the open objects' members lie on one stack of their own (names.c), so that an object's
 * duplicates are looked for when it closes. */
#include "wire/scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/names.h"
#include "wire/text.h"

#define NUMBER_LEN_MAX 63 /* cJSON copies a number into 64 bytes and cuts what is longer */

struct level {
    bool object;
    size_t first_name; /* on the stack of names */
};

struct scan {
    const char *text;
    const char *p;
    const char *end;
    struct json_error *err;
    struct names names; /* of the open objects, innermost last */
    size_t depth;
    struct level levels[JSON_DEPTH_MAX];
};

static bool fail_at(struct scan *s, const char *at, const char *reason)
{
    s->err->offset = (size_t)(at - s->text);
    s->err->reason = reason;
    return false;
}

static bool fail_memory(struct scan *s)
{
    s->err->out_of_memory = true;
    return fail_at(s, s->p, "out of memory");
}

static void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t')) {
        s->p++;
    }
}

/* s->p stands on a backslash. */
static bool scan_escape(struct scan *s)
{
    const char *at = s->p;
    if (s->end - at < 2) {
        return fail_at(s, at, "text ends inside a string");
    }
    if (at[1] != 'u') {
        if (!at[1] || !strchr("\"\\/bfnrt", at[1])) {
            return fail_at(s, at, "unknown escape");
        }
        s->p += 2;
        return true;
    }
    int unit = text_hex4(at + 2, s->end);
    if (unit < 0) {
        return fail_at(s, at, "\\u needs four hexadecimal digits");
    }
    if (unit == 0) {
        return fail_at(s, at, "\\u0000 is not allowed");
    }
    s->p += 6;
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        return fail_at(s, at, "lone surrogate");
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        int low = s->end - s->p >= 2 && s->p[0] == '\\' && s->p[1] == 'u'
                      ? text_hex4(s->p + 2, s->end)
                      : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            return fail_at(s, at, "lone surrogate");
        }
        s->p += 6;
    }
    return true;
}

/* s->p stands on the opening quote; afterwards behind the closing one. */
static bool scan_string(struct scan *s, struct name *name)
{
    const char *begin = ++s->p;
    name->offset = (uint32_t)(begin - s->text);
    name->escaped = false;
    for (;;) {
        s->p += text_plain_length(s->p, s->end);
        if (s->p == s->end) {
            return fail_at(s, s->p, "text ends inside a string");
        }
        unsigned char c = (unsigned char)*s->p;
        if (c == '"') {
            name->len = (uint32_t)(s->p - begin);
            s->p++;
            return true;
        }
        if (c == '\\') {
            name->escaped = true;
            if (!scan_escape(s)) {
                return false;
            }
        } else if (c < 0x20) {
            return fail_at(s, s->p, "raw control character in a string");
        } else {
            size_t length = text_utf8_length(s->p, s->end);
            if (length == 0) {
                return fail_at(s, s->p, "invalid UTF-8");
            }
            s->p += length;
        }
    }
}

static size_t skip_digits(struct scan *s)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
        s->p++;
    }
    return (size_t)(s->p - from);
}

static bool number_overflows(const char *from, size_t len)
{
    char copy[NUMBER_LEN_MAX + 1];
    memcpy(copy, from, len);
    copy[len] = '\0';
    return isinf(strtod(copy, NULL)) != 0;
}

static bool scan_number(struct scan *s)
{
    const char *from = s->p;
    bool exponent = false;
    if (*s->p == '-') {
        s->p++;
    }
    if (s->p < s->end && *s->p == '0') {
        s->p++;
        if (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
            return fail_at(s, from, "number with a leading zero");
        }
    } else if (skip_digits(s) == 0) {
        return fail_at(s, from, "invalid number");
    }
    if (s->p < s->end && *s->p == '.') {
        s->p++;
        if (skip_digits(s) == 0) {
            return fail_at(s, from, "invalid number");
        }
    }
    if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
        s->p++;
        exponent = true;
        if (s->p < s->end && (*s->p == '+' || *s->p == '-')) {
            s->p++;
        }
        if (skip_digits(s) == 0) {
            return fail_at(s, from, "invalid number");
        }
    }
    size_t len = (size_t)(s->p - from);
    if (len > NUMBER_LEN_MAX) {
        return fail_at(s, from, "number too long");
    }
    /* Without an exponent so few digits cannot leave the range of a double. */
    if (exponent && number_overflows(from, len)) {
        return fail_at(s, from, "number out of range");
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0) {
        return fail_at(s, s->p, "unexpected text");
    }
    s->p += len;
    return true;
}

/* --- structure ---------------------------------------------------------------------------------- */

static bool scan_member_name(struct scan *s)
{
    struct name name;
    skip_blanks(s);
    if (s->p == s->end || *s->p != '"') {
        return fail_at(s, s->p, "a member name is expected");
    }
    if (!scan_string(s, &name)) {
        return false;
    }
    if (!names_push(&s->names, name)) {
        return fail_memory(s);
    }
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':') {
        return fail_at(s, s->p, "':' is expected");
    }
    s->p++;
    return true;
}

static bool close_level(struct scan *s)
{
    const struct level *level = &s->levels[s->depth - 1];
    uint32_t offset;
    if (level->object) {
        switch (names_check(&s->names, level->first_name, &offset)) {
        case NAMES_UNIQUE: break;
        case NAMES_DUPLICATE: return fail_at(s, s->text + offset, "duplicate key");
        case NAMES_OOM: return fail_memory(s);
        }
        s->names.count = level->first_name;
    }
    s->depth--;
    s->p++;
    return true;
}

/* A scalar whole, or the opening of a container: then *opened says that a value (in an object:
 * behind its name) must follow. */
static bool scan_value(struct scan *s, bool *opened)
{
    struct name ignored;
    *opened = false;
    skip_blanks(s);
    if (s->p == s->end) {
        return fail_at(s, s->p, s->p == s->text ? "empty" : "a value is expected");
    }
    switch (*s->p) {
    case '"': return scan_string(s, &ignored);
    case 't': return scan_word(s, "true");
    case 'f': return scan_word(s, "false");
    case 'n': return scan_word(s, "null");
    case '{':
    case '[': break;
    default:
        if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9')) {
            return scan_number(s);
        }
        return fail_at(s, s->p, "a value is expected");
    }
    if (s->depth == JSON_DEPTH_MAX) {
        return fail_at(s, s->p, "nested deeper than 64");
    }
    bool object = *s->p == '{';
    s->levels[s->depth++] = (struct level){object, s->names.count};
    s->p++;
    skip_blanks(s);
    if (s->p < s->end && *s->p == (object ? '}' : ']')) {
        return close_level(s);
    }
    *opened = true;
    return object ? scan_member_name(s) : true;
}

/* Behind a value: close what closes; *more says that another value follows. */
static bool scan_behind(struct scan *s, bool *more)
{
    *more = false;
    while (s->depth > 0) {
        bool object = s->levels[s->depth - 1].object;
        skip_blanks(s);
        if (s->p == s->end) {
            return fail_at(s, s->p, object ? "object is not closed" : "array is not closed");
        }
        if (*s->p == ',') {
            s->p++;
            *more = true;
            return object ? scan_member_name(s) : true;
        }
        if (*s->p != (object ? '}' : ']')) {
            return fail_at(s, s->p, object ? "',' or '}' is expected" : "',' or ']' is expected");
        }
        if (!close_level(s)) {
            return false;
        }
    }
    skip_blanks(s);
    return s->p == s->end ? true : fail_at(s, s->p, "text behind the value");
}

bool scan_json(const char *text, size_t len, struct json_error *err)
{
    struct scan s;
    *err = (struct json_error){0, NULL, false};
    s.text = s.p = text;
    s.end = text + len;
    s.err = err;
    names_init(&s.names, text);
    s.depth = 0;
    if (len > UINT32_MAX) {
        return fail_at(&s, text, "text too long");
    }
    bool ok, more = true;
    do {
        bool opened;
        ok = scan_value(&s, &opened);
        if (ok && !opened) {
            ok = scan_behind(&s, &more);
        }
    } while (ok && more);
    names_fini(&s.names);
    return ok;
}
