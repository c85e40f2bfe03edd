/* The tree of scopes. Called from any thread; never suspends, never allocates. */
#include "sched/scope.h"

#include "base/assert.h"
#include "sched/park.h"

#define LINK_DEPTH 32

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

static void link_one(struct cos_scope *s)
{
    struct cos_scope *p = lock_parent(s);
    if (p == NULL) {
        return;
    }
    uint32_t flags = cos_atomic_load(&s->flags, relaxed);
    if ((flags & COS_SCOPE_LINKED) == 0) {
        cos_list_push_back(&p->children, &s->sibling);
        bool inherit = (cos_atomic_load(&p->flags, relaxed) & COS_SCOPE_CANCELED) != 0 && (flags & COS_SCOPE_SHIELD) == 0;
        /* release: pairs with the acquire in linked(); whoever sees LINKED sees an inherited cancellation. */
        cos_atomic_or(&s->flags, COS_SCOPE_LINKED | (inherit ? COS_SCOPE_CANCELED : 0U), release);
    }
    cos_lock_release(&p->lock);
}

static bool linked(const struct cos_scope *s)
{
    return cos_atomic_load(&s->parent, acquire) == NULL || (cos_atomic_load(&s->flags, acquire) & COS_SCOPE_LINKED) != 0;
}

/* From the top down: a link is worth something only when the parent is linked too. */
void cos_scope_link(struct cos_scope *s)
{
    while (!linked(s)) {
        struct cos_scope *path[LINK_DEPTH];
        unsigned n = 0;
        /* A longer unlinked path is done in pieces, the top piece first: keep the last LINK_DEPTH seen. */
        for (struct cos_scope *up = s; up != NULL && !linked(up); up = cos_atomic_load(&up->parent, acquire)) {
            path[n++ % LINK_DEPTH] = up;
        }
        for (unsigned k = n < LINK_DEPTH ? n : LINK_DEPTH; k > 0; k--) {
            link_one(path[--n % LINK_DEPTH]);
        }
    }
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
    p = cos_atomic_exchange(&s->parent, NULL, acq_rel);
    cos_lock_release(&p->lock);
    return p;
}

struct cos_scope *cos_scope_move(struct cos_scope *s, struct cos_scope *to)
{
    struct cos_scope *p = lock_parent(s);
    if (p == NULL) {
        return NULL; /* it has ended */
    }
    bool was_linked = (cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_LINKED) != 0;
    if (was_linked) {
        cos_list_remove(&s->sibling);
        cos_atomic_and(&s->flags, ~(uint32_t)COS_SCOPE_LINKED, relaxed);
    }
    struct cos_scope *old = p;
    /* acq_rel: pairs with the acquire in lock_parent and the exchange in cos_scope_unlink. */
    bool moved = cos_atomic_cas(&s->parent, &old, to, acq_rel, relaxed);
    cos_lock_release(&p->lock);
    if (!moved) {
        return NULL;
    }
    if (was_linked) {
        cos_scope_link(s);
        if (cos_scope_canceled(s)) { /* the new parent was cancelled while s stood nowhere */
            cos_scope_cancel(s, 0);
        }
    }
    return p;
}

/* The next child at or after `node` that a cancellation enters. Under p's lock. */
static struct cos_scope *next_open(struct cos_scope *p, struct cos_list *node)
{
    for (; node != &p->children; node = node->next) {
        struct cos_scope *child = COS_CONTAINER_OF(node, struct cos_scope, sibling);
        if ((cos_atomic_load(&child->flags, relaxed) & (COS_SCOPE_CANCELED | COS_SCOPE_SHIELD)) == 0) {
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

bool cos_scope_canceled_above(const struct cos_scope *s)
{
    /* acquire: pairs with the release of whoever made or moved s. */
    while ((s = cos_atomic_load(&s->parent, acquire)) != NULL) {
        uint32_t flags = cos_atomic_load(&s->flags, acquire);
        if ((flags & (COS_SCOPE_CANCELED | COS_SCOPE_LINKED | COS_SCOPE_SHIELD)) != 0) {
            return (flags & COS_SCOPE_CANCELED) != 0;
        }
    }
    return false;
}

bool cos_scope_watch(struct cos_scope *s, uint64_t ticket)
{
    cos_scope_link(s);
    /* seq_cst exchange, then seq_cst load: the other half of the handshake in mark(). */
    (void)cos_atomic_exchange(&s->ticket, ticket, seq_cst);
    return (cos_atomic_load(&s->flags, seq_cst) & COS_SCOPE_CANCELED) != 0;
}
