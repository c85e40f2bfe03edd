/* The tree of scopes. Called from any thread; never suspends, never allocates. */
#include "sched/scope.h"

#include "base/assert.h"
#include "sched/park.h"

#define UNLINKED_MAX \
    8 /* inline tasks in a row that look upward; then one is linked, so that looking stays short */

struct cos_scope cos_scope_unknown = {.flags = COS_SCOPE_CANCELED};

/* Locks the parent of s. The parent may change until its lock is held (detach moves a task to the root). */
static struct cos_scope *lock_parent(struct cos_scope *s)
{
    for (;;) {
        /* acquire: pairs with the release in cos_scope_move; the new parent is initialised. */
        struct cos_scope *p = cos_atomic_load(&s->parent, acquire);
        if (p == NULL) {
            return NULL;
        }
        cos_lock_acquire(&p->lock);
        if (cos_atomic_load(&s->parent, relaxed) == p) {
            return p;
        }
        cos_lock_release(&p->lock);
    }
}

/* Sets the flag and wakes the wait that was announced. Under s's lock. seq_cst on both sides: this is the
 * store-load handshake with cos_scope_watch (flag then ticket here, ticket then flag there). */
static void mark(struct cos_scope *s, uint32_t why)
{
    cos_atomic_or(&s->flags, COS_SCOPE_CANCELED | why, seq_cst);
    uint64_t ticket = cos_atomic_load(&s->ticket, seq_cst);
    if (ticket != 0) {
        cos_wake(ticket, COS_CANCELED);
    }
}

static bool linked(const struct cos_scope *s)
{
    /* acquire: pairs with the release in link_locked. No parent: the root. */
    return cos_atomic_load(&s->parent, acquire) == NULL ||
           (cos_atomic_load(&s->flags, acquire) & COS_SCOPE_LINKED) != 0;
}

/* Under the locks of both; p is linked. */
static void link_to(struct cos_scope *p, struct cos_scope *s)
{
    cos_list_push_back(&p->children, &s->sibling);
    bool shield = (cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_SHIELD) != 0;
    bool inherit = !shield && (cos_atomic_load(&p->flags, relaxed) & COS_SCOPE_CANCELED) != 0;
    /* release: pairs with the acquires in linked() and cos_scope_canceled. */
    cos_atomic_or(&s->flags, COS_SCOPE_LINKED | (inherit ? COS_SCOPE_CANCELED : 0U), release);
}

/* Under s's lock; s is not linked. Upward to one that is, locking each, then down again. What is not linked belongs to tasks that run
 * right now, inline in one another, as many as there are; the way back stands in their sibling links, which are nobody's yet. */
static void link_locked(struct cos_scope *s)
{
    struct cos_scope *at = s;
    struct cos_scope *p = lock_parent(at);
    while (p != NULL && !linked(p)) {
        p->sibling.prev = &at->sibling;
        at = p;
        p = lock_parent(at);
    }
    while (p != NULL) {
        struct cos_list *below = at->sibling.prev;
        link_to(p, at);
        cos_lock_release(&p->lock);
        if (at == s) {
            return;
        }
        p = at;
        at = COS_CONTAINER_OF(below, struct cos_scope, sibling);
    }
}

void cos_scope_link(struct cos_scope *s)
{
    if (linked(s)) {
        return;
    }
    cos_lock_acquire(&s->lock);
    if (!linked(s)) {
        link_locked(s);
    }
    cos_lock_release(&s->lock);
}

struct cos_scope *cos_scope_unlink(struct cos_scope *s)
{
    if ((cos_atomic_load(&s->flags, acquire) & COS_SCOPE_LINKED) == 0) {
        /* Nobody links it any more; a detach may still move it. acq_rel: pairs with the CAS in cos_scope_move; one of
         * us gets the old parent. */
        return cos_atomic_exchange(&s->parent, NULL, acq_rel);
    }
    struct cos_scope *p = lock_parent(s);
    cos_list_remove(&s->sibling);
    cos_atomic_and(&s->flags, ~(uint32_t)COS_SCOPE_LINKED, relaxed); /* guarded by p's lock */
    cos_atomic_store(&s->parent, NULL, relaxed);                     /* the same */
    cos_lock_release(&p->lock);
    return p;
}

