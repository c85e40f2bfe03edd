/* userspace-rcu's wait-free concurrent queue; its own lock lets more than one dequeue. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#define _LGPL_SOURCE /* inlined, as its manual recommends */
#include <urcu/wfcqueue.h>

static struct cds_wfcq_head head;
static struct cds_wfcq_tail tail;
static struct cds_wfcq_node *nodes; /* the value is the index */

struct handle {
    char nothing;
};

static int queue_init(long count)
{
    nodes = calloc((size_t)count + 1, sizeof *nodes);
    cds_wfcq_init(&head, &tail);
    return nodes == NULL ? -1 : 0;
}

static void queue_open(struct handle *h)
{
    (void)h;
}

static bool queue_put(struct handle *h, uint32_t v)
{
    (void)h;
    cds_wfcq_node_init(&nodes[v]);
    cds_wfcq_enqueue(&head, &tail, &nodes[v]);
    return true;
}

static bool queue_take(struct handle *h, uint32_t *v)
{
    (void)h;
    struct cds_wfcq_node *node = cds_wfcq_dequeue_blocking(&head, &tail);
    if (node == NULL) {
        return false;
    }
    *v = (uint32_t)(node - nodes);
    return true;
}

#include "queue_load.h"
