/* From records to events: which slice is open on each track, which spans beside them, and which arrows have no end yet. Records
 * come in order of time, as far as the clocks of CPUs agree; what does not fit (its beginning lies before the trace, or was lost)
 * is left out, so that every end in the text has its beginning. */
#include "inspect/trace_reader.h"
#include "sched/park.h"
#include "sched/reason.h"

static uint64_t span_task(const struct cos_span *s)
{
    return (uint64_t)s->generation << 32 | s->id;
}

/* --- spans of tasks ------------------------------------------------------------------------------------------ */

static const char *task_name(struct cosched_trace *t, const struct cos_span *s)
{
    return cos_trace_name(t, s->what, s->named);
}

static void wait_begins(struct cosched_trace *t, struct cos_span *s, uint64_t at, unsigned why)
{
    static const char *const names[] = {"\"waits for nothing\"",
                                        "\"waits for task\"",
                                        "\"runs a task inline\"",
                                        "\"waits for any task\"",
                                        "\"waits for children\"",
                                        "\"waits for group\"",
                                        "\"waits for mutex\"",
                                        "\"waits for condition\"",
                                        "\"waits for semaphore\"",
                                        "\"waits to read\"",
                                        "\"waits to write\"",
                                        "\"waits for barrier\"",
                                        "\"waits for once\"",
                                        "\"waits for wait group\"",
                                        "\"waits to send\"",
                                        "\"waits to receive\"",
                                        "\"waits in select\"",
                                        "\"waits for event\"",
                                        "\"sleeps\"",
                                        "\"waits for I/O\"",
                                        "\"waits for blocking call\"",
                                        "\"travels\"",
                                        "\"waits\"",
                                        "\"waits for process\""};
    if (why != COSCHED_FOR_NOTHING && why < sizeof names / sizeof names[0]) {
        s->waits = (uint8_t)why;
        cos_trace_text_span(t, 'b', at, s, names[why], 0);
    }
}

/* What is open inside it ends: a wait, or the time in line. */
static void inner_ends(struct cosched_trace *t, struct cos_span *s, uint64_t at)
{
    if (s->waits != 0 || s->queued) {
        cos_trace_text_span(t, 'e', at, s, s->queued ? "\"in line\"" : "\"waits\"", 0);
        s->waits = 0;
        s->queued = false;
    }
}

static void task_ends(struct cosched_trace *t, struct cos_span *s, uint64_t at)
{
    inner_ends(t, s, at);
    if (s->open) {
        cos_trace_text_span(t, 'e', at, s, task_name(t, s), 0);
    }
    cos_spans_drop(&t->spans, s);
}

/* The span of a task of whom there is news. NULL: no memory; then that is left out. */
static struct cos_span *task_span(struct cosched_trace *t, uint64_t task, uint64_t at)
{
    struct cos_span *s = cos_spans_find(&t->spans, (uint32_t)task, 0);
    if (s != NULL && s->generation != (uint32_t)(task >> 32)) {
        task_ends(t, s, at); /* the block serves another task */
        s = NULL;
    }
    s = s != NULL ? s : cos_spans_get(&t->spans, (uint32_t)task, 0);
    if (s == NULL) {
        t->counts.lost++;
        return NULL;
    }
    s->generation = (uint32_t)(task >> 32);
    return s;
}

static void task_begins(struct cosched_trace *t, struct cos_span *s, uint64_t at, uint64_t what,
                        bool named)
{
    if (!s->open) {
        s->open = true;
        s->what = what;
        s->named = named;
        cos_trace_text_span(t, 'b', at, s, task_name(t, s), 0);
    }
}

/* --- slices -------------------------------------------------------------------------------------------------- */

static bool has_loop(unsigned track)
{
    return track <= COSCHED_WORKERS_MAX; /* how an own thread sleeps is not recorded */
}

static void close_slice(struct cosched_trace *t, unsigned track, uint64_t at)
{
    if (t->track[track].open) {
        t->track[track].open = false;
        cos_trace_text_slice(t, track, at, NULL, 0);
    }
}

static void open_slice(struct cosched_trace *t, unsigned track, uint64_t at)
{
    struct cos_track *tr = &t->track[track];
    cos_trace_text_track(t, track);
    if (tr->task != 0) {
        tr->open = true;
        cos_trace_text_slice(t, track, at, cos_trace_name(t, tr->what, tr->named), tr->task);
    } else if (has_loop(track)) {
        tr->open = true;
        cos_trace_text_slice(t, track, at, "\"loop\"", 0);
    }
}

