/* The loop of a worker thread (DESIGN D7, D9): look at everything once per budget, search when there is nothing, sleep when
 * searching found nothing. */
#include <errno.h>

#include "base/clock.h"
#include "base/rng.h"
#include "sched/events.h"
#include "sched/runtime.h"
#include "sched/trim.h"

#define STEAL_BATCH \
    1U /* the oldest is the largest part of a tree: with more, the victim soon steals most of them back */
#define SHARE_MAX 16U
#define TURN_NS   COS_NS_PER_MS /* between two looks at timers and injector: a timer's resolution */

static uint32_t steal_from(struct cos_exec *e, struct cos_exec *victim)
{
    if (victim == e || cos_deque_size(&victim->deque) <= 0) {
        return 0;
    }
    int64_t before = cos_deque_size(&e->deque);
    uint32_t index = cos_deque_steal_batch(&victim->deque, &e->deque, STEAL_BATCH);
    if (index != 0) {
        uint64_t n = 1 + (uint64_t)(cos_deque_size(&e->deque) - before);
        cos_atomic_store(&e->count.steals, cos_atomic_load(&e->count.steals, relaxed) + n, relaxed);
        cos_atomic_add(&victim->count.stolen_from, n,
                       relaxed); /* the one counter that others write: rare */
        cos_event_steal(victim, n);
    }
    return index;
}

/* Everything that this worker may run, neighbours' timers included. */
static uint32_t scan(struct cos_exec *e)
{
    struct cosched_runtime *rt = e->rt;
    uint32_t index = cos_help_front(&rt->help);
    index = index != 0 ? index : cos_injector_pop(&rt->injector);
    if (index != 0) {
        return index;
    }
    int64_t now = cos_clock_now();
    uint32_t n = rt->workers;
    uint32_t first = cos_rng_below(&e->rng, n);
    for (uint32_t i = 0; i < n && index == 0; i++) {
        struct cos_exec *victim = rt->execs[1 + (first + i) % n];
        index = steal_from(e, victim);
        if (index == 0 && cos_timers_fire(&victim->timers, now) > 0) {
            index = cos_deque_take_top_owner(&e->deque); /* what fired was submitted here */
        }
    }
    return index == 0 && cos_lines_waiting(e->lines) ? cos_lines_rest(e) : index;
}

/* A look at what there is to steal. */
static bool steal_in_sight(const struct cos_exec *e)
{
    const struct cosched_runtime *rt = e->rt;
    bool seen = false;
    for (uint32_t i = 1; i <= rt->workers && !seen; i++) {
        seen = cos_deque_size(&rt->execs[i]->deque) > 0;
    }
    return seen;
}

/* As a searcher, whom nobody needs to wake. */
static uint32_t spin(struct cos_exec *e)
{
    uint32_t index = 0;
    if (!e->rt->may_spin || !cos_spin_may(&e->spin)) {
        return 0;
    }
    int64_t end = cos_clock_now() + COS_SPIN_NS;
    do {
        for (int i = 0; i < COS_SPIN_LOOKS && index == 0; i++) {
            cos_relax();
            if (cos_injector_depth(&e->rt->injector) != 0 || cos_lines_waiting(e->lines) ||
                steal_in_sight(e)) {
                index = scan(e);
            }
        }
    } while (index == 0 && cos_clock_now() < end);
    cos_spin_result(&e->spin, index != 0);
    return index;
}

static void count_busy(struct cos_exec *e, int64_t now)
{
    uint64_t busy = cos_atomic_load(&e->count.busy_ns, relaxed) + (uint64_t)(now - e->awake_since);
    cos_atomic_store(&e->count.busy_ns, busy, relaxed);
    e->awake_since = now;
}

/* When this sleeper must look at timers again. The one that wakes first, the watcher, looks after those of all workers, so
 * that a busy one does not delay its neighbours' timers; the others sleep for their own only. */
static int64_t sleep_until(struct cos_exec *e, int64_t now)
{
    struct cosched_runtime *rt = e->rt;
    int64_t own = cos_timers_next(&e->timers);
    int64_t look_at = cos_trim_before_sleep(e, now);
    own = look_at < own ? look_at : own;
    int64_t depots_at = cos_trim_depots(e, now);
    int64_t first = depots_at < own ? depots_at : own;
    for (uint32_t i = 1; i <= rt->workers; i++) {
        int64_t next = cos_timers_next(&rt->execs[i]->timers);
        first = next < first ? next : first;
    }
    int64_t watched = cos_atomic_load(&rt->watched_until, relaxed);
    while (first < watched) {
        /* relaxed: a time, no data. Who arms an earlier timer after our look either sees this value or an older, later
         * one, and wakes a sleeper in both cases (cos_timers_arm, cos_worker_watch). */
        if (cos_atomic_cas(&rt->watched_until, &watched, first, relaxed, relaxed)) {
            e->watching = first;
            return first;
        }
    }
    return own;
}

/* Awake again. True: others' timers are watched by nobody now, and this worker has work to do. */
static bool stop_watching(struct cos_exec *e)
{
    int64_t mine = e->watching;
    if (mine == INT64_MAX) {
        return false;
    }
    e->watching = INT64_MAX;
    return cos_atomic_cas(&e->rt->watched_until, &mine, INT64_MAX, relaxed, relaxed);
}

