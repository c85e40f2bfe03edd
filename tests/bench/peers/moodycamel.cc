// moodycamel::ConcurrentQueue with its tokens, and in bulk where asked to.
#include <concurrentqueue/concurrentqueue.h>
#include <cstddef>
#include <cstdint>

#define QUEUE_MANY 1

static moodycamel::ConcurrentQueue<uint32_t> queue;

struct handle {
    moodycamel::ProducerToken in{queue};
    moodycamel::ConsumerToken out{queue};
};

static int queue_init(long)
{
    return 0;
}

static void queue_open(handle *)
{
}

static bool queue_put(handle *h, uint32_t v)
{
    return queue.enqueue(h->in, v);
}

static bool queue_take(handle *h, uint32_t *v)
{
    return queue.try_dequeue(h->out, *v);
}

static size_t queue_put_many(handle *h, const uint32_t *v, size_t n)
{
    return queue.enqueue_bulk(h->in, v, n) ? n : 0;
}

static size_t queue_take_many(handle *h, uint32_t *v, size_t n)
{
    return queue.try_dequeue_bulk(h->out, v, n);
}

#include "queue_load.h"
