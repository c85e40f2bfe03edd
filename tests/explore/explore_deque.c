/* Every schedule of small deque programs: each entry leaves exactly once, with its payload, whoever takes it. */
#include <string.h>

#include "base/assert.h"
#include "explore.h"
#include "queue/deque.h"

enum { VALUES = 8 };

static struct cos_deque deque, second;
static int payload[VALUES];    /* written before the push, read by whoever takes */
static unsigned taken[VALUES]; /* counted by the engine's own sequence */
static unsigned pushed;

static void take(uint32_t v)
{
    if (v != 0) {
        EX_CHECK(v < VALUES);
        ex_data_read(&payload[v]);
        taken[v]++;
        EX_CHECK(taken[v] == 1);
    }
}

static void push(uint32_t v)
{
    ex_data_write(&payload[v]);
    pushed |= 1u << v;
    EX_CHECK(cos_deque_push_owner(&deque, v) == 0);
}

static void watch(struct cos_deque *d, unsigned owner, const char *top, const char *bottom,
                  const char *cells)
{
    ex_name(&d->top, top);
    ex_name(&d->thieves, "thieves");
    ex_name(&d->bottom, bottom);
    ex_name(&d->ring->cell[0], cells);
    ex_single_writer(&d->bottom, sizeof d->bottom, owner);
    ex_single_writer(&d->ring, sizeof d->ring, owner);
    ex_single_writer(
        d->ring, sizeof *d->ring + (size_t)(d->ring->mask + 1) * sizeof d->ring->cell[0], owner);
}

static void setup_of(uint32_t capacity_log2)
{
    memset(taken, 0, sizeof taken);
    pushed = 0;
    EX_CHECK(cos_deque_init(&deque, capacity_log2) == 0);
    watch(&deque, 0, "top", "bottom", "cell");
}

static void setup_4(void)
{
    setup_of(2);
}

static void setup_2(void)
{
    setup_of(1);
}

static void setup_batch(void)
{
    setup_of(2);
    EX_CHECK(cos_deque_init(&second, 2) == 0);
    watch(&second, 1, "thief's top", "thief's bottom", "thief's cell");
}

/* What is left in the deque counts as taken once; nothing may be missing. */
static void check(void)
{
    uint32_t v;
    while ((v = cos_deque_take_top_owner(&deque)) != 0) {
        taken[v]++;
    }
    while (second.ring != NULL && (v = cos_deque_take_top_owner(&second)) != 0) {
        taken[v]++;
    }
    for (v = 1; v < VALUES; v++) {
        EX_CHECK(taken[v] == (pushed >> v & 1));
    }
    cos_deque_fini(&deque);
    cos_deque_fini(&second);
}

static void thief(void)
{
    uint32_t v = 0;
    if (cos_deque_steal(&deque, &v) == COS_STEAL_TAKEN) {
        EX_CHECK(v != 0);
        take(v);
    }
}

static void thief_twice(void)
{
    thief();
    thief();
}

/* The classic: two pushed, two taken at the bottom, against two thieves. */
static void owner_bottom(void)
{
    push(1);
    push(2);
    take(cos_deque_take_bottom_owner(&deque));
    take(cos_deque_take_bottom_owner(&deque));
}

/* Push and take in turns: bottom comes back to positions that thieves have read. */
static void owner_turns(void)
{
    push(1);
    take(cos_deque_take_bottom_owner(&deque));
    push(2);
    push(3);
    take(cos_deque_take_bottom_owner(&deque));
}

/* The fair end: the owner competes at the top, then looks at the bottom again. */
static void owner_top(void)
{
    push(1);
    push(2);
    take(cos_deque_take_top_owner(&deque));
    take(cos_deque_take_bottom_owner(&deque));
}

/* The claim of await: exactly this entry or nothing. */
static void owner_claim(void)
{
    push(1);
    push(2);
    EX_CHECK(!cos_deque_take_bottom_if_owner(&deque, 1));
    if (cos_deque_take_bottom_if_owner(&deque, 2)) {
        take(2);
    }
    if (cos_deque_take_bottom_if_owner(&deque, 1)) {
        take(1);
    }
}

/* The claim of a plain await: it looks at the newest cell alone, whatever top says, so the deque may be empty by then. */
static bool claim_plainly(uint32_t v)
{
    int64_t b = cos_atomic_load(&deque.bottom, relaxed) - 1;
    return cos_deque_newest_was_owner(&deque, v) &&
           (cos_deque_claim_alone_free_owner(&deque, b) ||
            cos_deque_take_last_owner(&deque, b, cos_atomic_load(&deque.top, relaxed)) != 0);
}

