/* What a run is asked to do and what it leaves behind. The parent process writes the plan; the run happens in a child and
 * writes the outcome into memory that both share, so that a crash leaves its schedule, too. */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_strategy {
    SIM_STRAIGHT, /* on until it waits, then round robin */
    SIM_WALK,     /* random: on for a random number of points, then anybody */
    SIM_PCT, /* random priorities, changed at `depth` - 1 random points (Burckhardt et al. 2010) */
    SIM_REPLAY /* the turns given, straight otherwise */
};

/* A schedule is the list of turns at which a run did not go straight on: at its `point`-th choice point `thread` gives way to
 * `to`. Counted by thread, so that leaving out one turn does not renumber all that follow. */
struct sim_turn {
    uint32_t point;
    uint8_t thread, to;
};

/* Everything that could have been chosen somewhere, for the bounded search. */
struct sim_option {
    uint32_t point;
    uint8_t thread, chosen;
    uint8_t others[6]; /* the first few, 0xff: none */
};

enum { SIM_TURNS_MAX = 1 << 20, SIM_OPTIONS_MAX = 1 << 18, SIM_NOBODY = 0xff };

struct sim_plan {
    enum sim_strategy strategy;
    uint64_t seed;
    bool fine;       /* relaxed loads are choice points */
    bool options;    /* leave a list of options */
    uint32_t spread; /* WALK: points in a row on average */
    uint32_t depth;  /* PCT */
    uint64_t length; /* PCT: steps that a run is expected to have */
    uint32_t turns;
    const struct sim_turn *turn; /* REPLAY: in the order in which they happened */
};

enum sim_verdict { SIM_CRASHED, SIM_PASSED, SIM_FAILED };

struct sim_outcome {
    enum sim_verdict verdict;
    char message[512];
    char picture[16384];
    uint64_t steps, choices, switches, hash;
    int64_t virtual_ns;
    uint32_t turns, options;
    struct sim_turn turn[SIM_TURNS_MAX];
    struct sim_option option[SIM_OPTIONS_MAX];
};

/* The child's: set before sim_begin. */
extern const struct sim_plan *sim_plan;
extern struct sim_outcome *sim_outcome;

uint64_t sim_plan_limit(void); /* steps after which a run is a livelock: COSCHED_SIM_LIMIT */
void sim_plan_stirred(void);   /* the set of runnable threads has grown */
#endif
