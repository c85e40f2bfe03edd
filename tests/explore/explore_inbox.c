/* Every schedule of small inbox and doorbell programs: each node is drained exactly once, a producer's nodes in its
 * order, exactly one push of each run finds the inbox empty, and the drainer never sleeps over a node. */
#include <string.h>

#include "arch/futex.h"
#include "base/assert.h"
#include "explore.h"
#include "queue/inbox.h"
#include "queue/parker.h"

enum { NODES = 5 };

static struct cos_inbox inbox;
static struct cos_doorbell bell;
static COS_ATOMIC(uint32_t) eventfd_word; /* stands for the eventfd under MAIN's poll */
static struct cos_inbox_node node[NODES];
static unsigned drained[NODES], order[NODES], drained_count, first_pushes, drains, rings, announces;

static void setup(void)
{
    memset(drained, 0, sizeof drained);
    drained_count = first_pushes = drains = rings = announces = 0;
    eventfd_word = 0;
    cos_inbox_init(&inbox);
    cos_doorbell_init(&bell);
    ex_name(&inbox.newest, "newest");
    ex_name(&bell.parked, "bell");
    ex_name(&eventfd_word, "eventfd");
}

static bool push(unsigned i)
{
    ex_data_write(&node[i]);
    bool first = cos_inbox_push(&inbox, &node[i]);
    first_pushes += first;
    return first;
}

static void drain(void)
{
    struct cos_inbox_node *n = cos_inbox_drain(&inbox);
    drains += n != NULL;
    while (n != NULL) {
        struct cos_inbox_node *following = n->next; /* taken before the node is given away */
        unsigned i = (unsigned)(n - node);
        EX_CHECK(i < NODES);
        ex_data_read(n);
        EX_CHECK(drained[i] == 0);
        drained[i] = 1;
        order[i] = drained_count++;
        n = following;
    }
}

static void check(void)
{
    drain();
    EX_CHECK(drained_count == 4 && cos_inbox_empty(&inbox));
    EX_CHECK(order[0] < order[1] && order[2] < order[3]);
    EX_CHECK(first_pushes == drains); /* each drained run was begun by one push on empty */
}

static void producer_a(void)
{
    (void)push(0);
    (void)push(1);
}

static void producer_b(void)
{
    (void)push(2);
    (void)push(3);
}

static void drainer(void)
{
    drain();
    drain();
}

static void ring(void)
{
    cos_atomic_store(&eventfd_word, 1, release);
    (void)cos_futex_wake(&eventfd_word, 1);
}

/* As MAIN is used: the push that found the inbox empty asks the bell, the others ride on it. */
static void ringing_producer(unsigned i)
{
    if (push(i) && cos_doorbell_ring_needed(&bell)) {
        rings++;
        ring();
    }
}

static void ringer_a(void)
{
    ringing_producer(0);
    ringing_producer(1);
}

static void ringer_b(void)
{
    ringing_producer(2);
}

/* The bell alone, asked after every push: one ring per announce. */
static void asker_a(void)
{
    (void)push(0);
    if (cos_doorbell_ring_needed(&bell)) {
        rings++;
        ring();
    }
}

static void asker_b(void)
{
    (void)push(2);
    if (cos_doorbell_ring_needed(&bell)) {
        rings++;
        ring();
    }
}

static void main_loop(unsigned expected)
{
    while (drained_count < expected) {
        drain();
        if (drained_count == expected) {
            break;
        }
        cos_doorbell_announce(&bell);
        announces++;
        if (cos_inbox_empty(&inbox)) {
            while (cos_atomic_load(&eventfd_word, acquire) == 0) {
                (void)cos_futex_wait(&eventfd_word, 0, INT64_MAX);
            }
            (void)cos_atomic_exchange(&eventfd_word, 0, acquire);
        }
        cos_doorbell_retract(&bell);
    }
}

static void main_3(void)
{
    main_loop(3);
}

static void main_2(void)
{
    main_loop(2);
}

static void check_bell(void)
{
    EX_CHECK(rings <= announces);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"inbox 2p", 3, setup, {producer_a, producer_b, drainer}, NULL, check, 3, 0},
        {"doorbell 2p on empty", 3, setup, {ringer_a, ringer_b, main_3}, NULL, check_bell, 2, 0},
        {"doorbell 2p always", 3, setup, {asker_a, asker_b, main_2}, NULL, check_bell, 2, 0},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