static void draw_arrow(struct cosched_trace *t, struct cos_span *s, unsigned track, uint64_t at)
{
    static const char *const names[] = {"", "\"spawn\"", "\"wake\"", "\"hop\""};
    if (s->arrow != COS_ARROW_NONE && s->arrow_at <= at) {
        cos_trace_text_arrow(t, names[s->arrow], s->arrow_track, s->arrow_at, track, at);
    }
    s->arrow = COS_ARROW_NONE;
}

/* The track's task runs from now on. */
static void task_arrives(struct cosched_trace *t, unsigned track, uint64_t at)
{
    const struct cos_track *tr = &t->track[track];
    struct cos_span *s = tr->task != 0 ? task_span(t, tr->task, at) : NULL;
    if (s != NULL) {
        task_begins(t, s, at, tr->what, tr->named);
        inner_ends(t, s, at);
    }
    open_slice(t, track, at);
    if (s != NULL) {
        draw_arrow(t, s, track, at);
    }
}

/* What ran when the trace began. */
static void catch_up(struct cosched_trace *t, unsigned track)
{
    if (t->track[track].runs && !t->track[track].open) {
        task_arrives(t, track, t->since);
    }
}

void cos_trace_events_catch_up(struct cosched_trace *t)
{
    for (unsigned i = 0; i < COS_TRACE_TRACKS; i++) {
        catch_up(t, i);
    }
}

static void task_leaves(struct cosched_trace *t, unsigned track, uint64_t at, unsigned detail)
{
    struct cos_span *s = cos_spans_find(&t->spans, (uint32_t)t->track[track].task, 0);
    if (s == NULL || span_task(s) != t->track[track].task) {
        return;
    }
    if ((detail & COS_TRACE_ENDED) != 0) {
        task_ends(t, s, at);
    } else if (s->open) {
        wait_begins(t, s, at, detail & COS_TRACE_WHY);
    }
}

static void remember(struct cos_track *tr, const struct cos_trace_copy *record)
{
    tr->task = record->task;
    tr->what = record->value;
    tr->named = (COS_TRACE_DETAIL(record->what) & COS_TRACE_NAMED) != 0;
    tr->runs = true;
}

static void on_slice(struct cosched_trace *t, unsigned track, uint64_t at,
                     const struct cos_trace_copy *record)
{
    struct cos_track *tr = &t->track[track];
    close_slice(t, track, at);
    if (tr->runs && tr->task != 0) {
        task_leaves(t, track, at, COS_TRACE_DETAIL(record->what));
    }
    remember(tr, record);
    task_arrives(t, track, at);
}

/* --- the other records ----------------------------------------------------------------------------------------- */

/* Something on this track makes that task go on. */
static void arrow_begins(struct cosched_trace *t, unsigned track, uint64_t at, uint64_t task,
                         enum cos_arrow arrow, const char *dot)
{
    struct cos_span *s = task_span(t, task, at);
    if (s == NULL) {
        return;
    }
    if (!t->track[track].open) { /* an arrow begins in a slice */
        cos_trace_text_track(t, track);
        cos_trace_text_dot(t, track, at, dot);
    }
    s->arrow = (uint8_t)arrow;
    s->arrow_track = (uint16_t)track;
    s->arrow_at = at;
}

static const char *cause_name(unsigned cause)
{
    return cause == COS_TIMED_OUT ? "\"timer\"" : cause == COS_CANCELED ? "\"cancel\"" : "\"wake\"";
}

static void on_spawn(struct cosched_trace *t, unsigned track, uint64_t at,
                     const struct cos_trace_copy *record)
{
    bool named = (COS_TRACE_DETAIL(record->what) & COS_TRACE_NAMED) != 0;
    arrow_begins(t, track, at, record->task, COS_ARROW_SPAWN, "\"spawn\"");
    struct cos_span *s = cos_spans_find(&t->spans, (uint32_t)record->task, 0);
    if (s != NULL && !s->open) {
        task_begins(t, s, at, record->value, named);
        s->queued = true;
        cos_trace_text_span(t, 'b', at, s, "\"in line\"", 0);
    }
}

static void span_begins(struct cosched_trace *t, uint64_t at, uint64_t id, uint64_t kind,
                        bool named, uint64_t task)
{
    struct cos_span *s = cos_spans_get(&t->spans, id, kind);
    if (s == NULL) {
        t->counts.lost++;
    } else if (!s->open) {
        s->open = true;
        s->named = named;
        cos_trace_text_span(t, 'b', at, s, NULL, task);
    }
}

