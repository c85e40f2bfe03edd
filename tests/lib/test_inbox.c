/* queue/inbox and the doorbell: order, who owns the wake-up. One thread. */
#include "queue/inbox.h"
#include "queue/parker.h"
#include "suite.h"

START_TEST(drains_in_the_order_of_pushes_and_only_the_first_push_wakes)
{
    struct cos_inbox inbox;
    struct cos_inbox_node node[4];
    cos_inbox_init(&inbox);
    ck_assert(cos_inbox_empty(&inbox));
    ck_assert_ptr_null(cos_inbox_drain(&inbox));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(cos_inbox_push(&inbox, &node[i]), i == 0);
        }
        ck_assert(!cos_inbox_empty(&inbox));
        struct cos_inbox_node *n = cos_inbox_drain(&inbox);
        ck_assert(cos_inbox_empty(&inbox));
        for (int i = 0; i < 4; i++) {
            ck_assert_ptr_eq(n, &node[i]);
            n = n->next;
        }
        ck_assert_ptr_null(n);
    }
}

END_TEST

START_TEST(bell_rings_once_an_announce)
{
    struct cos_doorbell bell;
    cos_doorbell_init(&bell);
    ck_assert(!cos_doorbell_ring_needed(&bell));
    cos_doorbell_announce(&bell);
    ck_assert(cos_doorbell_ring_needed(&bell));
    ck_assert(!cos_doorbell_ring_needed(&bell));
    cos_doorbell_announce(&bell);
    cos_doorbell_retract(&bell);
    ck_assert(!cos_doorbell_ring_needed(&bell));
}

END_TEST

SUITE_MAIN("inbox", drains_in_the_order_of_pushes_and_only_the_first_push_wakes,
           bell_rings_once_an_announce)
