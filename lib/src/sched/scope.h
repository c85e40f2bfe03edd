/* Scopes: the tree along which cancellation flows down.
 *
 *            root ── group (on a stack) ── task ── explicit scope (deadline, shield)
 *              └─ task ── task
 *
 * Each task has one; so has each group, and each cosched_scope_begin block. A scope that nobody has waited in is
 * not linked: a spawn only stores the parent, and the first suspending call of the task links it ("look upward"
 * until then). So short tasks never touch a lock here.
 *
 * Lock order, below a linked scope: parent before child. cancel walks down hand over hand, holding the locks of the
 * path; it needs no memory and no recursion, and enters linked scopes only. Linking goes the other way, child
 * before parent: that is safe because a scope is linked only under its own lock, so while it is held and the scope is
 * not linked, nobody comes down to it. The root's lock comes before all others.
 *
 * Whoever holds the lock of a scope that has a child keeps that scope alive (its task cannot join or detach the child
 * meanwhile), and with it the inline tasks below it on the same stack. The memory of a scope is type-stable
 * (control blocks) or outlives its children by contract (groups), so lock-then-check is sound. */
#ifndef COS_SCHED_SCOPE_H
#define COS_SCHED_SCOPE_H
#include <stdbool.h>
#include <stdint.h>

#include "arch/lock.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/list.h"

enum {
    COS_SCOPE_CANCELED = 1, /* level-triggered: stays until the scope ends */
    COS_SCOPE_SHIELD = 2,   /* const: cancellation from above does not enter */
    COS_SCOPE_LINKED = 4, /* in its parent's list: set under both locks, cleared under the parent's */
    COS_SCOPE_EXPIRED = 8, /* its own deadline passed */
    COS_SCOPE_NODE = 16,   /* const: a counted block of cosched_scope_begin (COS_TASK_SCOPE) */
    COS_SCOPE_ZOMBIES = 32, /* of a task: strangers consumed some of its kids; a hint, may be stray */
    COS_SCOPE_STRANGERS =
        64, /* of a task: somebody who is not its parent wants its handle; see cos_join_stranger */
    COS_SCOPE_PANICKED = 128, /* of a task: it has, and that was reported */
    COS_SCOPE_SWEPT_SHIFT =
        8 /* of a task, from this bit on: the kid that cos_kids_sweep looks at next, 0 the newest */
};

/* Of a task: there may be zombies, or a pass over its kids is under way. */
#define COS_SCOPE_SWEEPS (COS_SCOPE_ZOMBIES | UINT32_MAX << COS_SCOPE_SWEPT_SHIFT)

struct cos_scope {
    struct cos_lock lock;       /* guards children, and their sibling links and LINKED flags */
    COS_ATOMIC(uint32_t) flags; /* COS_SCOPE_…; see scope.c for the orders */
    COS_ATOMIC(struct cos_scope *)
    parent;                            /* changes under the old parent's lock; NULL for the root */
    struct cos_list children, sibling; /* guarded by lock, by the parent's lock */
    COS_ATOMIC(uint64_t)
    ticket; /* of the wait that its task is in, directly in this scope; 0 none */
};

/* What stands for a scope of which nothing is known: it says CANCELED, so that whoever is not sure of the answer asks. */
extern COS_HIDDEN struct cos_scope cos_scope_unknown;

/* Leaves the lock alone: a canceler with a stale handle may hold it for a moment. Fresh memory is zeroed. */
static inline void cos_scope_init(struct cos_scope *s, struct cos_scope *parent, uint32_t flags)
{
    cos_atomic_store(&s->flags, flags, relaxed);
    cos_atomic_store(&s->parent, parent, relaxed);
    cos_list_init(&s->children);
    cos_list_init(&s->sibling);
    cos_atomic_store(&s->ticket, 0, relaxed);
}

/* Makes cancellation from above reach this scope. Any thread, while the scope is alive. Inherits a cancellation. */
void cos_scope_link(struct cos_scope *s);
/* The end of a scope without linked children. Returns the parent it had, for cos_scope_release. */
struct cos_scope *cos_scope_unlink(struct cos_scope *s);
/* Hangs a scope below the root (detach); own: the scope of the calling task, in or below which it hangs. Returns the old
 * parent, for cos_scope_release; NULL: it has ended meanwhile, or hangs there already. The caller holds a right that
 * keeps its memory. */
struct cos_scope *cos_scope_move(struct cos_scope *s, struct cos_scope *own, struct cos_scope *root);

/* Cancels s and everything linked below it that no shield protects; wakes whoever waits there. Any thread. */
void cos_scope_cancel(struct cos_scope *s, uint32_t why);        /* why: 0 or COS_SCOPE_EXPIRED */
void cos_scope_cancel_locked(struct cos_scope *s, uint32_t why); /* under s->lock, which stays held */

/* Ends the protection of a shield, for tasks that outlive its block of code. By its task. */
void cos_scope_lift_shield(struct cos_scope *s);

bool cos_scope_canceled_above(struct cos_scope *s, struct cos_scope *base);

/* Is it cancelled? By the task that stands in it; base: the scope of its fiber's base task. What lies between the two runs on
 * this stack and may be looked at without a lock; from the base on it must be linked, and is then. */
static inline bool cos_scope_canceled(struct cos_scope *s, struct cos_scope *base)
{
    /* acquire: pairs with the release in link_locked; LINKED comes with what was inherited. */
    uint32_t flags = cos_atomic_load(&s->flags, acquire);
    if ((flags & (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD)) != 0) {
        return (flags & COS_SCOPE_CANCELED) != 0;
    }
    return cos_scope_canceled_above(s, base);
}

/* Is it known at once that it is not? */
static inline bool cos_scope_calm(const struct cos_scope *s)
{
    /* acquire: as above. */
    uint32_t flags = cos_atomic_load(&s->flags, acquire) &
                     (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD);
    return flags != 0 && (flags & COS_SCOPE_CANCELED) == 0;
}

/* Before a wait: announce its ticket, so that a cancel finds it. True: cancelled already, do not wait. */
bool cos_scope_watch(struct cos_scope *s, uint64_t ticket);
#endif
