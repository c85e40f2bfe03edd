/* cosched_wait_group: a count and those who wait for its end. Like the semaphore's, every call takes the lock, so that the
 * group may lie on the stack of the waiter. */
#include <cosched/cosched.h>

#include "sync/line.h"

struct wait_group {
    struct cos_lock lock; /* guards all */
    uint32_t pending;
    struct cos_line line;
};

COS_STATIC_ASSERT(sizeof(struct wait_group) <= sizeof(cosched_wait_group),
                  "cosched_wait_group is too small");

static struct wait_group *wait_group_of(cosched_wait_group *g)
{
    return (struct wait_group *)(void *)g;
}

void cosched_wait_group_add(cosched_wait_group *public, uint32_t n)
{
    struct wait_group *g = wait_group_of(public);
    cos_lock_acquire(&g->lock);
    COS_ASSERT(n <= UINT32_MAX - g->pending && "a wait group counts to 2^32 - 1");
    g->pending += n;
    cos_lock_release(&g->lock);
}

void cosched_wait_group_done(cosched_wait_group *public)
{
    struct wait_group *g = wait_group_of(public);
    cos_lock_acquire(&g->lock);
    COS_ASSERT(g->pending > 0 && "done was called more often than add promised");
    if (--g->pending == 0) {
        cos_line_serve_all(&g->line);
    }
    cos_lock_release(&g->lock);
}

int cosched_wait_group_wait(cosched_wait_group *public, int64_t deadline)
{
    struct wait_group *g = wait_group_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0) {
        return rc;
    }
    cos_lock_acquire(&g->lock);
    if (g->pending > 0) {
        struct cos_cell cell = {.tag = 0};
        rc = cos_line_wait(&g->lock, &g->line, &cell, deadline,
                           COS_PARK_FOR(COSCHED_FOR_WAIT_GROUP));
    }
    cos_lock_release(&g->lock);
    return rc;
}
