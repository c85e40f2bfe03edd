/* The member names of JSON objects that are being scanned: a stack, and whether two names above a
 * mark are the same. scan.c owns one for the length of a scan. */
#ifndef WIRE_NAMES_H
#define WIRE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_INLINE 48

struct name {
    uint32_t offset; /* of its first byte in the text, the quote not counted */
    uint32_t len;    /* as spelled */
    bool escaped;    /* holds a backslash: it reads differently from what it looks like */
};

struct names {
    const char *text;   /* borrowed */
    struct name *items; /* owned when it is not `few` */
    size_t count;       /* set back to a mark by whoever took it */
    size_t cap;
    struct name few[NAMES_INLINE];
};

enum names_result {
    NAMES_UNIQUE,
    NAMES_DUPLICATE,
    NAMES_OOM,
};

void names_init(struct names *names, const char *text);
void names_fini(struct names *names);
/* False: out of memory. */
bool names_push(struct names *names, struct name name);
/* Are all names from `first` on different? NAMES_DUPLICATE: *offset is the later one's. */
enum names_result names_check(const struct names *names, size_t first, uint32_t *offset);

#endif
