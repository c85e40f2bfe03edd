/* Each operation of the queues, preempted after each of its instructions by another thread's (support/step.h): nothing is lost,
 * nothing comes twice, nobody stays asleep. Where stepping does not work, the operations still run one after the other. */
#include "queue/deque.h"
#include "queue/inbox.h"
#include "queue/injector.h"
#include "queue/parker.h"
#include "step.h"
#include "suite.h"

enum { VALUES = 64 };

static struct cos_deque deque, stolen;
static struct cos_injector injector;
static COS_ATOMIC(uint32_t) next[VALUES];
static struct cos_parker parker;
static struct cos_inbox inbox;
static struct cos_inbox_node node[2];
static COS_ATOMIC(uint32_t) taken[VALUES]; /* how often each value came out; 0: there was none */
static COS_ATOMIC(uint32_t) pushed;        /* values from 1 to here went in */
static COS_ATOMIC(uint32_t) told;          /* pushes that found the inbox empty */
static bool woke_one, woke_other;

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &next[v];
}

static void take(uint32_t v)
{
    cos_atomic_add(&taken[v], 1, relaxed);
}

static uint32_t fresh(void)
{
    return cos_atomic_add(&pushed, 1, relaxed) + 1;
}

static void begin(void)
{
    for (uint32_t v = 0; v < VALUES; v++) {
        cos_atomic_init(&taken[v], 0);
    }
    cos_atomic_init(&pushed, 0);
    cos_atomic_init(&told, 0);
}

static void all_came_once(void)
{
    for (uint32_t v = 1; v < VALUES; v++) {
        ck_assert_uint_eq(cos_atomic_load(&taken[v], relaxed),
                          v <= cos_atomic_load(&pushed, relaxed) ? 1 : 0);
    }
}

/* One pair, at every place of the first. */
static void everywhere(void (*setup)(void), void (*one)(void), void (*other)(void),
                       bool (*may)(void), void (*check)(void))
{
    bool works = step_works();
    unsigned at = 0;
    bool met;
    do {
        begin();
        setup();
        met = step_run(one, other, may, ++at);
        if (!met) {
            other(); /* after the last */
        }
        check();
    } while (met);
    ck_assert(!works || at > 5);
}

/* --- deque: one is the owner and the other thieves, or the other way round ------------------------------------- */

static void deque_push(void)
{
    (void)cos_deque_push_owner(&deque, fresh());
}

static void deque_with(uint32_t n)
{
    cos_fence_init();
    ck_assert_int_eq(cos_deque_init(&deque, 1), 0);
    ck_assert_int_eq(cos_deque_init(&stolen, 3), 0);
    for (; n > 0; n--) {
        deque_push();
    }
}

static void deque_with_1(void)
{
    deque_with(1);
}

static void deque_with_2(void)
{
    deque_with(2);
}

static void deque_with_5(void)
{
    deque_with(5);
}

static void take_bottom(void)
{
    take(cos_deque_take_bottom_owner(&deque));
}

static void take_newest(void)
{
    if (cos_deque_take_bottom_if_owner(&deque, 2)) {
        take(2);
    }
}

static void take_top(void)
{
    take(cos_deque_take_top_owner(&deque));
}

static void steal(void)
{
    uint32_t v;
    if (cos_deque_steal(&deque, &v) == COS_STEAL_TAKEN) {
        take(v);
    }
}

static void steal_two(void)
{
    steal();
    steal();
}

static void steal_half(void)
{
    take(cos_deque_steal_batch(&deque, &stolen, 8));
}

static void deque_complete(void)
{
    uint32_t v;
    while ((v = cos_deque_take_top_owner(&deque)) != 0) {
        take(v);
    }
    while ((v = cos_deque_take_bottom_owner(&stolen)) != 0) {
        take(v);
    }
    ck_assert_int_eq(cos_deque_size(&deque), 0);
    all_came_once();
    cos_deque_fini(&deque);
    cos_deque_fini(&stolen);
}

static void both(void (*setup)(void), void (*owner)(void), void (*thief)(void))
{
    everywhere(setup, owner, thief, NULL, deque_complete);
    everywhere(setup, thief, owner, NULL, deque_complete);
}

START_TEST(deque_between_owner_and_thief)
{
    both(deque_with_1, take_bottom, steal);
    both(deque_with_1, take_newest, steal);
    both(deque_with_1, take_top, steal);
    both(deque_with_2, take_bottom, steal);
    both(deque_with_2, take_newest, steal);
    both(deque_with_2, take_top, steal);
    both(deque_with_2, deque_push, steal); /* the ring grows */
}

