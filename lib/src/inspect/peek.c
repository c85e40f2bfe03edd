/* See peek.h. */
#include "inspect/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* Through a pipe: its write answers EFAULT as well. Where a container's rules or an emulator do not have process_vm_readv. */
static bool peek_by_pipe(void *to, const void *from, size_t bytes)
{
    int ends[2];
    if (bytes > PIPE_BUF || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    bool done =
        write(ends[1], from, bytes) == (ssize_t)bytes && read(ends[0], to, bytes) == (ssize_t)bytes;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return done;
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
    ssize_t n = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
    if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
        return peek_by_pipe(to, from, bytes);
    }
    return n == (ssize_t)bytes;
}
