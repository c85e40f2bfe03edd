/* The futex system call. Any thread; errno is read on the line of the call and goes no further. */
#include "arch/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"

int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns)
{
    struct timespec ts = {0};
    const struct timespec *until = NULL;
    if (deadline_ns != INT64_MAX) {
        int64_t ns = deadline_ns > 0 ? deadline_ns : 0;
        ts.tv_sec = (time_t)(ns / COS_NS_PER_S);
        ts.tv_nsec = (long)(ns % COS_NS_PER_S);
        until = &ts;
    }
    /* BITSET takes an absolute time, on the monotonic clock unless told otherwise; plain WAIT a relative one. */
    long rc = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, until,
                      NULL, FUTEX_BITSET_MATCH_ANY);
    int error = rc == 0 ? 0 : -errno;
    COS_ASSERT(error == 0 || error == -EAGAIN || error == -ETIMEDOUT || error == -EINTR);
    return error;
}

int cos_futex_wake(COS_ATOMIC(uint32_t) * word, int n)
{
    long rc = syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, n);
    /* EFAULT: the word's memory was unmapped after the store that freed its waiter. Nobody sleeps there. */
    return rc > 0 ? (int)rc : 0;
}
