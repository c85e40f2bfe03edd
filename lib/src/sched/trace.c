/* The rings of the trace: their memory, the threads that share one, and the copy that a reader takes. */
#include "sched/trace.h"

#include <cosched/inspect.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/probe.h"
#include "base/ticks.h"
#include "sched/fork.h"
#include "sched/runtime.h"

int cos_trace_ring_init(struct cos_trace_ring *r)
{
    /* Aligned by hand: plain zeroed memory of this size costs nothing until it is written. */
    r->memory = cos_alloc(COS_TRACE_RECORDS * sizeof *r->record + COS_CACHE_LINE);
    if (r->memory == NULL) {
        return -ENOMEM;
    }
    uintptr_t at = (uintptr_t)r->memory;
    at = (at + COS_CACHE_LINE - 1) / COS_CACHE_LINE * COS_CACHE_LINE;
    r->record = (struct cos_trace_record *)at;
    r->written = 0;
    cos_atomic_store(&r->head, 0, relaxed);
    return 0;
}

void cos_trace_ring_fini(struct cos_trace_ring *r)
{
    cos_free(r->memory);
    r->memory = NULL;
    r->record = NULL;
}

size_t cos_trace_copy(const struct cos_trace_ring *r, uint64_t *next, uint64_t *lost,
                      struct cos_trace_copy *out, size_t max)
{
    /* acquire: pairs with the release in cos_trace_put; the records below it are complete. */
    uint64_t head = cos_atomic_load(&r->head, acquire);
    uint64_t from = *next;
    if (head - from > COS_TRACE_RECORDS) {
        from = head - COS_TRACE_RECORDS;
    }
    size_t n = head - from < max ? (size_t)(head - from) : max;
    for (size_t i = 0; i < n; i++) {
        const struct cos_trace_record *one = &r->record[(from + i) & (COS_TRACE_RECORDS - 1)];
        /* acquire: pairs with the releases there. Whose words these are, the head read below says so. */
        out[i].at = cos_atomic_load(&one->at, acquire);
        out[i].what = cos_atomic_load(&one->what, acquire);
        out[i].task = cos_atomic_load(&one->task, acquire);
        out[i].value = cos_atomic_load(&one->value, acquire);
    }
    /* The writer may be at record `head`, in the place of the one that came COS_TRACE_RECORDS before it. */
    head = cos_atomic_load(&r->head, relaxed);
    uint64_t sure = head >= COS_TRACE_RECORDS ? head - COS_TRACE_RECORDS + 1 : 0;
    size_t torn = sure > from ? (size_t)(sure - from) : 0;
    torn = torn < n ? torn : n;
    for (size_t i = torn; i < n; i++) {
        out[i - torn] = out[i];
    }
    *lost += from + torn - *next;
    *next = from + n;
    return n - torn;
}

void cos_trace_record(uint64_t at, enum cos_trace_kind kind, uint8_t detail, uint32_t extra,
                      uint64_t task, uint64_t value)
{
    struct cosched_runtime *rt = cos_runtime();
    struct cos_exec *e = cos_exec_current();
    uint64_t what = cos_trace_what(kind, detail, e != NULL ? e->id : COS_TRACE_STRANGER, extra);
    at = at != 0 ? at : cos_ticks_now();
    if (e != NULL && e->kind != COS_EXEC_OWN) {
        cos_trace_put(&e->trace, at, what, task, value);
    } else if (rt != NULL && !cos_fork_is_child()) {
        cos_lock_acquire(&rt->others.lock);
        cos_trace_put(&rt->others.ring, at, what, task, value);
        cos_lock_release(&rt->others.lock);
    }
}

void cosched_trace_mark(const char *name, int64_t id, cosched_trace_phase phase)
{
    COS_PROBE3(mark, name, id, phase);
    cos_trace_record(0, COS_TRACE_MARK, (uint8_t)phase, 0, (uint64_t)id, (uintptr_t)name);
}
