/* Stands before lib/src on the include path of explorer programs: a futex the explorer can see through. */
#ifndef COS_TESTS_EXPLORE_ARCH_FUTEX_H
#define COS_TESTS_EXPLORE_ARCH_FUTEX_H
#include "base/atomic.h"

int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns);
int cos_futex_wake(COS_ATOMIC(uint32_t) * word, int n);
#endif
