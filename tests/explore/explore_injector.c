/* Every schedule of small injector programs: each entry leaves exactly once with its payload, also through the
 * overflow list, and a consumer that gives up has a reason (P1 of injector.h). */
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "queue/injector.h"

enum { VALUES = 10 };

static struct cos_injector injector;
static COS_ATOMIC(uint32_t) next[VALUES];
static int payload[VALUES];
static unsigned popped[VALUES];
static unsigned pushed;
static COS_ATOMIC(uint32_t) done_pushing;

static COS_ATOMIC(uint32_t) * link_of(void *ctx, uint32_t v)
{
    (void)ctx;
    return &next[v];
}

static void setup(void)
{
    memset(popped, 0, sizeof popped);
    memset(next, 0, sizeof next);
    pushed = 0;
    done_pushing = 0;
    EX_CHECK(cos_injector_init(&injector, 1, link_of, NULL) == 0); /* two cells: laps, overflow */
    ex_name(&injector.tail, "tail");
    ex_name(&injector.head, "head");
    ex_name(&injector.listed, "listed");
    ex_name(&injector.lock, "lock");
    ex_name(&injector.cell[0], "cell");
    ex_name(&next[0], "next");
    ex_ignore(&injector.list_pushed, sizeof injector.list_pushed);
    ex_ignore(&injector.list_refilled, sizeof injector.list_refilled);
    ex_ignore(&injector.list_popped, sizeof injector.list_popped);
    ex_ignore(next, sizeof next); /* guarded by the lock */
}

static void push(uint32_t v)
{
    ex_data_write(&payload[v]);
    pushed |= 1u << v;
    cos_injector_push(&injector, v);
}

static void got(uint32_t v)
{
    if (v != 0) {
        EX_CHECK(v < VALUES);
        ex_data_read(&payload[v]);
        popped[v]++;
        EX_CHECK(popped[v] == 1);
    }
}

static void pop(void)
{
    got(cos_injector_pop(&injector));
}

static void check(void)
{
    uint32_t v;
    while ((v = cos_injector_pop(&injector)) != 0) {
        popped[v]++;
    }
    for (v = 1; v < VALUES; v++) {
        EX_CHECK(popped[v] == (pushed >> v & 1));
    }
    EX_CHECK(cos_injector_depth(&injector) == 0);
    struct cos_injector_counts counts;
    cos_injector_counts(&injector, &counts);
    EX_CHECK(counts.pushed == (unsigned)__builtin_popcount(pushed) && counts.popped == counts.pushed);
    cos_injector_fini(&injector);
}

static void producer_1(void)
{
    push(1);
}

static void producer_2(void)
{
    push(2);
}

static void producer_12(void)
{
    push(1);
    push(2);
}

static void producer_34(void)
{
    push(3);
    push(4);
}

static void producer_batch(void)
{
    static const uint32_t v[] = {5, 6, 7};
    for (unsigned i = 0; i < 3; i++) {
        ex_data_write(&payload[v[i]]);
        pushed |= 1u << v[i];
    }
    cos_injector_push_batch(&injector, v, 3);
}

static void consumer_batch(void)
{
    uint32_t v[3];
    size_t n = cos_injector_pop_batch(&injector, v, 3);
    EX_CHECK(n <= 3);
    for (size_t i = 0; i < n; i++) {
        EX_CHECK(v[i] != 0);
        got(v[i]);
    }
}

static void consumer_2(void)
{
    pop();
    pop();
}

/* One producer alone: what it pushed before it says so must be found, in order, however full the ring was. */
static void producer_five(void)
{
    for (uint32_t v = 1; v <= 5; v++) {
        push(v);
    }
    cos_atomic_store(&done_pushing, 1, release);
}

static void consumer_alone(void)
{
    uint32_t last = 0;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t all = cos_atomic_load(&done_pushing, acquire);
        uint32_t v = cos_injector_pop(&injector);
        EX_CHECK(!all || v != 0); /* never empty while five were pushed and at most two popped */
        EX_CHECK(v == 0 || v > last);
        last = v != 0 ? v : last;
        got(v);
    }
}

/* The mover's gap: 3 and 4 are in the list before the threads start. While one consumer refills the ring, the other
 * must not find ring and list empty, nor overtake. */
static void setup_listed(void)
{
    setup();
    for (uint32_t v = 1; v <= 4; v++) {
        pushed |= 1u << v;
        cos_injector_push(&injector, v);
    }
    EX_CHECK(injector.listed == 2);
    EX_CHECK(cos_injector_pop(&injector) == 1 && cos_injector_pop(&injector) == 2);
    popped[1] = popped[2] = 1;
}

static void consumer_must(void)
{
    uint32_t v = cos_injector_pop(&injector);
    EX_CHECK(v == 3 || v == 4);
    got(v);
}

static void consumer_must_batch(void)
{
    uint32_t v[1];
    EX_CHECK(cos_injector_pop_batch(&injector, v, 1) == 1 && (v[0] == 3 || v[0] == 4));
    got(v[0]);
}

int main(void)
{
    static const struct ex_program program[] = {
        {"injector 2p 2c", 4, setup, {producer_1, producer_2, pop, pop}, NULL, check, 2, 0},
        {"injector 2p 2c laps", 4, setup, {producer_12, producer_34, pop, pop}, NULL, check, 1, 0},
        {"injector 2p 1c laps", 3, setup, {producer_12, producer_34, consumer_2}, NULL, check, 2, 0},
        {"injector batches", 3, setup, {producer_batch, producer_1, consumer_batch}, NULL, check, 2, 0},
        {"injector batches 2c",
         3,
         setup,
         {producer_batch, consumer_batch, consumer_batch},
         NULL,
         check,
         2,
         0},
        {"injector order", 2, setup, {producer_five, consumer_alone}, NULL, check, 3, 0},
        {"injector refill gap", 2, setup_listed, {consumer_must, consumer_must}, NULL, check, 4, 0},
        {"injector refill gap, batch",
         2,
         setup_listed,
         {consumer_must_batch, consumer_must_batch},
         NULL,
         check,
         4,
         0},
        {"injector refill, producer",
         3,
         setup_listed,
         {consumer_must, consumer_must, producer_batch},
         NULL,
         check,
         2,
         0},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
