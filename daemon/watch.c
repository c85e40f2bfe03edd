/* watch.c - see watch.h. A chained hash of intrusive nodes: publishing costs one look when nobody watches, and nothing is
 * allocated on the way to a waiter.
 */
#include "watch.h"

#include <errno.h>
#include <stdlib.h>

void watch_init(struct watch *watch)
{
    *watch = (struct watch){NULL, 0, 0};
}

void watch_fini(struct watch *watch)
{
    free(watch->buckets);
    watch_init(watch);
}

static struct watch_node **bucket_of(const struct watch *watch, int64_t id)
{
    uint64_t h = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return &watch->buckets[(size_t)(h >> 32) & (watch->size - 1)];
}

static void link_in(struct watch *watch, struct watch_node *node)
{
    struct watch_node **bucket = bucket_of(watch, node->id);
    node->next = *bucket;
    node->link = bucket;
    if (node->next) {
        node->next->link = &node->next;
    }
    *bucket = node;
}

static int grow(struct watch *watch)
{
    size_t size = watch->size ? watch->size * 2 : 64;
    struct watch_node **old = watch->buckets;
    size_t old_size = watch->size;
    struct watch_node **buckets = calloc(size, sizeof(struct watch_node *));
    if (!buckets) {
        return -ENOMEM;
    }
    watch->buckets = buckets;
    watch->size = size;
    for (size_t i = 0; i < old_size; i++) {
        for (struct watch_node *node = old[i], *next; node; node = next) {
            next = node->next;
            link_in(watch, node);
        }
    }
    free(old);
    return 0;
}

int watch_add(struct watch *watch, struct watch_node *node, int64_t id, unsigned interest,
              struct bell *bell)
{
    *node = (struct watch_node){.id = id, .interest = interest, .bell = bell};
    if (watch->count >= watch->size && grow(watch) < 0) {
        return -ENOMEM;
    }
    link_in(watch, node);
    watch->count++;
    return 0;
}

void watch_remove(struct watch *watch, struct watch_node *node)
{
    if (!node->link) {
        return;
    }
    *node->link = node->next;
    if (node->next) {
        node->next->link = node->link;
    }
    node->link = NULL;
    watch->count--;
}

void watch_publish(struct watch *watch, int64_t id, enum watch_news news, enum job_state state)
{
    if (watch->count == 0) {
        return;
    }
    for (struct watch_node *node = *bucket_of(watch, id); node; node = node->next) {
        if (node->id != id || !(node->interest & (unsigned)news)) {
            continue;
        }
        node->seen |= (unsigned)news;
        if (news == WATCH_ENDED) {
            node->state = state;
        }
        bell_ring(node->bell);
    }
}
