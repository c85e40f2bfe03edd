/* Concurrency Kit's ring, for many producers and consumers. */
#include <ck_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { RING = 1 << 16 };

static _Alignas(128) ck_ring_t ring;
static ck_ring_buffer_t *buffer;

struct handle {
    char nothing;
};

static int queue_init(long count)
{
    (void)count;
    buffer = calloc(RING, sizeof *buffer);
    ck_ring_init(&ring, RING);
    return buffer == NULL ? -1 : 0;
}

static void queue_open(struct handle *h)
{
    (void)h;
}

static bool queue_put(struct handle *h, uint32_t v)
{
    (void)h;
    return ck_ring_enqueue_mpmc(&ring, buffer, (void *)(uintptr_t)v);
}

static bool queue_take(struct handle *h, uint32_t *v)
{
    (void)h;
    void *got;
    if (!ck_ring_dequeue_mpmc(&ring, buffer, &got)) {
        return false;
    }
    *v = (uint32_t)(uintptr_t)got;
    return true;
}

#include "queue_load.h"