END_TEST

START_TEST(deque_between_thieves)
{
    everywhere(deque_with_1, steal, steal, NULL, deque_complete);
    everywhere(deque_with_5, steal, steal_half, NULL, deque_complete);
    everywhere(deque_with_5, steal, steal_two, NULL, deque_complete);
}

END_TEST

/* The last entry, half of the owner's take of it and the rest after the thief. */
static void first_half(void)
{
    cos_atomic_store(&deque.bottom, 0, release); /* what claim_bottom_owner begins with */
}

static void second_half(void)
{
    int64_t top = cos_atomic_load(&deque.top, relaxed);
    take(cos_deque_claimed_alone_owner(&deque, 0) ? 1 : cos_deque_take_last_owner(&deque, 0, top));
    deque_complete();
}

START_TEST(deque_owner_stalls_in_the_middle_of_a_take)
{
    everywhere(deque_with_1, steal, first_half, NULL, second_half);
}

END_TEST

START_TEST(deque_owner_loses_the_last_entry_that_it_saw)
{
    begin();
    deque_with_1();
    steal(); /* between the owner's look at top, 0, and its CAS */
    ck_assert_uint_eq(cos_deque_take_last_owner(&deque, 0, 0), 0);
    deque_complete();
}

END_TEST

/* --- injector ---------------------------------------------------------------------------------------------- */

static void inject(void)
{
    cos_injector_push(&injector, fresh());
}

static void inject_three(void)
{
    uint32_t v[3];
    for (int i = 0; i < 3; i++) {
        v[i] = fresh();
    }
    cos_injector_push_batch(&injector, v, 3);
}

static void eject(void)
{
    take(cos_injector_pop(&injector));
}

static void eject_three(void)
{
    uint32_t v[3];
    for (size_t n = cos_injector_pop_batch(&injector, v, 3); n > 0; n--) {
        take(v[n - 1]);
    }
}

static void injector_empty(void)
{
    ck_assert_int_eq(cos_injector_init(&injector, 2, link_of, NULL), 0);
}

static void injector_with(uint32_t n)
{
    injector_empty();
    for (; n > 0; n--) {
        inject();
    }
}

static void injector_with_2(void)
{
    injector_with(2);
}

static void injector_full(void)
{
    injector_with(4);
}

static void injector_overflowing(void)
{
    injector_with(6);
}

/* The ring is empty, the list is not. */
static void injector_with_list(void)
{
    injector_with(6);
    for (int i = 0; i < 4; i++) {
        eject();
    }
}

static bool unlocked(void)
{
    return cos_atomic_load(&injector.lock.word, relaxed) == 0;
}

/* A producer that saw the list empty, and comes to the ring only now. */
static bool ring_has_room(void)
{
    uint64_t tail = cos_atomic_load(&injector.tail, relaxed);
    uint64_t word = cos_atomic_load(&injector.cell[tail & injector.mask].word, relaxed);
    return (uint32_t)(word >> 32) == (uint32_t)tail;
}

static void inject_late(void)
{
    uint64_t tail = cos_atomic_add(&injector.tail, 1, relaxed);
    cos_atomic_store(&injector.cell[tail & injector.mask].word,
                     (uint64_t)(uint32_t)(tail + 1) << 32 | fresh(), release);
}

static void eject_two(void)
{
    eject();
    eject();
}

static void injector_complete(void)
{
    for (uint64_t n = cos_injector_depth(&injector); n > 0; n--) {
        eject();
    }
    ck_assert_uint_eq(cos_injector_pop(&injector), 0);
    all_came_once();
    cos_injector_fini(&injector);
}

static void in_state(void (*state)(void), void (*one)(void), void (*other)(void))
{
    everywhere(state, one, other, unlocked, injector_complete);
}

START_TEST(injector_between_producers)
{
    in_state(injector_empty, inject, inject);
    in_state(injector_empty, inject_three, inject);
    in_state(injector_with_2, inject, inject_three);
    in_state(injector_full, inject, inject);
}

END_TEST

START_TEST(injector_between_consumers)
{
    in_state(injector_with_2, eject, eject);
    in_state(injector_with_2, eject_three, eject);
    in_state(injector_with_list, eject, eject); /* the other refills the ring */
    in_state(injector_overflowing, eject_three,
             eject_two); /* … and finds cells that are not free yet */
}

END_TEST

