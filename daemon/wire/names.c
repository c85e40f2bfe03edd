/* Duplicate names. Called by scan.c when an object closes; pure but for memory.
 *
 * Pairwise while an object is small, else by sorting: a mebibyte of hostile input holds a hundred
 * thousand names, and no hash of ours would be safe from one that collides on purpose. Names are
 * compared as they read, not as they are spelled: "a" and "\u0061" are one. */
#include "wire/names.h"

#include <stdlib.h>
#include <string.h>

#include "wire/text.h"

#define PAIRWISE_MAX 16

void names_init(struct names *names, const char *text)
{
    names->text = text;
    names->items = names->few;
    names->count = 0;
    names->cap = NAMES_INLINE;
}

void names_fini(struct names *names)
{
    if (names->items != names->few) {
        free(names->items);
    }
    names->items = names->few;
    names->count = 0;
}

bool names_push(struct names *names, struct name name)
{
    if (names->count == names->cap) {
        size_t cap = names->cap * 4;
        struct name *kept = names->items == names->few ? NULL : names->items;
        struct name *items = realloc(kept, cap * sizeof *items);
        if (!items) {
            return false;
        }
        if (!kept) {
            memcpy(items, names->few, sizeof names->few);
        }
        names->items = items;
        names->cap = cap;
    }
    names->items[names->count++] = name;
    return true;
}

/* A name byte by byte as it reads, escapes resolved. The scan has already accepted it. */
struct spelled {
    const char *p;
    const char *end;
    unsigned char more[4]; /* of a \u escape, last byte first */
    unsigned more_count;
};

static void spell_code_point(struct spelled *r, uint32_t c)
{
    unsigned n = 0;
    if (c >= 0x80) {
        uint32_t rest = c;
        uint32_t lead = c < 0x800 ? 0xc0 : c < 0x10000 ? 0xe0 : 0xf0;
        uint32_t count = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        for (; n < count; n++) {
            r->more[n] = (unsigned char)(0x80 | (rest & 0x3f));
            rest >>= 6;
        }
        c = lead | rest;
    }
    r->more[n++] = (unsigned char)c;
    r->more_count = n;
}

/* The next byte, or -1 at the end. */
static int spell_next(struct spelled *r)
{
    if (r->more_count > 0) {
        return r->more[--r->more_count];
    }
    if (r->p == r->end) {
        return -1;
    }
    if (*r->p != '\\') {
        return (unsigned char)*r->p++;
    }
    char c = r->p[1];
    if (c != 'u') {
        static const char from[] = "bfnrt";
        static const char to[] = "\b\f\n\r\t";
        const char *found = strchr(from, c);
        r->p += 2;
        return found ? to[found - from] : c;
    }
    uint32_t unit = (uint32_t)text_hex4(r->p + 2, r->end);
    r->p += 6;
    if (unit >= 0xd800 && unit <= 0xdbff) {
        uint32_t low = (uint32_t)text_hex4(r->p + 2, r->end);
        r->p += 6;
        unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    }
    spell_code_point(r, unit);
    return r->more[--r->more_count];
}

static struct spelled spell(const char *text, const struct name *name)
{
    return (struct spelled){.p = text + name->offset, .end = text + name->offset + name->len};
}

/* A total order of names as they read: <0, 0, >0. */
static int name_compare(const char *text, const struct name *a, const struct name *b)
{
    if (!a->escaped && !b->escaped) {
        uint32_t len = a->len < b->len ? a->len : b->len;
        int order = memcmp(text + a->offset, text + b->offset, len);
        return order ? order : (a->len > b->len) - (a->len < b->len);
    }
    struct spelled ra = spell(text, a);
    struct spelled rb = spell(text, b);
    for (;;) {
        int ca = spell_next(&ra);
        int cb = spell_next(&rb);
        if (ca != cb) {
            return ca < cb ? -1 : 1;
        }
        if (ca < 0) {
            return 0;
        }
    }
}

/* A name with its first eight bytes as a number: most comparisons stay out of the text. */
struct sort_name {
    uint64_t prefix;
    const struct name *name;
};

static uint64_t name_prefix(const char *text, const struct name *name)
{
    struct spelled r = spell(text, name);
    uint64_t prefix = 0;
    for (unsigned shift = 64; shift > 0;) {
        int c = spell_next(&r);
        if (c < 0) {
            break; /* the rest is zeros: they sort below every byte, and no name holds one */
        }
        shift -= 8;
        prefix |= (uint64_t)c << shift;
    }
    return prefix;
}

static int sort_compare(const void *left, const void *right, void *text)
{
    const struct sort_name *a = left;
    const struct sort_name *b = right;
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    return name_compare(text, a->name, b->name);
}

static enum names_result duplicate(const struct name *a, const struct name *b, uint32_t *offset)
{
    *offset = a->offset > b->offset ? a->offset : b->offset;
    return NAMES_DUPLICATE;
}

static enum names_result check_sorted(const char *text, const struct name *names, size_t count,
                                      uint32_t *offset)
{
    struct sort_name *sorted = malloc(count * sizeof *sorted);
    if (!sorted) {
        return NAMES_OOM;
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i] = (struct sort_name){name_prefix(text, &names[i]), &names[i]};
    }

    union {
        const char *in;
        void *out;
    } context = {text}; /* qsort_r's argument is not const; it is only read */

    qsort_r(sorted, count, sizeof *sorted, sort_compare, context.out);
    enum names_result result = NAMES_UNIQUE;
    for (size_t i = 1; i < count && result == NAMES_UNIQUE; i++) {
        if (sort_compare(&sorted[i - 1], &sorted[i], context.out) == 0) {
            result = duplicate(sorted[i - 1].name, sorted[i].name, offset);
        }
    }
    free(sorted);
    return result;
}

enum names_result names_check(const struct names *names, size_t first, uint32_t *offset)
{
    const struct name *items = names->items + first;
    size_t count = names->count - first;
    if (count > PAIRWISE_MAX) {
        return check_sorted(names->text, items, count, offset);
    }
    for (size_t i = 1; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            bool plain = !items[i].escaped && !items[k].escaped;
            if (plain && items[i].len != items[k].len) {
                continue;
            }
            if (name_compare(names->text, &items[i], &items[k]) == 0) {
                return duplicate(&items[i], &items[k], offset);
            }
        }
    }
    return NAMES_UNIQUE;
}
