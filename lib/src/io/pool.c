/* See pool.h. */
#include "io/pool.h"

cosched_blocking_class cos_files = {.name = "files", .limit = COS_FILES_MAX};

int64_t cos_pool_run(cosched_fn fn, void *arg, int64_t deadline)
{
    int64_t result = 0;
    int rc = cosched_blocking_in(&cos_files, &result, fn, arg, deadline);
    return rc < 0 ? rc : result;
}
