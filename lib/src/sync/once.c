/* cosched_once: FRESH → RUNNING → DONE. Back to FRESH only when fn could not be started; then one of the line tries. */
#include <cosched/cosched.h>

#include "sched/panic.h"
#include "sync/holder.h"
#include "sync/line.h"

enum once_state { FRESH, RUNNING, DONE };

struct once {
    COS_ATOMIC(uint32_t) state; /* enum once_state; written under the lock, DONE is read without */
    struct cos_lock lock;       /* guards line and runner */
    struct cos_line line;
    int64_t result;  /* written by the runner, published by state */
    uint32_t runner; /* while RUNNING: the index of its task */
};

COS_STATIC_ASSERT(sizeof(struct once) <= sizeof(cosched_once), "cosched_once is too small");

static struct once *once_of(cosched_once *o)
{
    return (struct once *)(void *)o;
}

struct run {
    struct cos_unwind unwind; /* first */
    struct once *once;
};

static void finish(struct once *o, int rc, int64_t result)
{
    cos_lock_acquire(&o->lock);
    o->runner = 0;
    o->result = result;
    /* release: pairs with the acquire in cosched_once_run; publishes the result and what fn did. */
    cos_atomic_store(&o->state, rc == 0 ? DONE : FRESH, release);
    if (rc == 0) {
        cos_line_serve_all(&o->line);
    } else {
        cos_line_flush(&o->line);
    }
    cos_lock_release(&o->lock);
}

/* fn has panicked: that is its result. */
static void undo(struct cos_unwind *u)
{
    struct run *run = COS_CONTAINER_OF(u, struct run, unwind);
    cos_unwind_remove(cos_fiber_self(NULL), u);
    finish(run->once, 0, -ENOTRECOVERABLE);
}

/* Runs fn and ends the waiting of the others. */
static int run(struct once *o, cosched_fn fn, void *arg)
{
    struct cos_fiber *f = cos_fiber_self(NULL);
    struct run open = {.once = o};
    int64_t result = 0;
    cos_unwind_push(f, &open.unwind, undo);
    int rc = cosched_call(&result, COSCHED_INHERIT, fn, arg, COSCHED_NEVER);
    cos_unwind_remove(f, &open.unwind);
    finish(o, rc, result);
    return rc;
}

/* Has fn run, or runs it, or waits. -EPIPE: whoever ran it could not start it; look again. */
static int run_or_wait(struct once *o, uint32_t self, cosched_fn fn, void *arg, int64_t deadline)
{
    int rc = 0;
    cos_lock_acquire(&o->lock);
    uint32_t state = cos_atomic_load(&o->state, relaxed); /* under the lock: exact */
    if (state == FRESH) {
        o->runner = self;
        cos_atomic_store(&o->state, RUNNING, relaxed);
        cos_lock_release(&o->lock);
        return run(o, fn, arg);
    }
    if (state == RUNNING) {
        struct cos_cell cell = {.tag = 0};
        rc = o->runner == self ? -EDEADLK
                               : cos_line_wait(&o->lock, &o->line, &cell, deadline,
                                               COS_PARK_FOR(COSCHED_FOR_ONCE));
    }
    cos_lock_release(&o->lock);
    return rc;
}

int cosched_once_run(cosched_once *public, int64_t *result, cosched_fn fn, void *arg,
                     int64_t deadline)
{
    struct once *o = once_of(public);
    struct cos_fiber *f;
    int rc = cos_line_enter(&f);
    if (rc < 0) {
        return rc;
    }
    if (cos_atomic_load(&o->state, acquire) != DONE) { /* pairs with the release in run() */
        do {
            rc = run_or_wait(o, f->current->index, fn, arg, deadline);
        } while (rc == -EPIPE);
    }
    if (rc == 0 && result != NULL) {
        *result = o->result;
    }
    return rc;
}

uint32_t cos_once_holder(const void *copy)
{
    const struct once *o = copy;
    return o->runner;
}
