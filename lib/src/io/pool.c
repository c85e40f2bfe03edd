/* See pool.h. The deadline is that of a scope around the call: it takes a request back that has no thread yet. */
#include "io/pool.h"

#include <errno.h>

#include "io/source.h"

int64_t cos_pool_run(cosched_fn fn, void *arg, int64_t deadline)
{
    int64_t result = 0;
    if (deadline == COSCHED_NEVER) {
        int rc = cosched_blocking(&result, fn, arg);
        return rc < 0 ? rc : result;
    }
    if (cosched_where() == COSCHED_INHERIT) {
        return -EPERM;
    }
    if (cosched_cancelled()) {
        return -ECANCELED;
    }
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    cosched_scope limit;
    int rc = cosched_scope_begin(&limit, deadline, 0);
    if (rc < 0) {
        return rc;
    }
    rc = cosched_blocking(&result, fn, arg);
    if (cosched_scope_end(&limit) && rc == -ECANCELED) {
        rc = -ETIMEDOUT;
    }
    return rc < 0 ? rc : result;
}
