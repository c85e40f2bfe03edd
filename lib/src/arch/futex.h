/* Sleeping on a word, private to the process. */
#ifndef COS_ARCH_FUTEX_H
#define COS_ARCH_FUTEX_H
#include <stdint.h>

#include "base/atomic.h"

/* Sleeps while *word == expected, until a wake or the deadline (CLOCK_MONOTONIC, ns; INT64_MAX is never).
 * 0 after a wake, which may be spurious; -EAGAIN when *word already differed; -ETIMEDOUT; -EINTR. */
int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns);

/* Wakes at most n sleepers; returns how many. The word is not read: it may be gone already. */
int cos_futex_wake(COS_ATOMIC(uint32_t) * word, int n);
#endif
