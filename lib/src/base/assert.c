/* Fatal reports. May run on any stack, a nearly full one included: no stdio, no allocation. */
#include "base/assert.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static struct iovec text(const char *s)
{
    return (struct iovec){.iov_base = (void *)(uintptr_t)s, .iov_len = strlen(s)};
}

void cos_fatal(const char *file, int line, const char *function, const char *what)
{
    char digits[16];
    char *p = digits + sizeof digits - 1;
    *p = '\0';
    unsigned n = line > 0 ? (unsigned)line : 0;
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    struct iovec parts[] = {text("cosched: "), text(file), text(":"),  text(p),   text(": "),
                            text(function),    text(": "), text(what), text("\n")};
    ssize_t ignored = writev(STDERR_FILENO, parts, (int)(sizeof parts / sizeof *parts));
    (void)ignored;
    abort();
}
