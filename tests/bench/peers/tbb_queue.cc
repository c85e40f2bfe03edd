// oneTBB's concurrent_queue.
#include <cstddef>
#include <cstdint>
#include <tbb/concurrent_queue.h>

static tbb::concurrent_queue<uint32_t> queue;

struct handle {
};

static int queue_init(long)
{
    return 0;
}

static void queue_open(handle *)
{
}

static bool queue_put(handle *, uint32_t v)
{
    queue.push(v);
    return true;
}

static bool queue_take(handle *, uint32_t *v)
{
    return queue.try_pop(*v);
}

#include "queue_load.h"
