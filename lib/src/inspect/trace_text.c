/* Events in the Chrome trace format ("Trace Event Format"): JSON objects that Perfetto and chrome://tracing take. Times are
 * microseconds of the monotonic clock, with three digits; a track is a thread of the process, its number that of the
 * executor + 1. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "inspect/trace_reader.h"

#define LINE_MAX_ 640

struct line {
    struct cos_text text;
    char buffer[LINE_MAX_];
};

/* --- words ------------------------------------------------------------------------------------------------ */

/* Quotes, backslashes and control characters become '?': names are identifiers, mostly. */
static void add_quoted(struct cos_text *to, const char *from)
{
    char part[2] = {0, 0};
    cos_text_add(to, "\"");
    for (; *from != '\0' && to->used + 3 < to->size; from++) {
        unsigned char c = (unsigned char)*from;
        part[0] = c < 0x20 || c > 0x7e || c == '"' || c == '\\' ? '?' : *from;
        cos_text_add(to, part);
    }
    cos_text_add(to, "\"");
}

const char *cos_trace_name(struct cosched_trace *t, uint64_t address, bool named)
{
    const void *p = (const void *)(uintptr_t)address;
    struct cos_name *slot = &t->name[(address >> 4 ^ address >> 12) % COS_TRACE_NAMES];
    if (slot->address == p && p != NULL) {
        return slot->text;
    }
    struct cos_text text;
    cos_text_init(&text, slot->text, sizeof slot->text);
    slot->address = p;
    if (named && p != NULL) {
        add_quoted(&text, p);
    } else {
        char symbol[sizeof slot->text - 2];
        struct cos_text plain;
        cos_text_init(&plain, symbol, sizeof symbol);
        cos_text_symbol(&plain, p);
        add_quoted(&text, symbol);
    }
    return slot->text;
}

static void add_digits(struct cos_text *to, uint64_t n, int digits)
{
    char text[8] = "";
    for (text[digits] = '\0'; digits > 0; n /= 10) {
        text[--digits] = (char)('0' + n % 10);
    }
    cos_text_add(to, text);
}

static void add_time(struct line *l, const struct cosched_trace *t, const char *key, uint64_t at)
{
    int64_t ns = cos_ticks_at(&t->rate, at);
    ns = ns > 0 ? ns : 0;
    cos_text_add(&l->text, ",\"");
    cos_text_add(&l->text, key);
    cos_text_add(&l->text, "\":");
    cos_text_number(&l->text, (uint64_t)ns / 1000);
    cos_text_add(&l->text, ".");
    add_digits(&l->text, (uint64_t)ns % 1000, 3);
}

static void add_number(struct line *l, const char *key, uint64_t n)
{
    cos_text_add(&l->text, ",\"");
    cos_text_add(&l->text, key);
    cos_text_add(&l->text, "\":");
    cos_text_number(&l->text, n);
}

static void add_task(struct line *l, uint64_t task)
{
    cos_text_add(&l->text, "\"");
    cos_text_number(&l->text, (uint32_t)task);
    cos_text_add(&l->text, ".");
    cos_text_number(&l->text, task >> 32);
    cos_text_add(&l->text, "\"");
}

static void begin(struct line *l, const struct cosched_trace *t, char phase, unsigned track)
{
    char word[2] = {phase, '\0'};
    cos_text_init(&l->text, l->buffer, sizeof l->buffer);
    cos_text_add(&l->text, "{\"ph\":\"");
    cos_text_add(&l->text, word);
    cos_text_add(&l->text, "\"");
    add_number(l, "pid", t->process);
    add_number(l, "tid", track + 1);
}

static void add_name(struct line *l, const char *category, const char *quoted)
{
    cos_text_add(&l->text, ",\"cat\":\"");
    cos_text_add(&l->text, category);
    cos_text_add(&l->text, "\",\"name\":");
    cos_text_add(&l->text, quoted);
}

static void end(struct cosched_trace *t, struct line *l)
{
    cos_text_add(&l->text, "}");
    t->counts.events++;
    if (t->event != NULL) {
        t->event(t->data, l->buffer, l->text.used);
    }
}

/* --- what is written ---------------------------------------------------------------------------------------- */