void cos_worker_watch(struct cos_exec *e, int64_t deadline)
{
    if (e->kind == COS_EXEC_WORKER && deadline < cos_atomic_load(&e->rt->watched_until, relaxed)) {
        cos_parker_notify(
            &e->rt->parker); /* its fence orders: timer armed, then the look for sleepers */
    }
}

static bool quitting(const struct cosched_runtime *rt)
{
    return cos_atomic_load(&rt->quitting, acquire) != 0; /* pairs with the release in destroy */
}

/* Ends a search; the last searcher that found work wakes the next. */
static uint32_t found(struct cos_exec *e, uint32_t index)
{
    struct cos_parker *p = &e->rt->parker;
    if (cos_parker_search_end(p, index != 0)) {
        cos_parker_notify(p);
    }
    return index;
}

/* In bed: sleeps until somebody wakes it or time is up. 0 or -ETIMEDOUT; what it found goes to *index. */
static int sleep_in_bed(struct cos_exec *e, uint32_t *index)
{
    struct cos_parker *p = &e->rt->parker;
    int64_t now = cos_clock_now();
    count_busy(e, now);
    cos_event_sleep(e);
    int rc = cos_parker_wait(p, e->id - 1, sleep_until(e, now));
    cos_event_awake(e);
    e->awake_since = cos_clock_now();
    bool unwatched = stop_watching(e);
    *index = rc == 0 ? found(e, scan(e)) : 0;
    if (unwatched && *index != 0) {
        cos_parker_notify(p); /* another sleeper takes over */
    }
    return rc;
}

/* Sleeps until there may be work. 0 when it must look again. Whoever was woken and found nothing goes to bed again at once:
 * who pushed meanwhile woke nobody, because it saw a searcher. Were it to take one of those entries from the loop, where it
 * counts as none, it would wake nobody either, and the rest would lie beside sleepers. */
static uint32_t park(struct cos_exec *e)
{
    struct cos_parker *p = &e->rt->parker;
    uint32_t id = e->id - 1;
    uint32_t index;
    int rc;
    do {
        cos_parker_prepare(p, id);
        index = scan(e);
        /* A steal that lost its race found nothing, but something is there, and its owner may never tell us again. */
        bool seen = index != 0 || steal_in_sight(e);
        if (seen || quitting(e->rt)) {
            cos_parker_cancel(p, id);
            if (cos_parker_search_end(p, seen)) {
                cos_parker_notify(p);
            }
            return index;
        }
        rc = sleep_in_bed(e, &index);
    } while (rc == 0 && index == 0);
    return index;
}

/* After an entry of the injector: a fair share of those behind it, if there is nothing in line here. Between them no look at
 * everything else is due, and one fiber hands over to the next. Others steal what waits long. */
static void take_share(struct cos_exec *e)
{
    uint32_t batch[SHARE_MAX];
    struct cosched_runtime *rt = e->rt;
    uint64_t share = cos_injector_depth(&rt->injector) / rt->workers;
    if (share == 0 || cos_deque_size(&e->deque) > 0) {
        return;
    }
    size_t n = cos_injector_pop_batch(&rt->injector, batch, share < SHARE_MAX ? share : SHARE_MAX);
    for (size_t i = 0; i < n; i++) {
        if (cos_deque_push_owner(&e->deque, batch[i]) < 0) {
            cos_injector_push(&rt->injector, batch[i]);
        }
    }
    if (n > 0 && cos_parker_pushed(&rt->parker)) {
        cos_parker_notify(
            &rt->parker); /* a sleeper's last look may have seen them neither there nor here */
    }
}

/* Once a turn the injector comes before the own deque, so that what waits there does not starve while tasks here go on
 * yielding. */
static uint32_t find_work(struct cos_exec *e)
{
    struct cos_parker *p = &e->rt->parker;
    uint32_t index = cos_help_front(&e->rt->help);
    if (index == 0) {
        index = cos_injector_pop(&e->rt->injector);
        if (index != 0) {
            take_share(e);
        }
    } else if (cos_injector_depth(&e->rt->injector) != 0) {
        e->budget = e->allowance =
            1; /* MAIN may have put it before the line: that one's turn is next */
    }
    if (index == 0) {
        index = cos_exec_take(e);
    }
    if (index == 0 && cos_parker_search_begin(p)) {
        index = scan(e);
        index = found(e, index != 0 ? index : spin(e));
    }
    return index != 0 ? index : park(e);
}

void *cos_worker_main(void *arg)
{
    struct cos_exec *e = arg;
    cos_exec_thread_begin(e);
    e->awake_since = cos_clock_now();
    while (!quitting(e->rt)) {
        int64_t now = cos_clock_now();
        cos_exec_turn_took(e, now - e->awake_since, TURN_NS);
        count_busy(e, now);
        cos_timers_fire(&e->timers, now);
        cos_help_call(e);
        e->budget = e->allowance;
        uint32_t index = find_work(e);
        if (index != 0) {
            e->budget--;
            cos_exec_run(e, index);
        }
    }
    cos_exec_thread_end(e);
    return NULL;
}