struct cos_scope *cos_scope_move(struct cos_scope *s, struct cos_scope *own, struct cos_scope *root)
{
    struct cos_scope *p = cos_atomic_load(&s->parent, acquire);
    if (p == NULL || p == root) { /* it has ended, or an earlier attempt moved it */
        return NULL;
    }
    /* The parent is the caller's own scope, or a block inside it, and blocks are linked. Once a scope is linked nobody who
     * holds its lock goes upward, so it may be taken below root. */
    cos_scope_link(own);
    cos_lock_acquire(&root->lock);
    p = lock_parent(s);
    if (p == NULL) { /* it has ended meanwhile */
        cos_lock_release(&root->lock);
        return NULL;
    }
    struct cos_scope *old = p;
    /* acq_rel: pairs with the acquire in lock_parent and the exchange in cos_scope_unlink. */
    bool moved = cos_atomic_cas(&s->parent, &old, root, acq_rel, relaxed);
    if (moved && (cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_LINKED) != 0) {
        cos_list_remove(&s->sibling);
        cos_list_push_back(&root->children, &s->sibling);
        if ((cos_atomic_load(&root->flags, relaxed) & COS_SCOPE_CANCELED) != 0) {
            cos_scope_cancel(s, 0);
        }
    }
    cos_lock_release(&p->lock);
    cos_lock_release(&root->lock);
    return moved ? p : NULL;
}

void cos_scope_lift_shield(struct cos_scope *s)
{
    struct cos_scope *p = lock_parent(s);
    cos_atomic_and(&s->flags, ~(uint32_t)COS_SCOPE_SHIELD, relaxed); /* guarded by p's lock */
    if ((cos_atomic_load(&p->flags, relaxed) & COS_SCOPE_CANCELED) != 0) {
        cos_scope_cancel(s, 0);
    }
    cos_lock_release(&p->lock);
}

/* The next child at or after `node` that a cancellation enters. Under p's lock. */
static struct cos_scope *next_open(struct cos_scope *p, struct cos_list *node)
{
    for (; node != &p->children; node = node->next) {
        struct cos_scope *child = COS_CONTAINER_OF(node, struct cos_scope, sibling);
        if ((cos_atomic_load(&child->flags, relaxed) & (COS_SCOPE_CANCELED | COS_SCOPE_SHIELD)) ==
            0) {
            return child;
        }
    }
    return NULL;
}

void cos_scope_cancel_locked(struct cos_scope *s, uint32_t why)
{
    mark(s, why);
    struct cos_scope *at = s;
    struct cos_scope *child = next_open(at, at->children.next);
    for (;;) {
        if (child != NULL) {
            cos_lock_acquire(&child->lock);
            mark(child, 0);
            at = child;
            child = next_open(at, at->children.next);
            continue;
        }
        if (at == s) {
            return;
        }
        struct cos_scope *done = at;
        at = cos_atomic_load(&done->parent, relaxed); /* its lock is held: stable */
        struct cos_list *after = done->sibling.next;
        cos_lock_release(&done->lock);
        child = next_open(at, after);
    }
}

void cos_scope_cancel(struct cos_scope *s, uint32_t why)
{
    cos_lock_acquire(&s->lock);
    cos_scope_cancel_locked(s, why);
    cos_lock_release(&s->lock);
}

bool cos_scope_canceled_above(struct cos_scope *s, struct cos_scope *base)
{
    struct cos_scope *at = s;
    for (unsigned n = 0; at != base && n < UNLINKED_MAX; n++) {
        at = cos_atomic_load(&at->parent,
                             relaxed); /* made by this task: an inline task's or a block's */
        uint32_t flags = cos_atomic_load(&at->flags, acquire); /* pairs with link_locked */
        if ((flags & (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD)) != 0) {
            return (flags & COS_SCOPE_CANCELED) != 0;
        }
    }
    cos_scope_link(at);
    return (cos_atomic_load(&at->flags, acquire) & COS_SCOPE_CANCELED) != 0;
}

bool cos_scope_watch(struct cos_scope *s, uint64_t ticket)
{
    cos_scope_link(s);
    /* seq_cst exchange, then seq_cst load: the other half of the handshake in mark(). */
    (void)cos_atomic_exchange(&s->ticket, ticket, seq_cst);
    return (cos_atomic_load(&s->flags, seq_cst) & COS_SCOPE_CANCELED) != 0;
}
