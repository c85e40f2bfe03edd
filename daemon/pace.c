/* pace.c - see pace.h. */
#include "pace.h"

#define SECOND   1e9
#define SLACK_NS INT64_C(10000000)
#define STEP     (UINT64_C(1) << 20) /* of weight 1; of weight 1000 it is still a thousand units */

void pace_rate_set(struct pace_rate *rate, double per_second, int64_t now_ns)
{
    int64_t interval_ns = per_second > 0 ? (int64_t)(SECOND / per_second) : 0;
    int64_t latest_ns = now_ns + interval_ns;
    rate->interval_ns = interval_ns;
    if (rate->next_ns > latest_ns) {
        rate->next_ns = latest_ns;
    }
}

int64_t pace_rate_when(const struct pace_rate *rate)
{
    return rate->interval_ns == 0 ? 0 : rate->next_ns;
}

bool pace_rate_take(struct pace_rate *rate, int64_t now_ns)
{
    if (rate->interval_ns == 0) {
        return true;
    }
    if (now_ns < rate->next_ns) {
        return false;
    }
    /* A little late is made up for: timers wake us up to a millisecond late, and the mean is what was asked for. What was
     * missed before that is gone, but for a burst that no timer could tell from even spacing. */
    if (rate->next_ns < now_ns - SLACK_NS) {
        rate->next_ns = rate->interval_ns < SLACK_NS ? now_ns - SLACK_NS : now_ns;
    }
    rate->next_ns += rate->interval_ns;
    return true;
}

void pace_rate_give_back(struct pace_rate *rate)
{
    rate->next_ns -= rate->interval_ns;
}

void pace_go(struct pace_share *share, int64_t weight, uint64_t *present)
{
    *present = pace_turn(share, *present);
    share->turn = *present + STEP / (uint64_t)weight;
}
