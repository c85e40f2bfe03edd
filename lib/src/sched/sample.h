/* A measurement in progress: the first slice of a task, in CPU time (help.h). A part of each executor. */
#ifndef COS_SCHED_SAMPLE_H
#define COS_SCHED_SAMPLE_H
#include <cosched/cosched.h>

struct cos_sample { /* owner thread only */
    cosched_fn fn;  /* whose; NULL: none is under way */
    int64_t since;  /* of this thread's CPU clock */
    uint32_t skip;  /* starts until the next one */
};
#endif
