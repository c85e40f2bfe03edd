/* Strategies: who goes on at a choice point. Straight is what all schedules are written against: the running thread goes on;
 * when it waits, pauses or has had its slice, the next runnable one does, by number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "plan.h"
#include "world.h"

const struct sim_plan *sim_plan;
struct sim_outcome *sim_outcome;

static struct {
    uint64_t random;
    uint64_t countdown;                           /* WALK */
    uint64_t change_at[16];                       /* PCT, ascending */
    uint32_t changes;                             /* made so far */
    int32_t lowest;                               /* PCT: below every priority given so far */
    bool stirred;                                 /* PCT: priorities must be compared again */
    const struct sim_turn *turn[SIM_THREADS_MAX]; /* REPLAY: what is left of each thread's turns */
    struct sim_turn *sorted;
} c;

static uint64_t draw(void)
{
    c.random ^= c.random << 13;
    c.random ^= c.random >> 7;
    c.random ^= c.random << 17;
    return c.random * UINT64_C(0x2545F4914F6CDD1D) >> 16;
}

void sim_plan_stirred(void)
{
    c.stirred = true;
}

uint64_t sim_plan_limit(void)
{
    static uint64_t limit;
    if (limit == 0) {
        const char *text = getenv("COSCHED_SIM_LIMIT");
        limit = text != NULL ? strtoull(text, NULL, 0) : UINT64_C(20000000);
    }
    return limit;
}

/* --- the words of all strategies ---------------------------------------------------------------------- */

static struct sim_thread *next_ready(uint32_t after)
{
    for (uint32_t i = 1; i <= sim.threads; i++) {
        struct sim_thread *t = &sim.thread[(after + i) % sim.threads];
        if (sim_is_ready(t)) {
            return t;
        }
    }
    COS_UNREACHABLE();
}

static struct sim_thread *straight(bool forced)
{
    return forced || !sim_is_ready(sim.self) ? next_ready(sim.self->id) : sim.self;
}

static struct sim_thread *any_ready(void)
{
    uint64_t n = draw() % sim.ready_count;
    for (uint32_t w = 0; w < SIM_WORDS; w++) {
        uint64_t word = sim.ready[w];
        uint64_t here = (uint64_t)__builtin_popcountll(word);
        if (n >= here) {
            n -= here;
            continue;
        }
        while (n-- > 0) {
            word &= word - 1;
        }
        return &sim.thread[w * 64 + (uint32_t)__builtin_ctzll(word)];
    }
    COS_UNREACHABLE();
}

/* The runnable ones are held up until a deadline passes. NULL: none is near enough. */
static struct sim_thread *stalled(void)
{
    int64_t first = sim.stall_ns > 0 ? sim_earliest() : SIM_NEVER;
    if (first == SIM_NEVER || first > sim.now + sim.stall_ns) {
        return NULL;
    }
    for (uint32_t i = 0; i < sim.threads; i++) {
        struct sim_thread *t = &sim.thread[i];
        if (t->state > SIM_READY && t->state < SIM_DEAD && t->deadline == first) {
            return t;
        }
    }
    return NULL;
}

/* --- strategies ----------------------------------------------------------------------------------------- */

static struct sim_thread *walk(bool forced)
{
    if (!forced && sim_is_ready(sim.self) && --c.countdown > 0) {
        return sim.self;
    }
    c.countdown = 1 + draw() % (2 * sim_plan->spread);
    struct sim_thread *late = draw() % 16 == 0 ? stalled() : NULL;
    return late != NULL ? late : any_ready();
}

static struct sim_thread *pct(bool forced)
{
    struct sim_thread *t = sim.self;
    if (c.changes + 1 < sim_plan->depth && sim.steps >= c.change_at[c.changes]) {
        c.changes++;
        t->priority = --c.lowest;
        c.stirred = true;
        struct sim_thread *late = draw() % 4 == 0 ? stalled() : NULL;
        if (late != NULL) {
            return late;
        }
    }
    if (forced && sim_is_ready(t)) { /* it only waits for others, or starves them */
        t->priority = --c.lowest;
        c.stirred = true;
    }
    if (!c.stirred && sim_is_ready(t)) {
        return t;
    }
    c.stirred = false;
    struct sim_thread *best = NULL;
    for (uint32_t i = 0; i < sim.threads; i++) {
        struct sim_thread *other = &sim.thread[i];
        if (sim_is_ready(other) && (best == NULL || other->priority > best->priority)) {
            best = other;
        }
    }
    return best;
}

