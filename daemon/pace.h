/* pace.h - how often a queue may start a job (rate), and whose turn it is among queues (share).
 *
 * Pure: time is an argument, nothing allocates, nothing fails. Not for two threads at once.
 */
#ifndef DAEMON_PACE_H
#define DAEMON_PACE_H
#include <stdbool.h>
#include <stdint.h>

/* A token bucket told as the time of the next token (GCRA): in any span of T seconds at most rate × T + 1 starts, and
 * ten milliseconds' worth more: so much lateness of timers is made up for. Zeroed: no limit. */
struct pace_rate {
    int64_t interval_ns; /* between starts; 0: no limit */
    int64_t next_ns;     /* when the next one would be in time */
};

/* per_second: 0 is no limit. What was taken at the old rate counts for at most one start at the new one. */
void pace_rate_set(struct pace_rate *rate, double per_second, int64_t now_ns);
/* From when on one may be taken; 0: at once. */
int64_t pace_rate_when(const struct pace_rate *rate);
/* True: taken. */
bool pace_rate_take(struct pace_rate *rate, int64_t now_ns);
/* What was taken was not used. */
void pace_rate_give_back(struct pace_rate *rate);

/* Stride scheduling: whoever has the smallest turn goes next, and moves on by what its weight makes of a step. A queue
 * that had nothing to start comes back at the present turn: it saves nothing up. Zeroed: new. */
struct pace_share {
    uint64_t turn;
};

#define PACE_WEIGHT_MAX 1000

/* `present`: the turn of whoever went last, shared by all who compete. */
static inline uint64_t pace_turn(const struct pace_share *share, uint64_t present)
{
    return share->turn > present ? share->turn : present;
}

/* It goes now: *present becomes its turn, and its own moves on. weight: 1 … PACE_WEIGHT_MAX. */
void pace_go(struct pace_share *share, int64_t weight, uint64_t *present);

#endif
