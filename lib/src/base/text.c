/* See text.h. Any thread, any stack. */
#include "base/text.h"

#include <dlfcn.h>
#include <string.h>

void cos_text_init(struct cos_text *t, char *buffer, size_t size)
{
    *t = (struct cos_text){buffer, size, 0};
    buffer[0] = '\0';
}

void cos_text_add(struct cos_text *t, const char *s)
{
    size_t n = strlen(s);
    size_t room = t->size - 1 - t->used;
    n = n < room ? n : room;
    memcpy(t->at + t->used, s, n);
    t->used += n;
    t->at[t->used] = '\0';
}

static void add_number(struct cos_text *t, uint64_t n, unsigned base, int digits_min)
{
    char digits[24];
    char *p = digits + sizeof digits - 1;
    *p = '\0';
    do {
        *--p = "0123456789abcdef"[n % base];
        n /= base;
        digits_min--;
    } while (n != 0 || digits_min > 0);
    cos_text_add(t, p);
}

void cos_text_number(struct cos_text *t, uint64_t n)
{
    add_number(t, n, 10, 1);
}

void cos_text_hex(struct cos_text *t, uint64_t n)
{
    cos_text_add(t, "0x");
    add_number(t, n, 16, 1);
}

void cos_text_duration(struct cos_text *t, int64_t ns)
{
    uint64_t ms = ns > 0 ? (uint64_t)ns / 1000000 : 0;
    add_number(t, ms / 1000, 10, 1);
    cos_text_add(t, ".");
    add_number(t, ms % 1000, 10, 3);
    cos_text_add(t, " s");
}

void cos_text_symbol(struct cos_text *t, const void *address)
{
    Dl_info info;
    if (dladdr(address, &info) == 0) {
        cos_text_hex(t, (uintptr_t)address);
        return;
    }
    const char *base = info.dli_fbase;
    if (info.dli_sname != NULL) {
        cos_text_add(t, info.dli_sname);
        base = info.dli_saddr;
    } else {
        const char *slash = info.dli_fname != NULL ? strrchr(info.dli_fname, '/') : NULL;
        cos_text_add(t, slash != NULL ? slash + 1 : info.dli_fname != NULL ? info.dli_fname : "?");
    }
    if ((const char *)address != base) {
        cos_text_add(t, "+");
        cos_text_hex(t, (uint64_t)((const char *)address - base));
    }
}
