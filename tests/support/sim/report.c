/* A failed run: its schedule made shorter while it still fails (delta debugging, Zeller 2002), the picture, and the string
 * that COSCHED_SIM_REPLAY takes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "runner.h"

#define RUNS_MAX 1500 /* of shrinking */

/* name:round:seed:fine:THREAD.POINT>TO,… */
static void print_replay(const struct sim_case *c, const struct sim_plan *p)
{
    printf("COSCHED_SIM_REPLAY='%s:%d:%" PRIu64 ":%d:", c->name, c->round, p->seed, p->fine ? 1 : 0);
    for (uint32_t i = 0; i < p->turns; i++) {
        printf("%s%u.%" PRIu32 ">%u", i > 0 ? "," : "", p->turn[i].thread, p->turn[i].point,
               p->turn[i].to);
    }
    printf("'\n");
}

bool sim_parse_replay(const char *text, const struct sim_case *c, struct sim_plan *plan,
                      struct sim_turn *turns, uint32_t max)
{
    size_t name = strcspn(text, ":");
    if (strlen(c->name) != name || strncmp(text, c->name, name) != 0 || text[name] != ':') {
        return false;
    }
    char *end;
    long round = strtol(text + name + 1, &end, 10);
    if (*end != ':' || round != c->round) {
        return false;
    }
    *plan = (struct sim_plan){.strategy = SIM_REPLAY, .turn = turns};
    plan->seed = strtoull(end + 1, &end, 10);
    plan->fine = *end == ':' && strtol(end + 1, &end, 10) != 0;
    while (plan->turns < max && (*end == ':' || *end == ',') && end[1] != '\0') {
        struct sim_turn *t = &turns[plan->turns++];
        t->thread = (uint8_t)strtoul(end + 1, &end, 10);
        t->point = (uint32_t)strtoul(end + 1, &end, 10);
        t->to = (uint8_t)strtoul(end + 1, &end, 10);
    }
    return true;
}

/* A run is as bad as the first one if it fails in the same way: digits apart, the same message. */
static bool same_failure(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a >= '0' && *a <= '9') {
            a++;
        }
        while (*b >= '0' && *b <= '9') {
            b++;
        }
        if (*a != *b || *a == '\0') {
            return *a == *b;
        }
    }
}

struct shrinker {
    const struct sim_case *c;
    struct sim_plan plan; /* its turns: `best` */
    struct sim_turn *best, *attempt;
    char message[sizeof((struct sim_outcome *)0)->message];
    int runs;
};

/* Without best[from … to): still the same failure? Then that is the best. */
static bool without(struct shrinker *s, uint32_t from, uint32_t to)
{
    if (s->runs++ >= RUNS_MAX) {
        return false;
    }
    uint32_t n = s->plan.turns;
    memcpy(s->attempt, s->best, from * sizeof *s->best);
    memcpy(s->attempt + from, s->best + to, (n - to) * sizeof *s->best);
    struct sim_plan p = s->plan;
    p.turns = n - (to - from);
    p.turn = s->attempt;
    if (sim_run_child(s->c, &p, false) || !same_failure(s->message, sim_outcome->message)) {
        return false;
    }
    /* What it really did is often shorter: turns that nobody came to are gone from its own list. */
    if (sim_outcome->turns <= p.turns) {
        p.turns = sim_outcome->turns;
        memcpy(s->attempt, sim_outcome->turn, p.turns * sizeof *s->attempt);
    }
    struct sim_turn *swap = s->best;
    s->best = s->attempt;
    s->attempt = swap;
    s->plan.turns = p.turns;
    s->plan.turn = s->best;
    return true;
}

static void shrink(struct shrinker *s)
{
    uint32_t chunk = s->plan.turns;
    while (chunk > 0 && s->runs < RUNS_MAX) {
        bool shorter = false;
        for (uint32_t from = 0; from < s->plan.turns;) {
            uint32_t to = from + chunk < s->plan.turns ? from + chunk : s->plan.turns;
            if (without(s, from, to)) {
                shorter = true;
            } else {
                from = to;
            }
        }
        if (!shorter || chunk > s->plan.turns) {
            chunk = chunk > s->plan.turns ? s->plan.turns : chunk / 2;
        }
    }
}

uint32_t sim_report(const struct sim_case *c, const struct sim_plan *plan)
{
    static const char *const names[] = {"straight", "walk", "pct", "replay"};
    struct sim_outcome *o = sim_outcome;
    printf("%s:%s:%d: FAILED with seed %" PRIu64 " (%s%s): %s\n", c->suite, c->name, c->round,
           plan->seed, names[plan->strategy], plan->fine ? ", fine" : "", o->message);
    struct shrinker s = {.c = c, .plan = *plan};
    s.plan.strategy = SIM_REPLAY;
    s.plan.options = false;
    s.plan.turns = o->turns;
    s.best = calloc(o->turns + 1, sizeof *s.best);
    s.attempt = calloc(o->turns + 1, sizeof *s.attempt);
    COS_ASSERT(s.best != NULL && s.attempt != NULL);
    memcpy(s.best, o->turn, o->turns * sizeof *s.best);
    memcpy(s.message, o->message, sizeof s.message);
    s.plan.turn = s.best;
    uint32_t before = s.plan.turns;
    bool again = !sim_run_child(c, &s.plan, false) && same_failure(s.message, o->message);
    if (again && getenv("COSCHED_SIM_NOSHRINK") == NULL) {
        shrink(&s);
        sim_run_child(c, &s.plan, false);
    }
    if (before == SIM_TURNS_MAX) {
        printf("  its schedule was too long to keep\n");
    }
    printf("  %s; %" PRIu32 " of %" PRIu32 " turns are needed; %s\n",
           again ? "replayed" : "NOT REPLAYED: something here is not decided by the seed",
           s.plan.turns, before, o->message);
    print_replay(c, &s.plan);
    printf("%s", o->picture);
    free(s.best);
    free(s.attempt);
    return s.plan.turns;
}