static void owner_claim_plainly(void)
{
    push(1);
    push(2);
    EX_CHECK(!claim_plainly(1));
    for (uint32_t v = 2; v > 0; v--) {
        if (claim_plainly(v)) {
            take(v);
        }
    }
    push(3); /* bottom is where it was, or this one is lost */
}

/* A position given out twice: pushed, taken, pushed again. A thief that looked at it between must not mix the two. */
static void owner_replace(void)
{
    push(1);
    push(2);
    take(cos_deque_take_bottom_owner(&deque));
    push(3);
}

/* The same, and a take over the new entry: it must pass the new entry's release on. */
static void owner_replace_take(void)
{
    push(1);
    push(2);
    take(cos_deque_take_bottom_owner(&deque));
    push(3);
    push(4);
    take(cos_deque_take_bottom_owner(&deque));
}

/* Capacity 2: the third push grows unless a thief made room. */
static void owner_growth(void)
{
    push(1);
    push(2);
    push(3);
    take(cos_deque_take_top_owner(&deque));
    push(4);
    take(cos_deque_take_bottom_owner(&deque));
}

static void owner_growth_only(void)
{
    push(1);
    push(2);
    push(3);
}

/* Capacity 2: the cell of the first entry is reused under the thieves' eyes, then the ring is full. */
static void owner_reuse(void)
{
    push(1);
    take(cos_deque_take_top_owner(&deque));
    push(2);
    push(3);
    push(4);
}

/* The last entry twice, without a compare-and-swap when no thief is in sight. */
static void owner_last(void)
{
    push(1);
    take(cos_deque_take_bottom_owner(&deque));
    push(2);
    take(cos_deque_take_bottom_owner(&deque));
}

static void owner_three(void)
{
    push(1);
    push(2);
    push(3);
    take(cos_deque_take_bottom_owner(&deque));
    take(cos_deque_take_bottom_owner(&deque));
}

static void thief_batch(void)
{
    take(cos_deque_steal_batch(&deque, &second, 3));
    take(cos_deque_take_bottom_owner(&second));
}

int main(void)
{
    static const struct ex_program program[] = {
        {"deque bottom, two thieves", 3, setup_4, {owner_bottom, thief, thief}, NULL, check, 3, 0},
        {"deque turns, two thieves", 3, setup_4, {owner_turns, thief, thief}, NULL, check, 2, 0},
        {"deque turns, one thief", 2, setup_4, {owner_turns, thief_twice}, NULL, check, 4, 0},
        {"deque top, two thieves", 3, setup_4, {owner_top, thief, thief}, NULL, check, 3, 0},
        {"deque claim, two thieves", 3, setup_4, {owner_claim, thief, thief}, NULL, check, 3, 0},
        {"deque plain claim, two thieves",
         3,
         setup_4,
         {owner_claim_plainly, thief, thief},
         NULL,
         check,
         3,
         0},
        {"deque plain claim, one thief",
         2,
         setup_4,
         {owner_claim_plainly, thief_twice},
         NULL,
         check,
         4,
         0},
        {"deque replace, two thieves", 3, setup_4, {owner_replace, thief, thief}, NULL, check, 3, 0},
        {"deque replace, take", 3, setup_4, {owner_replace_take, thief, thief}, NULL, check, 3, 0},
        {"deque last, two thieves", 3, setup_4, {owner_last, thief, thief}, NULL, check, 2, 0},
        {"deque last, one thief", 2, setup_4, {owner_last, thief_twice}, NULL, check, 4, 0},
        {"deque growth, two thieves", 3, setup_2, {owner_growth, thief, thief}, NULL, check, 2, 0},
        {"deque growth, one thief", 2, setup_2, {owner_growth_only, thief_twice}, NULL, check, 4, 0},
        {"deque reuse, two thieves", 3, setup_2, {owner_reuse, thief, thief}, NULL, check, 2, 0},
        {"deque batch", 2, setup_batch, {owner_three, thief_batch}, NULL, check, 4, 0},
        {"deque batch and thief", 3, setup_batch, {owner_three, thief_batch, thief}, NULL, check, 2, 0},
    };
    int failed = 0;
    for (unsigned i = 0; i < sizeof program / sizeof program[0]; i++) {
        failed |= ex_run(&program[i]);
    }
    return failed;
}