static void name_of(struct cosched_trace *t, const char *what, unsigned track, const char *name,
                    uint64_t number)
{
    struct line l;
    begin(&l, t, 'M', track);
    cos_text_add(&l.text, ",\"name\":\"");
    cos_text_add(&l.text, what);
    cos_text_add(&l.text, "\",\"args\":{\"name\":\"");
    cos_text_add(&l.text, name);
    if (number != 0) {
        cos_text_add(&l.text, " ");
        cos_text_number(&l.text, number);
    }
    cos_text_add(&l.text, "\"}");
    end(t, &l);
}

void cos_trace_text_head(struct cosched_trace *t)
{
    name_of(t, "process_name", 0, "cosched", 0);
}

void cos_trace_text_track(struct cosched_trace *t, unsigned track)
{
    struct line l;
    if (t->track[track].known) {
        return;
    }
    t->track[track].known = true;
    if (track == 0) {
        name_of(t, "thread_name", track, "MAIN", 0);
    } else if (track <= COSCHED_WORKERS_MAX) {
        name_of(t, "thread_name", track, "worker", track);
    } else if (track < COS_TRACE_OTHERS) {
        name_of(t, "thread_name", track, "own thread", track - COSCHED_WORKERS_MAX);
    } else {
        name_of(t, "thread_name", track, "other threads", 0);
    }
    begin(&l, t, 'M', track);
    cos_text_add(&l.text, ",\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":");
    cos_text_number(&l.text, track);
    cos_text_add(&l.text, "}");
    end(t, &l);
}

void cos_trace_text_slice(struct cosched_trace *t, unsigned track, uint64_t at, const char *name,
                          uint64_t task)
{
    struct line l;
    begin(&l, t, name != NULL ? 'B' : 'E', track);
    add_time(&l, t, "ts", at);
    if (name != NULL) {
        add_name(&l, task != 0 ? "slice" : "loop", name);
    }
    if (name != NULL && task != 0) {
        cos_text_add(&l.text, ",\"args\":{\"task\":");
        add_task(&l, task);
        cos_text_add(&l.text, "}");
    }
    end(t, &l);
}

void cos_trace_text_dot(struct cosched_trace *t, unsigned track, uint64_t at, const char *name)
{
    struct line l;
    begin(&l, t, 'X', track);
    add_time(&l, t, "ts", at);
    cos_text_add(&l.text, ",\"dur\":0.001");
    add_name(&l, "dot", name);
    end(t, &l);
}

void cos_trace_text_arrow(struct cosched_trace *t, const char *name, unsigned from,
                          uint64_t from_at, unsigned to, uint64_t to_at)
{
    struct line l;
    uint64_t id = ++t->arrows;
    begin(&l, t, 's', from);
    add_time(&l, t, "ts", from_at);
    add_name(&l, "arrow", name);
    add_number(&l, "id", id);
    end(t, &l);
    begin(&l, t, 'f', to);
    add_time(&l, t, "ts", to_at);
    add_name(&l, "arrow", name);
    add_number(&l, "id", id);
    cos_text_add(&l.text, ",\"bp\":\"e\"");
    end(t, &l);
}

void cos_trace_text_span(struct cosched_trace *t, char phase, uint64_t at,
                         const struct cos_span *span, const char *name, uint64_t about)
{
    struct line l;
    begin(&l, t, phase, 0);
    add_time(&l, t, "ts", at);
    if (span->kind == 0) {
        add_name(&l, "task", name);
        cos_text_add(&l.text, ",\"id\":");
        add_task(&l, (uint64_t)span->generation << 32 | span->id);
    } else {
        char category[80];
        const char *quoted = cos_trace_name(t, span->kind, span->named);
        size_t n = strlen(quoted) - 2; /* without its quotes */
        memcpy(category, quoted + 1, n);
        category[n] = '\0';
        add_name(&l, category, name != NULL ? name : quoted);
        cos_text_add(&l.text, ",\"id\":\"");
        cos_text_number(&l.text, span->id);
        cos_text_add(&l.text, "\"");
    }
    if (about != 0) {
        cos_text_add(&l.text, ",\"args\":{\"task\":");
        add_task(&l, about);
        cos_text_add(&l.text, "}");
    }
    end(t, &l);
}

void cos_trace_text_instant(struct cosched_trace *t, unsigned track, uint64_t at, const char *name,
                            uint64_t value)
{
    struct line l;
    begin(&l, t, 'i', track);
    add_time(&l, t, "ts", at);
    cos_text_add(&l.text, ",\"s\":\"t\"");
    add_name(&l, "sched", name);
    cos_text_add(&l.text, ",\"args\":{\"value\":");
    cos_text_number(&l.text, value);
    cos_text_add(&l.text, "}");
    end(t, &l);
}
