/* A runtime whose inline awaits are as a test wants them. */
#ifndef TEST_INLINE_H
#define TEST_INLINE_H
#define RUN_HELP COSCHED_HELP_OFF
#include "run.h"

static inline void run_with(int workers, uint32_t flags, cosched_fn fn, void *arg)
{
    cosched_config config = {.struct_size = sizeof config,
                             .workers = workers,
                             .flags = flags,
                             .main_help = COSCHED_HELP_OFF};
    EXPECT_EQ(run_config(&config, fn, arg), 0);
}

#endif
