/* See peek.h. */
#include "inspect/peek.h"

#include <sys/uio.h>
#include <unistd.h>

#include "arch/peek.h"

bool cos_peek_find(struct cos_peek *p, const void *address)
{
    const char *at = address;
    return (at >= p->stack.lo && at < p->stack.hi) || cos_stack_find(at, &p->stack);
}

bool cos_peek_stack(struct cos_peek *p, void *to, const void *from, size_t bytes)
{
    if (((uintptr_t)from & 7) != 0 || !cos_peek_find(p, from) ||
        bytes > (size_t)(p->stack.hi - (const char *)from)) {
        return false;
    }
    cos_arch_peek_words(to, from, bytes);
    return true;
}

bool cos_peek(struct cos_peek *p, void *to, const void *from, size_t bytes)
{
    if (from == NULL || ((uintptr_t)from & 7) != 0) {
        return false;
    }
    if (cos_peek_stack(p, to, from, bytes)) {
        return true;
    }
    struct iovec here = {to, bytes}, there = {(void *)(uintptr_t)from, bytes};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes;
}
