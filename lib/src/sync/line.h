/* Lines of waiting tasks, for whatever a task waits in line for: one idiom, one copy of it.
 *
 * A line belongs to an object with a small lock, which guards the line and every cell in it. The cell of a waiting task
 * lies on that task's stack. Whoever serves it claims its wait, leaves what it gives and takes the cell out, all under the
 * lock; the waiter takes the lock before it goes on, so its frame is never touched afterwards, and whoever frees the
 * object after its own wait does so when the server has left it (DESIGN D12).
 *
 * A claim that fails means that a deadline, a cancellation or another line (select) was faster: such a cell is passed over. */
#ifndef COS_SYNC_LINE_H
#define COS_SYNC_LINE_H
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/lock.h"
#include "base/list.h"
#include "sched/exec.h"
#include "sched/park.h"

enum cos_cell_state {
    COS_CELL_WAITS,  /* nobody came: time or a cancellation ended the wait */
    COS_CELL_SERVED, /* it got what it waited for, whatever else happened meanwhile */
    COS_CELL_FLUSHED /* there is nothing left to wait for */
};

struct cos_cell {
    struct cos_list link;
    uint64_t ticket; /* of the wait */

    union {
        void *value; /* channels: to copy to (receivers) or from (senders); borrowed until the wait ends */
        uint32_t tag; /* the locks: index of the task that takes it over */
    };
    enum cos_cell_state state;
};

struct cos_line {
    struct cos_list head; /* in order of arrival; zeroed is empty, too */
};

static inline bool cos_line_empty(const struct cos_line *line)
{
    return line->head.next == NULL || cos_list_empty(&line->head);
}

static inline struct cos_cell *cos_line_first(const struct cos_line *line)
{
    return cos_line_empty(line) ? NULL : COS_CONTAINER_OF(line->head.next, struct cos_cell, link);
}

/* The cell's ticket comes from cos_park_begin. */
static inline void cos_line_join(struct cos_line *line, struct cos_cell *cell)
{
    if (line->head.next == NULL) {
        cos_list_init(&line->head);
    }
    cos_list_push_back(&line->head, &cell->link);
}

/* Takes the cell out. True: its wait is ours and its task runnable; it cannot go on before the lock is free. */
static inline bool cos_line_claim(struct cos_cell *cell, enum cos_cell_state state)
{
    __builtin_prefetch(cell->link.next); /* who is served next lies on another stack */
    cos_list_remove(&cell->link);
    if (!cos_wake(cell->ticket, COS_WOKEN)) {
        return false;
    }
    cell->state = state;
    return true;
}

/* The first whose wait could be claimed; NULL: nobody. */
static inline struct cos_cell *cos_line_serve(struct cos_line *line)
{
    struct cos_cell *cell;
    while ((cell = cos_line_first(line)) != NULL) {
        if (cos_line_claim(cell, COS_CELL_SERVED)) {
            return cell;
        }
    }
    return NULL;
}

/* Sends all away. */
static inline void cos_line_flush(struct cos_line *line)
{
    struct cos_cell *cell;
    while ((cell = cos_line_first(line)) != NULL) {
        cos_line_claim(cell, COS_CELL_FLUSHED);
    }
}

/* Serves all, those too whose time is just up: they see it under the lock. Not for cells of a select. */
static inline void cos_line_serve_all(struct cos_line *line)
{
    struct cos_cell *cell;
    while ((cell = cos_line_first(line)) != NULL) {
        cell->state = COS_CELL_SERVED;
        cos_list_remove(&cell->link);
        cos_wake(cell->ticket, COS_WOKEN);
    }
}

/* Waits with a cell that is in line. Entered without the lock, left with it. 0: served; -EPIPE: flushed; -ETIMEDOUT,
 * -ECANCELED. Suspends; may resume on another thread. */
static inline int cos_line_park(struct cos_lock *lock, struct cos_cell *cell, int64_t deadline,
                                unsigned flags)
{
    /* The lock lies in the first eight bytes of each of these objects. */
    uint64_t object = (uintptr_t)lock & ~UINT64_C(7);
    enum cos_cause cause = cos_park_on(object, deadline, flags);
    cos_lock_acquire(lock); /* waits out whoever serves us */
    cos_list_remove(&cell->link);
    if (cell->state == COS_CELL_SERVED) {
        return 0;
    }
    return cell->state == COS_CELL_FLUSHED ? -EPIPE : cos_cause_error(cause);
}

/* Joins and waits, `flags` saying what for (COS_PARK_FOR). Entered and left with the lock held; free in between. */
static inline int cos_line_wait(struct cos_lock *lock, struct cos_line *line, struct cos_cell *cell,
                                int64_t deadline, unsigned flags)
{
    if (deadline == COSCHED_NOW) {
        return -ETIMEDOUT;
    }
    cell->ticket = cos_park_begin();
    cos_line_join(line, cell);
    cos_lock_release(lock);
    return cos_line_park(lock, cell, deadline, flags);
}

/* What every suspending call asks first: 0, -EPERM (no task), -ECANCELED. The running fiber, or NULL, goes to *out. */
static inline int cos_line_enter(struct cos_fiber **out)
{
    struct cos_fiber *f = cos_fiber_current(NULL);
    *out = f;
    if (COS_UNLIKELY(f == NULL)) {
        return -EPERM;
    }
    return COS_UNLIKELY(cos_scope_canceled(f->scope, &f->base->scope)) ? -ECANCELED : 0;
}
#endif
