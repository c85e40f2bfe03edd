/* The inbox of one executor: any thread pushes, the executor's own thread drains everything at once.
 *
 * A push is one CAS and a drain one exchange, so a producer that stalls in the middle of a push has not pushed
 * yet and holds nobody up (an intrusive Vyukov MPSC list would hide all later entries behind it). The push that
 * found the inbox empty owns the wake-up of the executor: all later ones ride on it.
 *
 * A node belongs to the inbox from push until drain hands it out; the inbox owns no memory. */
#ifndef COS_QUEUE_INBOX_H
#define COS_QUEUE_INBOX_H
#include <stddef.h>

#include "base/assert.h"
#include "base/atomic.h"

struct cos_inbox_node {
    struct cos_inbox_node *next; /* guarded by the inbox while inside, by the drainer after */
};

struct cos_inbox {
    _Alignas(COS_CACHE_LINE) COS_ATOMIC(struct cos_inbox_node *) newest; /* atomic, see below */
};

static inline void cos_inbox_init(struct cos_inbox *inbox)
{
    cos_atomic_init(&inbox->newest, NULL);
}

/* Any thread. True when the inbox was empty: the caller must then see to it that the drainer looks
 * (cos_doorbell_ring_needed or the executor's own wake-up). */
static inline bool cos_inbox_push(struct cos_inbox *inbox, struct cos_inbox_node *node)
{
    /* relaxed: the CAS decides. */
    struct cos_inbox_node *newest = cos_atomic_load(&inbox->newest, relaxed);
    do {
        node->next = newest;
        /* release: pairs with the acquire of the exchange in cos_inbox_drain; publishes node and what it
         * carries. Later pushes are read-modify-writes and so continue this release for their reader. No ABA:
         * an address that comes back means a true statement about the newest node again. */
    } while (!cos_atomic_cas(&inbox->newest, &newest, node, release, relaxed));
    return newest == NULL;
}

/* Any thread; true is only a hint for all but the drainer after its own fence. */
static inline bool cos_inbox_empty(const struct cos_inbox *inbox)
{
    return cos_atomic_load(&inbox->newest, relaxed) == NULL; /* relaxed: nothing is read through it */
}

/* The executor's thread. All entries, oldest first, linked by next; NULL when there are none. */
static inline struct cos_inbox_node *cos_inbox_drain(struct cos_inbox *inbox)
{
    if (cos_inbox_empty(inbox)) {
        return NULL;
    }
    /* acquire: pairs with the release of every push since the last drain. */
    struct cos_inbox_node *node = cos_atomic_exchange(&inbox->newest, NULL, acquire);
    struct cos_inbox_node *oldest = NULL;
    while (node != NULL) {
        struct cos_inbox_node *older = node->next;
        node->next = oldest;
        oldest = node;
        node = older;
    }
    return oldest;
}
#endif
