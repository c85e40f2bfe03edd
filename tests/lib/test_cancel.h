/* A task that waits, for tests that cancel it. */
#ifndef TEST_CANCEL_H
#define TEST_CANCEL_H
#include "run.h"

static atomic_int started;

static inline int64_t in_sleep(void *arg)
{
    (void)arg;
    atomic_fetch_add(&started, 1);
    return cosched_sleep_until(cosched_in_ms(600000));
}

#endif
