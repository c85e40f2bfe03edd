/* The injector, as a queue of 32-bit values beside others' queues (internal headers). */
#include <stdbool.h>
#include <stdlib.h>

#include "queue/injector.h"

#define QUEUE_MANY 1

enum { RING_LOG2 = 16 };

static struct cos_injector queue;
static COS_ATOMIC(uint32_t) * links; /* the injector's own, for what the ring does not hold */

struct handle {
    char nothing;
};

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &links[v];
}

static int queue_init(long count)
{
    links = calloc((size_t)count + 1, sizeof *links);
    return links == NULL ? -1 : cos_injector_init(&queue, RING_LOG2, link_of, NULL);
}

static void queue_open(struct handle *h)
{
    (void)h;
}

static bool queue_put(struct handle *h, uint32_t v)
{
    (void)h;
    cos_injector_push(&queue, v);
    return true;
}

static bool queue_take(struct handle *h, uint32_t *v)
{
    (void)h;
    return (*v = cos_injector_pop(&queue)) != 0;
}

static size_t queue_put_many(struct handle *h, const uint32_t *v, size_t n)
{
    (void)h;
    cos_injector_push_batch(&queue, v, n);
    return n;
}

static size_t queue_take_many(struct handle *h, uint32_t *v, size_t n)
{
    (void)h;
    return cos_injector_pop_batch(&queue, v, n);
}

#include "../peers/queue_load.h"