/* One that began before the trace began with it. */
static void span_ends(struct cosched_trace *t, uint64_t at, uint64_t id, uint64_t kind, bool named,
                      uint64_t task)
{
    if (cos_spans_find(&t->spans, id, kind) == NULL) {
        span_begins(t, t->since, id, kind, named, task);
    }
    struct cos_span *s = cos_spans_find(&t->spans, id, kind);
    if (s != NULL) {
        cos_trace_text_span(t, 'e', at, s, NULL, 0);
        cos_spans_drop(&t->spans, s);
    }
}

static void on_mark(struct cosched_trace *t, unsigned track, uint64_t at,
                    const struct cos_trace_copy *record)
{
    uint64_t task = t->track[track].runs ? t->track[track].task : 0;
    switch ((cosched_trace_phase)COS_TRACE_DETAIL(record->what)) {
    case COSCHED_TRACE_BEGIN: span_begins(t, at, record->task, record->value, true, task); break;
    case COSCHED_TRACE_UNDER_WAY: span_begins(t, at, record->task, record->value, true, 0); break;
    case COSCHED_TRACE_END: span_ends(t, at, record->task, record->value, true, task); break;
    case COSCHED_TRACE_INSTANT:
        cos_trace_text_track(t, track);
        cos_trace_text_instant(t, track, at, cos_trace_name(t, record->value, true), record->task);
        break;
    }
}

void cos_trace_event(struct cosched_trace *t, unsigned track, uint64_t at,
                     const struct cos_trace_copy *record)
{
    struct cos_track *tr = &t->track[track];
    unsigned detail = COS_TRACE_DETAIL(record->what);
    catch_up(t, track);
    switch (COS_TRACE_KIND(record->what)) {
    case COS_TRACE_SLICE: on_slice(t, track, at, record); break;
    case COS_TRACE_SPAWN: on_spawn(t, track, at, record); break;
    case COS_TRACE_WAKE:
        arrow_begins(t, track, at, record->task, COS_ARROW_WAKE, cause_name(detail));
        break;
    case COS_TRACE_HOP: arrow_begins(t, track, at, record->task, COS_ARROW_HOP, "\"hop\""); break;
    case COS_TRACE_STEAL:
        cos_trace_text_track(t, track);
        cos_trace_text_instant(t, track, at, "\"steal\"", record->value);
        break;
    case COS_TRACE_SLEEP:
        close_slice(t, track, at);
        tr->runs = false;
        break;
    case COS_TRACE_AWAKE:
        remember(tr, &(struct cos_trace_copy){.at = at});
        if (!tr->open) {
            open_slice(t, track, at);
        }
        break;
    case COS_TRACE_BLOCKING_BEGIN:
        span_begins(t, at, record->task, record->value, false, record->task);
        break;
    case COS_TRACE_BLOCKING_END:
        span_ends(t, at, record->task, record->value, false, record->task);
        break;
    case COS_TRACE_MARK: on_mark(t, track, at, record); break;
    }
}

void cos_trace_event_before(struct cosched_trace *t, unsigned track,
                            const struct cos_trace_copy *record)
{
    switch (COS_TRACE_KIND(record->what)) {
    case COS_TRACE_SLICE: remember(&t->track[track], record); break;
    case COS_TRACE_AWAKE: remember(&t->track[track], &(struct cos_trace_copy){.at = 0}); break;
    case COS_TRACE_SLEEP: t->track[track].runs = false; break;
    case COS_TRACE_SPAWN:
    case COS_TRACE_WAKE:
    case COS_TRACE_HOP:
    case COS_TRACE_STEAL:
    case COS_TRACE_BLOCKING_BEGIN:
    case COS_TRACE_BLOCKING_END:
    case COS_TRACE_MARK: break;
    }
}

void cos_trace_event_lost(struct cosched_trace *t, unsigned track, uint64_t at, uint64_t n)
{
    close_slice(t, track, at);
    t->track[track].runs = false;
    cos_trace_text_track(t, track);
    cos_trace_text_instant(t, track, at, "\"lost records\"", n);
}

void cos_trace_events_end(struct cosched_trace *t, uint64_t at)
{
    for (unsigned i = 0; i < COS_TRACE_TRACKS; i++) {
        close_slice(t, i, at);
    }
    for (size_t i = 0; i < t->spans.capacity; i++) {
        struct cos_span *s = &t->spans.slot[i];
        if (s->open && s->kind == 0) {
            inner_ends(t, s, at);
            cos_trace_text_span(t, 'e', at, s, task_name(t, s), 0);
        } else if (s->open) {
            cos_trace_text_span(t, 'e', at, s, NULL, 0);
        }
    }
}
