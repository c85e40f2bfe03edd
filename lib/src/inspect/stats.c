/* cosched_stats_get: reads counters that their owners write, without stopping or locking anybody on the hot path. */
#include <cosched/cosched.h>

#include <errno.h>
#include <string.h>

#include "sched/fork.h"
#include "sched/runtime.h"

static uint64_t get(const COS_ATOMIC(uint64_t) * counter)
{
    return cos_atomic_load(counter, relaxed); /* counters carry no data */
}

/* Own threads included: those that run, and the sum of those that have ended. */
static void add_totals(cosched_stats *s, struct cosched_runtime *rt)
{
    struct cos_counters sum;
    pthread_mutex_lock(&rt->blocking.mutex); /* own threads come and go under it */
    sum = rt->gone;
    for (uint32_t i = 0; i < COS_EXECS_MAX; i++) {
        if (rt->execs[i] != NULL) {
            cos_counters_add(&sum, &rt->execs[i]->count);
            s->timers += get(&rt->execs[i]->timers.armed);
        }
    }
    pthread_mutex_unlock(&rt->blocking.mutex);
    s->spawned = get(&rt->posted) + get(&sum.spawned);
    s->completed = get(&sum.completed);
    s->switches = get(&sum.switches);
    s->calls_stack_grown = get(&sum.grown);
    s->yields = get(&sum.yields);
    s->hops_to_worker = get(&sum.hops_to_worker);
    s->hops_to_main = get(&sum.hops_to_main);
    s->failed = get(&sum.failed);
}

static void add_worker(cosched_worker_stats *w, const struct cosched_runtime *rt, uint32_t i)
{
    const struct cos_exec *e = rt->execs[i + 1];
    int64_t depth = cos_deque_size(&e->deque);
    *w = (cosched_worker_stats){
        .slices = get(&e->count.slices),
        .steals = get(&e->count.steals),
        .stolen_from = get(&e->count.stolen_from),
        .parks = get(&rt->parker.bed[i].parks),
        .wakes = get(&rt->parker.bed[i].wakes),
        .busy_ns = get(&e->count.busy_ns),
        .deque = depth > 0 ? (uint64_t)depth : 0,
    };
}

static void add_main(cosched_stats *s, const struct cosched_runtime *rt)
{
    const struct cos_exec *e = rt->main;
    int64_t ready = cos_deque_size(&e->deque);
    s->main_ready = ready > 0 ? (uint64_t)ready : 0;
    s->main_inbox = cos_inbox_empty(&e->inbox) ? 0 : 1;
    s->main_slices = get(&e->count.slices);
    s->main_ready += cos_atomic_load(&rt->lines[COS_EXEC_MAIN].waiting, relaxed);
    s->main_helped = get(&e->count.helped);
    s->main_polls = get(&e->count.polls);
    s->main_busy_ns = get(&e->count.busy_ns);
}

static void add_memory(cosched_stats *s)
{
    static const char *const guards[] = {"none", "madvise", "mprotect", "canary"};
    struct cos_stack_stats stacks;
    cos_stack_stats(&stacks);
    s->stacks_in_use = stacks.in_use;
    s->stacks_cached = stacks.cached;
    s->stack_bytes = stacks.bytes_mapped;
    s->stack_guard = guards[stacks.guard];
}

int cosched_stats_get(cosched_runtime *rt, cosched_stats *out)
{
    size_t size = out->struct_size;
    if (rt == NULL || size == 0 || size > sizeof *out) {
        return -EINVAL;
    }
    if (cos_fork_is_child()) {
        return -EPERM; /* locks may be held for ever */
    }
    cosched_stats s = {.struct_size = size, .workers = rt->workers};
    add_totals(&s, rt);
    for (uint32_t i = 0; i < rt->workers; i++) {
        add_worker(&s.worker[i], rt, i);
    }
    add_main(&s, rt);
    struct cos_injector_counts counts;
    cos_injector_counts(&rt->injector, &counts);
    s.injector_depth = cos_injector_depth(&rt->injector) +
                       cos_atomic_load(&rt->lines[COS_EXEC_WORKER].waiting, relaxed);
    s.injector_pushed = counts.pushed;
    s.injector_popped = counts.popped;
    s.injector_overflowed = counts.overflowed;
    s.tasks_live = s.spawned > s.completed ? s.spawned - s.completed : 0;
    s.tasks_peak = get(&rt->tasks_peak);
    if (s.tasks_live > s.tasks_peak) {
        s.tasks_peak = s.tasks_live;
        cos_atomic_store(&rt->tasks_peak, s.tasks_peak, relaxed);
    }
    s.slices_long = get(&rt->slices.found);
    s.slices_reported = get(&rt->slices.reported);
    add_memory(&s);
    cos_blocking_levels(&rt->blocking, &s.blocking_threads, &s.blocking_queued);
    memcpy(out, &s, size);
    return 0;
}
