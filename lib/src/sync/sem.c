/* cosched_sem: a count and a line, one of them empty: a release serves the line first and counts what is left over.
 *
 * Every call takes the lock, also where an atomic count would do: whoever acquires may then free the semaphore at once,
 * because the releaser has let go of it. */
#include <cosched/cosched.h>

#include <string.h>

#include "sync/line.h"

struct sem {
    struct cos_lock lock; /* guards all */
    uint32_t count;
    struct cos_line line;
};

COS_STATIC_ASSERT(sizeof(struct sem) <= sizeof(cosched_sem), "cosched_sem is too small");

static struct sem *sem_of(cosched_sem *s)
{
    return (struct sem *)(void *)s;
}

void cosched_sem_init(cosched_sem *public, uint32_t n)
{
    memset(public, 0, sizeof *public);
    sem_of(public)->count = n;
}

/* Under the lock. */
static bool take(struct sem *s)
{
    if (s->count == 0) {
        return false;
    }
    s->count--;
    return true;
}

int cosched_sem_acquire(cosched_sem *public, int64_t deadline)
{
    struct sem *s = sem_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0) {
        return rc;
    }
    cos_lock_acquire(&s->lock);
    if (!take(s)) {
        struct cos_cell cell = {.tag = 0};
        rc = cos_line_wait(&s->lock, &s->line, &cell, deadline, COS_PARK_FOR(COSCHED_FOR_SEM));
    }
    cos_lock_release(&s->lock);
    return rc;
}

bool cosched_sem_try(cosched_sem *public)
{
    struct sem *s = sem_of(public);
    cos_lock_acquire(&s->lock);
    bool taken = take(s);
    cos_lock_release(&s->lock);
    return taken;
}

void cosched_sem_release(cosched_sem *public, uint32_t n)
{
    struct sem *s = sem_of(public);
    cos_lock_acquire(&s->lock);
    while (n > 0 && cos_line_serve(&s->line) != NULL) {
        n--;
    }
    COS_ASSERT(n <= UINT32_MAX - s->count && "a semaphore counts to 2^32 - 1");
    s->count += n;
    cos_lock_release(&s->lock);
}