static struct sim_thread *replay(bool forced)
{
    struct sim_thread *t = sim.self;
    const struct sim_turn *turn = c.turn[t->id];
    while (turn != NULL && turn->thread == t->id && turn->point < t->points) {
        turn++; /* of a schedule that was shortened: never reached */
    }
    c.turn[t->id] = turn;
    if (turn == NULL || turn->thread != t->id || turn->point != t->points) {
        return straight(forced);
    }
    c.turn[t->id] = turn + 1;
    struct sim_thread *to = &sim.thread[turn->to];
    bool waits = to->state > SIM_READY && to->state < SIM_DEAD;
    return sim_is_ready(to) || (waits && to->deadline != SIM_NEVER) ? to : straight(forced);
}

static void note_options(const struct sim_thread *to)
{
    if (sim_outcome->options >= SIM_OPTIONS_MAX) {
        return;
    }
    struct sim_option *o = &sim_outcome->option[sim_outcome->options++];
    *o = (struct sim_option){sim.self->points, (uint8_t)sim.self->id, (uint8_t)to->id, {0}};
    uint32_t n = 0;
    for (uint32_t i = 0; i < sim.threads && n < sizeof o->others; i++) {
        if (sim_is_ready(&sim.thread[i]) && &sim.thread[i] != to) {
            o->others[n++] = (uint8_t)i;
        }
    }
    memset(o->others + n, SIM_NOBODY, sizeof o->others - n);
}

struct sim_thread *sim_choose(bool forced)
{
    struct sim_outcome *o = sim_outcome;
    struct sim_thread *usual = straight(forced);
    struct sim_thread *to = usual;
    o->choices += sim.ready_count > 1 ? 1 : 0;
    switch (sim_plan->strategy) {
    case SIM_STRAIGHT: break;
    case SIM_WALK: to = walk(forced); break;
    case SIM_PCT: to = pct(forced); break;
    case SIM_REPLAY: to = replay(forced); break;
    }
    if (to != usual && o->turns < SIM_TURNS_MAX) {
        o->turn[o->turns++] =
            (struct sim_turn){sim.self->points, (uint8_t)sim.self->id, (uint8_t)to->id};
    }
    if (sim_plan->options && sim.ready_count > 1) {
        note_options(to);
    }
    if (!sim_is_ready(to)) {
        sim_advance(to->deadline);
    }
    o->switches += to != sim.self ? 1 : 0;
    return to;
}

/* --- the beginning --------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_thread(const void *a, const void *b)
{
    const struct sim_turn *x = a, *y = b;
    if (x->thread != y->thread) {
        return (x->thread > y->thread) - (x->thread < y->thread);
    }
    return (x->point > y->point) - (x->point < y->point);
}

static void sort_turns(void)
{
    uint32_t n = sim_plan->turns;
    free(c.sorted);
    c.sorted = calloc(n + 1, sizeof *c.sorted);
    COS_ASSERT(c.sorted != NULL);
    if (n > 0) {
        memcpy(c.sorted, sim_plan->turn, n * sizeof *c.sorted);
    }
    c.sorted[n].thread = SIM_NOBODY;
    qsort(c.sorted, n, sizeof *c.sorted, by_thread);
    memset(c.turn, 0, sizeof c.turn);
    for (uint32_t i = n; i-- > 0;) {
        c.turn[c.sorted[i].thread] = &c.sorted[i];
    }
}

void sim_choose_begin(void)
{
    c.random = sim_plan->seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    for (int i = 0; i < 8; i++) {
        draw();
    }
    c.countdown = 1;
    c.changes = 0;
    c.lowest = 0;
    c.stirred = true;
    sim_fine = sim_plan->fine;
    if (sim_plan->strategy == SIM_PCT) {
        uint32_t n = sim_plan->depth - 1;
        COS_ASSERT(n <= sizeof c.change_at / sizeof *c.change_at);
        for (uint32_t i = 0; i < n; i++) {
            c.change_at[i] = 1 + draw() % sim_plan->length;
        }
        qsort(c.change_at, n, sizeof *c.change_at, by_number);
    }
    sort_turns();
}

void sim_choose_start(struct sim_thread *t)
{
    t->priority = 1 + (int32_t)(draw() % (1 << 24));
}
