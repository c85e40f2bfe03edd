/* cosched_barrier: the last of n serves the line. A task that gives up leaves the line under the lock, so `arrived` counts
 * exactly the cells in line; one whose time is up but that is still in line when the last arrives has arrived. */
#include <cosched/cosched.h>

#include <string.h>

#include "sync/line.h"

struct barrier {
    struct cos_lock lock; /* guards line and arrived */
    uint32_t arrived;
    struct cos_line line;
    uint32_t parties; /* const after init */
};

COS_STATIC_ASSERT(sizeof(struct barrier) <= sizeof(cosched_barrier),
                  "cosched_barrier is too small");

static struct barrier *barrier_of(cosched_barrier *b)
{
    return (struct barrier *)(void *)b;
}

int cosched_barrier_init(cosched_barrier *public, uint32_t n)
{
    memset(public, 0, sizeof *public);
    barrier_of(public)->parties = n;
    return n > 0 ? 0 : -EINVAL;
}

int cosched_barrier_wait(cosched_barrier *public, int64_t deadline)
{
    struct barrier *b = barrier_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0) {
        return rc;
    }
    cos_lock_acquire(&b->lock);
    COS_ASSERT(b->arrived < b->parties && "a barrier is initialised");
    if (++b->arrived == b->parties) {
        b->arrived = 0;
        cos_line_serve_all(&b->line);
        rc = 1;
    } else {
        struct cos_cell cell = {.tag = 0};
        rc = cos_line_wait(&b->lock, &b->line, &cell, deadline, COS_PARK_FOR(COSCHED_FOR_BARRIER));
        if (rc < 0) {
            b->arrived--;
        }
    }
    cos_lock_release(&b->lock);
    return rc;
}
