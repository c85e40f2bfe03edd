/* See help.h. */
#include "sched/help.h"

#include "base/clock.h"
#include "sched/runtime.h"

#define COST_BITS  13U
#define COST_NEVER ((UINT32_C(1) << COST_BITS) - 1) /* it kept MAIN too long, once: sticky */
#define COST_MAX   (COST_NEVER - 1)
#define SEEN_MAX   UINT32_C(7)
#define KEY_SHIFT  16U
#define PROBES     4U
#define SKIP_NEW   6U   /* every 7th start is measured while the last one seen was not known, */
#define SKIP_KNOWN 250U /* then every 251st: primes, so that patterns do not lock in */
#define PAUSE_MIN  COS_NS_PER_MS
#define PAUSE_MAX  (64 * COS_NS_PER_MS)
#define BACKLOG_MIN \
    2 /* MAIN leaves a worker its last entry: that may be the child it is about to await */

COS_STATIC_ASSERT(COS_HELP_NS / 1000 < COST_MAX && COS_HELP_SEEN <= SEEN_MAX,
                  "the bound must be a cost that can be told");

/* --- what functions cost ---------------------------------------------------------------------------------- */

static uint64_t key_of(cosched_fn fn)
{
    return (uint64_t)(uintptr_t)fn << KEY_SHIFT;
}

static uint32_t place_of(uint64_t key, uint32_t probe)
{
    uint32_t home = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> (64 - COS_HELP_FNS_LOG2));
    return (home + probe) & ((1U << COS_HELP_FNS_LOG2) - 1);
}

static uint32_t cost_in(uint64_t word)
{
    return (uint32_t)word & COST_NEVER;
}

static uint32_t seen_in(uint64_t word)
{
    return (uint32_t)(word >> COST_BITS) & SEEN_MAX;
}

/* Its word, and where it is or would go; 0: not there. */
static uint64_t look_up(const struct cos_help *h, uint64_t key, uint32_t *place)
{
    *place = place_of(key, 0);
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        uint32_t i = place_of(key, probe);
        uint64_t word = cos_atomic_load(&h->cost[i], relaxed);
        if (word == 0 || word >> KEY_SHIFT == key >> KEY_SHIFT) {
            *place = i;
            return word;
        }
    }
    return 0;
}

int64_t cos_help_cost(const struct cos_help *h, cosched_fn fn)
{
    uint32_t place;
    uint64_t word = look_up(h, key_of(fn), &place);
    if (seen_in(word) < COS_HELP_SEEN) {
        return -1;
    }
    return cost_in(word) == COST_NEVER ? INT64_MAX : (int64_t)cost_in(word) * 1000;
}

/* Up at once, down by an eighth: a function that is long now and then counts as long. */
void cos_help_learn(struct cos_help *h, cosched_fn fn, int64_t ns, bool on_main)
{
    uint32_t place;
    uint64_t key = key_of(fn);
    uint64_t word = look_up(h, key, &place);
    uint32_t cost = cost_in(word);
    uint32_t seen = seen_in(word);
    uint32_t sample = ns / 1000 < (int64_t)COST_MAX ? (uint32_t)((ns + 999) / 1000) : COST_MAX;
    if (on_main && ns > COS_HELP_NS) {
        cost = COST_NEVER;
        seen = SEEN_MAX;
    } else if (cost != COST_NEVER) {
        cost = sample >= cost ? sample : cost - (cost - sample + 7) / 8;
        seen += seen < SEEN_MAX ? 1 : 0;
    }
    cos_atomic_store(&h->cost[place], key | seen << COST_BITS | cost, relaxed);
}

/* --- measuring -------------------------------------------------------------------------------------------- */

static void begin(struct cos_exec *e, cosched_fn fn)
{
    e->sample.fn = fn;
    e->sample.since = cos_clock_cpu();
}

void cos_help_sample_begin(struct cos_exec *e, const struct cos_task *t)
{
    if (e->kind == COS_EXEC_WORKER && e->sample.skip-- == 0) {
        e->sample.skip = cos_help_cost(&e->rt->help, t->fn) < 0 ? SKIP_NEW : SKIP_KNOWN;
        begin(e, t->fn);
    }
}

void cos_help_sample_end(struct cos_exec *e)
{
    cosched_fn fn = e->sample.fn;
    e->sample.fn = NULL;
    cos_help_learn(&e->rt->help, fn, cos_clock_cpu() - e->sample.since, e->kind == COS_EXEC_MAIN);
}

/* --- who needs help ---------------------------------------------------------------------------------------- */

void cos_help_init(struct cos_help *h, const cosched_config *config)
{
    h->mode = config->workers != 0 ? config->main_help : COSCHED_HELP_OFF;
    h->look_at = INT64_MAX;
    h->pause = PAUSE_MIN;
}

