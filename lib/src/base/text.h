/* Text in a buffer of fixed size: what does not fit is cut off, and it always ends in a zero. For reports, which must not
 * allocate and may be written on small stacks. */
#ifndef COS_BASE_TEXT_H
#define COS_BASE_TEXT_H
#include <stddef.h>
#include <stdint.h>

struct cos_text {
    char *at; /* borrowed */
    size_t size, used;
};

void cos_text_init(struct cos_text *t, char *buffer, size_t size);
void cos_text_add(struct cos_text *t, const char *s);
void cos_text_number(struct cos_text *t, uint64_t n);
void cos_text_hex(struct cos_text *t, uint64_t n);
void cos_text_duration(struct cos_text *t, int64_t ns); /* 1.234 s */
/* The function an address lies in, as far as the dynamic linker knows it: name+0x1f, file+0x1234, 0x5566…. */
void cos_text_symbol(struct cos_text *t, const void *address);
#endif
