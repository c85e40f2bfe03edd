/* cosched_rwlock: one line for both kinds, in order of arrival. A reader that finds a line joins it, so writers are not
 * starved; a writer that leaves lets in all readers up to the next writer, so readers are not either.
 *
 * Whoever gives up its place must look at the line again: readers behind a writer may come in now. */
#include <cosched/cosched.h>

#include "sync/holder.h"
#include "sync/line.h"

enum { READER = 0 }; /* tag of a cell; a writer's is the index of its task, which is not 0 */

struct rwlock {
    struct cos_lock lock; /* guards all */
    uint32_t readers;     /* inside; 0 while a writer is */
    struct cos_line line;
    uint32_t writer; /* inside: the index of its task; else 0 */
};

COS_STATIC_ASSERT(sizeof(struct rwlock) <= sizeof(cosched_rwlock), "cosched_rwlock is too small");

static struct rwlock *rwlock_of(cosched_rwlock *l)
{
    return (struct rwlock *)(void *)l;
}

/* Under the lock, as all below. */
static bool admits(const struct rwlock *l, uint32_t tag)
{
    return l->writer == 0 && (tag == READER || l->readers == 0);
}

static void enter(struct rwlock *l, uint32_t tag)
{
    if (tag == READER) {
        l->readers++;
    } else {
        l->writer = tag;
    }
}

static void admit(struct rwlock *l)
{
    struct cos_cell *cell;
    while ((cell = cos_line_first(&l->line)) != NULL && admits(l, cell->tag)) {
        if (cos_line_claim(cell, COS_CELL_SERVED)) {
            enter(l, cell->tag);
        }
    }
}

static bool try_enter(struct rwlock *l, uint32_t tag)
{
    if (!cos_line_empty(&l->line) || !admits(l, tag)) {
        return false;
    }
    enter(l, tag);
    return true;
}

static int lock_as(struct rwlock *l, uint32_t self, uint32_t tag, int64_t deadline)
{
    int rc = 0;
    cos_lock_acquire(&l->lock);
    if (l->writer == self) {
        rc = -EDEADLK;
    } else if (!try_enter(l, tag)) {
        struct cos_cell cell = {.tag = tag};
        rc = cos_line_wait(
            &l->lock, &l->line, &cell, deadline,
            COS_PARK_FOR(tag == READER ? COSCHED_FOR_READ_LOCK : COSCHED_FOR_WRITE_LOCK));
        if (rc < 0) {
            admit(l);
        }
    }
    cos_lock_release(&l->lock);
    return rc;
}

int cosched_rwlock_read_lock(cosched_rwlock *l, int64_t deadline)
{
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    return rc < 0 ? rc : lock_as(rwlock_of(l), f->current->index, READER, deadline);
}

int cosched_rwlock_write_lock(cosched_rwlock *l, int64_t deadline)
{
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    return rc < 0 ? rc : lock_as(rwlock_of(l), f->current->index, f->current->index, deadline);
}

static bool try_as(struct rwlock *l, uint32_t tag)
{
    cos_lock_acquire(&l->lock);
    bool inside = try_enter(l, tag);
    cos_lock_release(&l->lock);
    return inside;
}

bool cosched_rwlock_read_try(cosched_rwlock *l)
{
    return cos_fiber_current(NULL) != NULL && try_as(rwlock_of(l), READER);
}

bool cosched_rwlock_write_try(cosched_rwlock *l)
{
    const struct cos_fiber *f = cos_fiber_current(NULL);
    return f != NULL && try_as(rwlock_of(l), f->current->index);
}

void cosched_rwlock_read_unlock(cosched_rwlock *public)
{
    struct rwlock *l = rwlock_of(public);
    cos_lock_acquire(&l->lock);
    COS_ASSERT(l->readers > 0 && "a reader unlocks what it has locked");
    l->readers--;
    admit(l);
    cos_lock_release(&l->lock);
}

void cosched_rwlock_write_unlock(cosched_rwlock *public)
{
    struct rwlock *l = rwlock_of(public);
    const struct cos_fiber *f = cos_fiber_current(NULL);
    cos_lock_acquire(&l->lock);
    COS_ASSERT(f != NULL && l->writer == f->current->index && "a writer unlocks what it has locked");
    l->writer = 0;
    admit(l);
    cos_lock_release(&l->lock);
}

uint32_t cos_rwlock_holder(const void *copy)
{
    const struct rwlock *l = copy;
    return l->writer;
}
