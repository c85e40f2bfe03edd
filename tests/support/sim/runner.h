/* Runs of cases in child processes, and what is made of those that fail. */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H
#include "plan.h"

struct sim_case {
    const char *suite, *name;
    int round; /* of a test with rounds: mostly the number of workers by index */
    void (*fn)(int round);
};

struct sim_figures {
    uint64_t cases, failed, runs, choices, switches, steps;
    int64_t virtual_ns;
};

/* runner.c. One run in a child; the outcome in sim_outcome. True: passed. show: its output is let through. */
bool sim_run_child(const struct sim_case *c, const struct sim_plan *plan, bool show);
/* What a seed stands for. length: steps of the straight run. */
struct sim_plan sim_plan_of(uint64_t seed, uint64_t length);
/* All cases under the strategies and seeds that the environment asks for (README). How many failed. */
int sim_run_cases(const struct sim_case *cases, int n);
extern struct sim_figures sim_figures;

/* report.c: shrinks the schedule of a failed run and prints it, with the string that replays it. Returns how
 * many turns are needed. */
uint32_t sim_report(const struct sim_case *c, const struct sim_plan *plan);
/* The plan of a replay string for this case; false: it is of another case, or malformed. turns: room for `max`. */
bool sim_parse_replay(const char *text, const struct sim_case *c, struct sim_plan *plan,
                      struct sim_turn *turns, uint32_t max);

/* bounded.c: every schedule with up to `delays` turns, at most `runs` of them, shortest first. True: all passed. */
bool sim_run_bounded(const struct sim_case *c, uint32_t delays, uint64_t runs);
#endif