START_TEST(injector_between_producers_and_consumers)
{
    in_state(injector_empty, inject, eject);
    in_state(injector_empty, eject, inject);
    in_state(injector_full, inject, eject);
    in_state(injector_full, eject, inject);
    in_state(injector_overflowing, inject, eject);
    everywhere(injector_with_list, eject, inject_late, ring_has_room, injector_complete);
}

END_TEST

/* --- inbox -------------------------------------------------------------------------------------------------- */

static void inbox_setup(void)
{
    cos_inbox_init(&inbox);
}

static void drop(void)
{
    (void)fresh();
    cos_atomic_add(&told, cos_inbox_push(&inbox, &node[0]), relaxed);
}

static void drop_other(void)
{
    (void)fresh();
    cos_atomic_add(&told, cos_inbox_push(&inbox, &node[1]), relaxed);
}

static void drain(void)
{
    for (struct cos_inbox_node *n = cos_inbox_drain(&inbox); n != NULL; n = n->next) {
        take(1 + (uint32_t)(n - node));
    }
}

static void inbox_complete(void)
{
    drain();
    ck_assert(cos_atomic_load(&told, relaxed) != 0); /* somebody had to tell the drainer */
    ck_assert(cos_inbox_empty(&inbox));
    all_came_once();
}

START_TEST(inbox_between_producers_and_the_drainer)
{
    everywhere(inbox_setup, drop, drop_other, NULL, inbox_complete);
    everywhere(inbox_setup, drop, drain, NULL, inbox_complete);
    everywhere(inbox_setup, drain, drop, NULL, inbox_complete);
}

END_TEST

/* --- parker: worker 0 goes to bed or gets up again, worker 1 searches, the others wake ----------------------- */

static void one_sleeper(void)
{
    cos_fence_init();
    cos_parker_init(&parker, 2);
    cos_parker_prepare(&parker, 0);
    woke_one = woke_other = false;
}

static void wake(void)
{
    woke_one = cos_parker_notify(&parker);
}

static void wake_too(void)
{
    woke_other = cos_parker_notify(&parker);
}

static void wake_after_push(void)
{
    if (cos_parker_pushed(&parker)) {
        (void)cos_parker_notify(&parker);
    }
}

static void get_up(void)
{
    cos_parker_cancel(&parker, 0);
}

static void wake_everybody(void)
{
    cos_parker_wake_all(&parker);
}

static void search(void)
{
    (void)cos_parker_search_begin(&parker);
}

/* Nobody wakes more than one sleeper, and somebody looks for what was pushed. */
static void woken_once(void)
{
    ck_assert(!(woke_one && woke_other));
    ck_assert_uint_eq(cos_atomic_load(&parker.parked, relaxed), 0);
    ck_assert_uint_eq(cos_atomic_load(&parker.searching, relaxed), 1);
    ck_assert_uint_le(cos_atomic_load(&parker.bed[0].wakes_sent, relaxed), 1);
}

static void woken_or_searched_for(void)
{
    uint32_t searching = cos_atomic_load(&parker.searching, relaxed);
    ck_assert_uint_ge(searching, 1);
    ck_assert_uint_le(searching, 2);
    ck_assert(cos_atomic_load(&parker.parked, relaxed) == 0 || !woke_one);
}

static void no_one_left(void)
{
    ck_assert_uint_eq(cos_atomic_load(&parker.parked, relaxed), 0);
    ck_assert_uint_eq(cos_atomic_load(&parker.searching, relaxed), 1);
}

START_TEST(parker_between_wakers_sleepers_and_searchers)
{
    everywhere(one_sleeper, wake, wake_too, NULL, woken_once);
    everywhere(one_sleeper, wake_after_push, wake_too, NULL, woken_once);
    everywhere(one_sleeper, wake, get_up, NULL, woken_once);
    everywhere(one_sleeper, get_up, wake, NULL, woken_once);
    everywhere(one_sleeper, wake, search, NULL, woken_or_searched_for);
    everywhere(one_sleeper, search, wake, NULL, woken_or_searched_for);
    everywhere(one_sleeper, wake_everybody, get_up, NULL, no_one_left);
    everywhere(one_sleeper, get_up, wake_everybody, NULL, no_one_left);
}

END_TEST

SUITE_MAIN("preempted", deque_between_owner_and_thief, deque_between_thieves,
           deque_owner_stalls_in_the_middle_of_a_take, deque_owner_loses_the_last_entry_that_it_saw,
           injector_between_producers, injector_between_consumers,
           injector_between_producers_and_consumers, inbox_between_producers_and_the_drainer,
           parker_between_wakers_sleepers_and_searchers)
