/* See stuck.h, and cosched_tasks_stuck for what is known of each wait.
 *
 * One node a control block. A node is a suspect while it waits, without a deadline, for something that only tasks bring about;
 * all others are free. Freedom spreads against the waits until nothing changes, and the suspects that are left hold each
 * other: the greatest set of which no member waits for anybody outside. A wait for all of several (a group) ends when all of
 * them are free, any other as soon as one is. A task that is free, and whoever has it below, may come to a channel: `reach`
 * goes upward from a free task to all whose descendant it is.
 *
 * The nodes were read one after the other, so the graph may have never been true as a whole. But who is stuck stays so: each
 * suspect's wait is stamped, and a second look at all that are left, after the last read of the first, finds the same waits for
 * the same tasks, or frees them. What passes was true, all of it, between the two looks.
 *
 * Room: 64 bytes for each control block ever used and 8 an edge, touched where tasks live. */
#include "inspect/stuck.h"

#include "inspect/tasks.h"
#include "inspect/waits.h"

#define NONE      0U
#define LOOKS_MAX 8

enum mark { ABSENT, FREE, SUSPECT };

struct node {
    uint64_t word;                 /* stamp of its wait */
    uint64_t print;                /* what it waits for */
    const struct cos_group *group; /* it belongs to */
    uint32_t generation;
    uint32_t above;      /* the task it is a child of; 0: none */
    uint32_t waiters[2]; /* edges of those who wait for it to be free; for its reach */
    uint32_t next;       /* in the row of those whose freedom has to be spread */
    uint32_t set;        /* union-find: another of its set, or itself */
    uint32_t needs;      /* a group: so many children are suspects */
    uint8_t mark, reason;
    bool reach;   /* it or a task below it is free */
    bool counted; /* in `needs` of the one above */
};

struct edge {
    uint32_t from, next;
};

struct cos_stuck {
    size_t bytes;
    uint32_t used; /* nodes 1 … */
    uint32_t edges, edges_max;
    uint32_t row; /* freed and not spread yet */
    uint32_t suspects, sets;
    struct cos_peek peek;
    struct cos_sight sight;
    struct cos_waits waits;
    struct edge *edge; /* from 1 */
    struct node node[];
};

/* --- freedom ------------------------------------------------------------------------------------------------- */

static void set_free(struct cos_stuck *g, uint32_t index)
{
    struct node *n = &g->node[index];
    if (n->mark == SUSPECT) {
        g->suspects--;
        n->mark = FREE;
        n->next = g->row;
        g->row = index;
    }
}

static void tell_waiters(struct cos_stuck *g, uint32_t edge)
{
    for (; edge != NONE; edge = g->edge[edge].next) {
        set_free(g, g->edge[edge].from);
    }
}

static void spread_reach(struct cos_stuck *g, uint32_t index)
{
    while (index != NONE && index <= g->used && !g->node[index].reach) {
        g->node[index].reach = true;
        tell_waiters(g, g->node[index].waiters[1]);
        index = g->node[index].above;
    }
}

static void spread(struct cos_stuck *g)
{
    while (g->row != NONE) {
        uint32_t index = g->row;
        struct node *n = &g->node[index];
        g->row = n->next;
        tell_waiters(g, n->waiters[0]);
        spread_reach(g, index);
        if (n->counted && --g->node[n->above].needs == 0) {
            set_free(g, n->above);
        }
    }
}

/* --- the first look ------------------------------------------------------------------------------------------ */

static void look_at(struct cos_stuck *g, uint32_t index)
{
    struct cos_sight *s = &g->sight;
    if (!cos_sight_take(s, &g->peek, index, COS_SIGHT_WITH_LIMIT)) {
        return;
    }
    bool suspect = s->still && !s->limited && cos_waits_can_be_known(s->info.reason);
    struct node *n = &g->node[index];
    *n = (struct node){.word = s->word,
                       .group = s->group,
                       .generation = s->info.task.generation,
                       .above = s->info.above_count > 0 ? s->above[0].index : NONE,
                       .set = index,
                       .mark = suspect ? SUSPECT : FREE,
                       .reason = (uint8_t)s->info.reason};
    if (suspect) {
        cos_waits_read(&g->waits, &g->peek, s);
        n->print = g->waits.print;
        n->mark = g->waits.known ? SUSPECT : FREE;
        g->suspects += g->waits.known ? 1 : 0;
    }
}

static bool add_edge(struct cos_stuck *g, uint32_t from, uint32_t to, bool reach)
{
    if (g->edges == g->edges_max) {
        return false;
    }
    g->edge[++g->edges] = (struct edge){from, g->node[to].waiters[reach]};
    g->node[to].waiters[reach] = g->edges;
    return true;
}

static bool is_suspect(const struct cos_stuck *g, uint32_t task, uint32_t generation)
{
    return task <= g->used && g->node[task].mark == SUSPECT &&
           (generation == 0 || g->node[task].generation == generation);
}

/* The wait is the one of the first look: as far as can be seen without a fence, or surely. */
static bool read_again(struct cos_stuck *g, uint32_t index, bool surely)
{
    struct cos_sight *s = &g->sight;
    const struct node *n = &g->node[index];
    bool there = surely ? cos_tasks_look(s, &g->peek, index, n->generation, COS_SIGHT_WITH_LIMIT)
                        : cos_sight_take(s, &g->peek, index, COS_SIGHT_WITH_LIMIT);
    if (!there || s->info.task.generation != n->generation || !s->still || s->limited ||
        s->word != n->word || (uint8_t)s->info.reason != n->reason) {
        return false;
    }
    cos_waits_read(&g->waits, &g->peek, s);
    return g->waits.known && g->waits.print == n->print;
}