static bool pool_has_work(const struct cosched_runtime *rt)
{
    bool seen =
        cos_atomic_load(&rt->help.front, relaxed) != 0 || cos_injector_depth(&rt->injector) != 0;
    for (uint32_t i = 1; i <= rt->workers && !seen; i++) {
        seen = cos_deque_size(&rt->execs[i]->deque) > 0;
    }
    return seen;
}

/* relaxed, both: a guess. */
static bool pool_is_busy(const struct cosched_runtime *rt)
{
    return cos_atomic_load(&rt->parker.parked, relaxed) == 0 &&
           cos_atomic_load(&rt->parker.searching, relaxed) == 0;
}

void cos_help_call(struct cos_exec *e)
{
    struct cosched_runtime *rt = e->rt;
    struct cos_help *h = &rt->help;
    uint32_t no = 0;
    /* Only while MAIN sleeps: awake it looks by itself before it does. relaxed: see `watching`. */
    if (h->mode != COSCHED_HELP_OFF && cos_atomic_load(&rt->bell.parked, relaxed) != 0 &&
        pool_is_busy(rt) && pool_has_work(rt) &&
        cos_atomic_cas(&h->watching, &no, 1, relaxed, relaxed) &&
        cos_doorbell_ring_needed(&rt->bell)) {
        cos_mainloop_ring(rt);
    }
}

/* --- helping ---------------------------------------------------------------------------------------------- */

/* The oldest entry of the worker with the longest line. */
static uint32_t steal(struct cosched_runtime *rt)
{
    struct cos_exec *victim = NULL;
    int64_t most = BACKLOG_MIN - 1;
    for (uint32_t i = 1; i <= rt->workers; i++) {
        int64_t size = cos_deque_size(&rt->execs[i]->deque);
        if (size > most) {
            most = size;
            victim = rt->execs[i];
        }
    }
    uint32_t index;
    if (victim == NULL || cos_deque_steal(&victim->deque, &index) != COS_STEAL_TAKEN) {
        return 0;
    }
    cos_atomic_add(&victim->count.stolen_from, 1, relaxed);
    return index;
}

/* What stands at the front stays there for the workers: MAIN knows already that it may not start it, and whoever is first in
 * line is in MAIN's hands once at most. What has a priority is left to them too: high they take at their next slice, low is
 * nobody's business now. */
static uint32_t candidate(struct cosched_runtime *rt)
{
    if (cos_atomic_load(&rt->help.front, relaxed) != 0) {
        return 0;
    }
    uint32_t index = cos_injector_pop(&rt->injector);
    return index != 0 ? index : steal(rt);
}

static bool may_help(const struct cos_help *h, const struct cos_task *t)
{
    if (t->kind != COS_TASK_BODY || cos_task_fiber(t) != NULL ||
        (t->flags & (COSCHED_PINNED | COSCHED_NO_HELP | COSCHED_FPENV | COSCHED_ONE_EXECUTOR)) != 0) {
        return false;
    }
    int64_t cost = cos_help_cost(h, t->fn);
    return h->mode == COSCHED_HELP_ALWAYS || (cost >= 0 && cost <= COS_HELP_NS);
}

/* One slice: no budget is left for what could follow it. */
static void run(struct cos_exec *e, struct cos_task *t)
{
    int64_t start = cos_clock_now();
    begin(e, t->fn);
    e->budget = 0;
    e->turn_end = cos_clock_add(start, COS_HELP_NS);
    COS_COUNT(e, helped);
    cos_exec_run(e, t->index);
    e->sample.fn = NULL; /* it got no stack */
    uint64_t spent = (uint64_t)(cos_clock_now() - start);
    cos_atomic_store(&e->count.busy_ns, cos_atomic_load(&e->count.busy_ns, relaxed) + spent,
                     relaxed);
}

bool cos_help_wanted(const struct cosched_runtime *rt)
{
    cosched_help mode = rt->help.mode;
    return mode != COSCHED_HELP_OFF && pool_has_work(rt) &&
           (mode == COSCHED_HELP_ALWAYS || pool_is_busy(rt));
}

bool cos_help_workers(struct cosched_runtime *rt)
{
    struct cos_help *h = &rt->help;
    if (h->mode == COSCHED_HELP_OFF) {
        return false;
    }
    if (!cos_help_wanted(rt)) {
        cos_atomic_store(&h->watching, 0, relaxed);
        h->look_at = INT64_MAX;
        h->pause = PAUSE_MIN;
        return false;
    }
    cos_atomic_store(&h->watching, 1, relaxed);
    uint32_t index = candidate(rt);
    if (index != 0 && may_help(h, cos_task_at(index))) {
        h->pause = PAUSE_MIN;
        h->look_at = INT64_MAX;
        run(rt->main, cos_task_at(index));
        return true;
    }
    if (index != 0) {
        cos_atomic_store(&h->front, index, release); /* free: only MAIN fills it */
        cos_parker_notify(&rt->parker);
    }
    h->look_at = cos_clock_add(cos_clock_now(), h->pause);
    h->pause = h->pause < PAUSE_MAX ? h->pause * 2 : PAUSE_MAX;
    return false;
}
