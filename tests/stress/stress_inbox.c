/* 1, 2, 4 and 8 producers into one inbox whose drainer sleeps on a futex behind the doorbell: each node comes out once,
 * each producer's in its order, and a lost ring would hang the run. */
#include "arch/futex.h"
#include "base/assert.h"
#include "queue/inbox.h"
#include "queue/parker.h"
#include "stress.h"

struct parcel {
    struct cos_inbox_node node;
    unsigned producer;
    uint32_t number;
    uint64_t secret;
};

static struct cos_inbox inbox;
static struct cos_doorbell bell;
static COS_ATOMIC(uint32_t) eventfd_word;
static struct parcel *parcels;
static uint32_t each;
static unsigned producers;
static uint64_t sleeps;

static void produce(unsigned id)
{
    for (uint32_t i = 0; i < each; i++) {
        struct parcel *p = &parcels[(size_t)id * each + i];
        *p = (struct parcel){.producer = id, .number = i, .secret = i * UINT64_C(77) + id};
        if (cos_inbox_push(&inbox, &p->node) && cos_doorbell_ring_needed(&bell)) {
            cos_atomic_store(&eventfd_word, 1,
                             release); /* release: pairs with the acquire in drain_all */
            (void)cos_futex_wake(&eventfd_word, 1);
        }
    }
}

static void drain_all(void)
{
    uint32_t expected[STRESS_THREADS_MAX] = {0};
    uint64_t left = (uint64_t)each * producers;
    while (left > 0) {
        for (struct cos_inbox_node *n = cos_inbox_drain(&inbox); n != NULL; left--) {
            struct parcel *p = COS_CONTAINER_OF(n, struct parcel, node);
            n = n->next;
            STRESS_CHECK(p->producer < producers && p->number == expected[p->producer]);
            STRESS_CHECK(p->secret == p->number * UINT64_C(77) + p->producer);
            expected[p->producer]++;
        }
        if (left == 0) {
            break;
        }
        cos_doorbell_announce(&bell);
        if (cos_inbox_empty(&inbox)) {
            sleeps++;
            while (cos_atomic_exchange(&eventfd_word, 0, acquire) == 0) {
                (void)cos_futex_wait(&eventfd_word, 0, INT64_MAX);
            }
        }
        cos_doorbell_retract(&bell);
    }
}

static void body(unsigned id)
{
    if (id < producers) {
        produce(id);
    } else {
        drain_all();
    }
}

int main(void)
{
    static const unsigned counts[] = {1, 2, 4, 8};
    uint64_t nodes_total = 0, sleeps_total = 0;
    for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        producers = counts[i];
        each = (uint32_t)stress_scale(2000000) / producers + 1;
        sleeps = 0;
        parcels = calloc((size_t)each * producers, sizeof *parcels);
        STRESS_CHECK(parcels != NULL);
        cos_inbox_init(&inbox);
        cos_doorbell_init(&bell);
        cos_atomic_store(&eventfd_word, 0, relaxed);
        stress_run(producers + 1, body);
        STRESS_CHECK(cos_inbox_empty(&inbox));
        free(parcels);
        printf("inbox: %u producers, %u nodes each, in order; the drainer slept %" PRIu64
               " times\n",
               producers, each, sleeps);
        nodes_total += (uint64_t)each * producers;
        sleeps_total += sleeps;
    }
    printf("FIGURES stress_inbox: producers 1 2 4 8, nodes %" PRIu64 ", sleeps %" PRIu64 "\n",
           nodes_total, sleeps_total);
    return 0;
}
