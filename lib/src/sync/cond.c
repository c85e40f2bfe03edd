/* cosched_cond: a line. A waiter joins it while it still holds the mutex, so a signal given under that mutex finds it. */
#include "sync/line.h"
#include "sync/mutex.h"

struct cond {
    struct cos_lock lock; /* guards the line */
    struct cos_line line;
};

COS_STATIC_ASSERT(sizeof(struct cond) <= sizeof(cosched_cond), "cosched_cond is too small");

static struct cond *cond_of(cosched_cond *c)
{
    return (struct cond *)(void *)c;
}

int cosched_cond_wait(cosched_cond *public, cosched_mutex *m, int64_t deadline)
{
    struct cond *c = cond_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc == -EPERM) {
        return rc;
    }
    COS_ASSERT(cos_mutex_mine(m) && "a condition is waited for with its mutex locked");
    if (rc < 0 || deadline == COSCHED_NOW) {
        return rc < 0 ? rc : -ETIMEDOUT;
    }
    struct cos_cell cell = {.ticket = cos_park_begin()};
    cos_lock_acquire(&c->lock);
    cos_line_join(&c->line, &cell);
    cos_lock_release(&c->lock);
    cosched_mutex_unlock(m); /* from here on a signal may be faster than the park */
    rc = cos_line_park(&c->lock, &cell, deadline, COS_PARK_FOR(COSCHED_FOR_COND));
    cos_lock_release(&c->lock);
    cos_mutex_lock_always(m);
    return rc;
}

void cosched_cond_signal(cosched_cond *public)
{
    struct cond *c = cond_of(public);
    cos_lock_acquire(&c->lock);
    (void)cos_line_serve(&c->line);
    cos_lock_release(&c->lock);
}

void cosched_cond_broadcast(cosched_cond *public)
{
    struct cond *c = cond_of(public);
    cos_lock_acquire(&c->lock);
    cos_line_serve_all(&c->line);
    cos_lock_release(&c->lock);
}
