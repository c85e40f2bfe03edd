/* Bounded depth-first search: every schedule that differs from the straight one by at most `delays` turns (delay-bounded
 * scheduling, Emmi, Qadeer and Rakamaric 2011). Each run leaves the list of what could have been chosen; one more turn is then
 * tried at each place after the last one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "runner.h"

enum { DELAYS_MAX = 4 };

struct search {
    const struct sim_case *c;
    uint64_t runs, runs_max;
    struct sim_turn turn[DELAYS_MAX];
    uint32_t delays;
    uint32_t stride; /* at the last level: every so many-th place only, when the runs do not reach for all */
};

static bool run(struct search *s, uint32_t turns)
{
    struct sim_plan p = {.strategy = SIM_REPLAY, .options = true, .turns = turns, .turn = s->turn};
    s->runs++;
    if (sim_run_child(s->c, &p, false)) {
        return true;
    }
    sim_report(s->c, &p);
    return false;
}

static bool is_turn(const struct sim_option *o, const struct sim_turn *t)
{
    return o->thread == t->thread && o->point == t->point;
}

/* All schedules that begin with the first `turns` of s->turn. */
static bool below(struct search *s, uint32_t turns, uint64_t budget)
{
    if (!run(s, turns) || turns == s->delays) {
        return sim_outcome->verdict == SIM_PASSED;
    }
    uint32_t n = sim_outcome->options;
    struct sim_option *list = calloc(n + 1, sizeof *list);
    COS_ASSERT(list != NULL);
    memcpy(list, sim_outcome->option, n * sizeof *list);
    uint32_t first = 0;
    for (uint32_t i = 0; turns > 0 && i < n; i++) {
        if (is_turn(&list[i], &s->turn[turns - 1])) {
            first = i + 1;
        }
    }
    /* Evenly over the run when there are more places than runs. */
    uint64_t places = n > first ? n - first : 0;
    uint64_t stride = budget > 0 && places > budget ? (places + budget - 1) / budget : 1;
    uint64_t share = places > 0 ? budget / (places / stride + 1) : 0;
    bool passed = true;
    for (uint64_t i = first; i < n && passed && s->runs < s->runs_max; i += stride) {
        for (size_t k = 0; k < sizeof list[i].others && passed && list[i].others[k] != SIM_NOBODY;
             k++) {
            s->turn[turns] = (struct sim_turn){list[i].point, list[i].thread, list[i].others[k]};
            passed = below(s, turns + 1, share);
        }
    }
    free(list);
    return passed;
}

bool sim_run_bounded(const struct sim_case *c, uint32_t delays, uint64_t runs)
{
    bool passed = true;
    for (uint32_t d = 0; d <= delays && d < DELAYS_MAX && passed; d++) {
        struct search s = {.c = c, .runs_max = runs, .delays = d};
        passed = below(&s, 0, runs);
    }
    return passed;
}