/* Whom it waits for is known, and all of them are suspects, too. */
static bool add_waits(struct cos_stuck *g, uint32_t index)
{
    const struct cos_waits *w = &g->waits;
    bool ok =
        read_again(g, index, false) && (w->count > 0 || g->node[index].reason == COSCHED_FOR_GROUP);
    for (uint32_t i = 0; ok && i < w->count; i++) {
        uint32_t to = w->on[i].task;
        ok = is_suspect(g, to, w->on[i].generation) && add_edge(g, index, to, false) &&
             (!w->on[i].reach || add_edge(g, index, to, true));
    }
    return ok;
}

static void count_in_group(struct cos_stuck *g, uint32_t index)
{
    struct node *n = &g->node[index];
    struct node *above = &g->node[n->above];
    /* the print of a group's wait is its address */
    n->counted = n->group != NULL && n->above != NONE && n->above <= g->used &&
                 above->mark == SUSPECT && above->reason == COSCHED_FOR_GROUP &&
                 above->print == (uintptr_t)n->group;
    above->needs += n->counted ? 1 : 0;
}

typedef void visit_fn(struct cos_stuck *g, uint32_t index);

static void for_each(struct cos_stuck *g, enum mark mark, visit_fn *visit)
{
    for (uint32_t i = 1; i <= g->used; i++) {
        if (g->node[i].mark == (uint8_t)mark) {
            visit(g, i);
        }
    }
}

static void connect(struct cos_stuck *g, uint32_t index)
{
    count_in_group(g, index);
    if (!add_waits(g, index)) {
        set_free(g, index);
    }
}

static void free_if_childless(struct cos_stuck *g, uint32_t index)
{
    if (g->node[index].reason == COSCHED_FOR_GROUP && g->node[index].needs == 0) {
        set_free(g, index);
    }
}

/* --- the second ------------------------------------------------------------------------------------------------ */

static void check(struct cos_stuck *g, uint32_t index)
{
    if (!read_again(g, index, true)) {
        set_free(g, index);
    }
}

static void check_all(struct cos_stuck *g)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        uint32_t before = g->suspects;
        for_each(g, SUSPECT, check);
        spread(g);
        if (g->suspects == before) {
            return;
        }
    }
    for_each(g, SUSPECT, set_free); /* it goes on changing: nobody is sure */
}

/* --- sets ------------------------------------------------------------------------------------------------------ */

static uint32_t root_of(struct cos_stuck *g, uint32_t index)
{
    while (g->node[index].set != index) {
        uint32_t up = g->node[index].set;
        g->node[index].set = g->node[up].set; /* halves the way */
        index = up;
    }
    return index;
}

static void unite(struct cos_stuck *g, uint32_t a, uint32_t b)
{
    a = root_of(g, a);
    b = root_of(g, b);
    g->node[a > b ? a : b].set = a > b ? b : a; /* the lowest index leads */
}

static void unite_with_waiters(struct cos_stuck *g, uint32_t index)
{
    for (uint32_t e = g->node[index].waiters[0]; e != NONE; e = g->edge[e].next) {
        unite(g, index, g->edge[e].from); /* it waits for a suspect, so it is one */
    }
    if (g->node[index].counted) {
        unite(g, index, g->node[index].above);
    }
}

/* In `next`, which nobody needs any more. The leader of a set comes first. */
static void number(struct cos_stuck *g, uint32_t index)
{
    uint32_t root = root_of(g, index);
    g->node[index].next = root == index ? ++g->sets : g->node[root].next;
}

/* --- outside --------------------------------------------------------------------------------------------------- */

static void spread_one(struct cos_stuck *g, uint32_t index)
{
    spread_reach(g, index);
}

struct cos_stuck *cos_stuck_find(void)
{
    uint32_t used = cos_atomic_load(&cos_tasks_used, acquire); /* pairs with take_new */
    size_t nodes = ((size_t)used + 1) * sizeof(struct node);
    size_t edges = 4 * (size_t)used + UINT16_MAX;
    size_t bytes = sizeof(struct cos_stuck) + nodes + (edges + 1) * sizeof(struct edge);
    struct cos_stuck *g = cos_tasks_room(bytes);
    if (g == NULL) {
        return NULL;
    }
    g->bytes = bytes;
    g->used = used;
    g->edges_max = (uint32_t)edges;
    g->edge = (struct edge *)(void *)((char *)g->node + nodes);
    for (uint32_t i = 1; i <= used; i++) {
        look_at(g, i);
    }
    for_each(g, SUSPECT, connect);
    for_each(g, SUSPECT, free_if_childless);
    for_each(g, FREE, spread_one);
    spread(g);
    check_all(g);
    for_each(g, SUSPECT, unite_with_waiters);
    for_each(g, SUSPECT, number);
    return g;
}

void cos_stuck_end(struct cos_stuck *g)
{
    cos_tasks_room_end(g, g->bytes);
}

uint32_t cos_stuck_next(const struct cos_stuck *g, uint32_t index, uint32_t *set,
                        uint32_t *generation)
{
    do {
        index++;
    } while (index <= g->used && g->node[index].mark != SUSPECT);
    if (index > g->used) {
        return 0;
    }
    *set = g->node[index].next;
    *generation = g->node[index].generation;
    return index;
}

uint32_t cos_stuck_set_of(const struct cos_stuck *g, cosched_task task)
{
    return is_suspect(g, task.index, task.generation) ? g->node[task.index].next : 0;
}
