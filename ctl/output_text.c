/* Text for people: the short answers, and output of jobs. Tables and pages are in text_*.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "show.h"
#include "terminal.h"
#include "wire/text.h"

static int submitted(struct ctl *ctl, int64_t id, bool existing)
{
    struct buf text = BUF_INIT;
    (void)existing; /* the id is what scripts read; that it is an old one shows in its status */
    buf_int(&text, id);
    buf_putc(&text, '\n');
    return output_buf(ctl, &text);
}

static int waited(struct ctl *ctl, const struct json *jobs)
{
    struct buf text = BUF_INIT;
    for (const struct json *job = json_first(jobs); job; job = json_next(job)) {
        struct buf outcome = BUF_INIT;
        show_value(&text, NULL, json_get(job, "id"));
        buf_putc(&text, ' ');
        show_value(&text, NULL, json_get(job, "state"));
        show_outcome(&outcome, job);
        if (outcome.len > 0) {
            buf_printf(&text, " (%s)", outcome.data);
        }
        buf_putc(&text, '\n');
        buf_free(&outcome);
    }
    return output_buf(ctl, &text);
}

static void ids_with(struct buf *text, const struct json *ids, const char *what)
{
    for (const struct json *id = json_first(ids); id; id = json_next(id)) {
        show_value(text, NULL, id);
        buf_printf(text, " %s\n", what);
    }
}

static int changed(struct ctl *ctl, const struct json *answer, const struct change *change)
{
    struct buf text = BUF_INIT;
    ids_with(&text, json_get(answer, change->done), change->done_text);
    ids_with(&text, json_get(answer, change->refused), change->refused_text);
    ids_with(&text, json_get(answer, "not_found"), "not found");
    return output_buf(ctl, &text);
}

/* On a terminal a sequence that a chunk cuts waits for its rest, else each half would look like
 * bad bytes. One per stream; at most three bytes. */
static struct buf held[2];

static int write_stream(struct ctl *ctl, FILE *file, struct buf *held_bytes, struct buf *bytes)
{
    struct buf clean = BUF_INIT;
    const struct buf *text = bytes;
    if (isatty(fileno(file)) == 1) {
        buf_append(held_bytes, bytes->data, bytes->len);
        size_t whole = text_utf8_cut(buf_text(held_bytes), held_bytes->len);
        terminal_clean_output(&clean, buf_text(held_bytes), whole);
        buf_drop(held_bytes, whole);
        text = &clean;
    }
    int status = 0;
    if (bytes->failed || clean.failed || held_bytes->failed) {
        status = ctl_out_of_memory(ctl);
    } else if (fwrite(buf_text(text), 1, text->len, file) != text->len || fflush(file) != 0) {
        status = ctl_fail(ctl, CTL_REFUSED, "cannot write output of the job", "write failed");
    }
    buf_free(&clean);
    return status;
}

int text_event(struct ctl *ctl, const struct json *event)
{
    struct buf bytes = BUF_INIT;
    int status = 0;
    const char *type = json_string(json_get(event, "type"));
    const char *stream = json_string(json_get(event, "stream"));
    bool err = stream && strcmp(stream, "stderr") == 0;
    if (type && strcmp(type, "gap") == 0) {
        int64_t from = 0, to = 0;
        (void)json_int(json_get(event, "from"), &from);
        (void)json_int(json_get(event, "to"), &to);
        (void)fflush(stdout);
        (void)fprintf(stderr, "coschedctl: %lld bytes of %s are not kept\n", (long long)(to - from),
                      err ? "stderr" : "stdout");
    } else if (type && strcmp(type, "log") == 0) {
        if (output_event_bytes(&bytes, event)) {
            status = write_stream(ctl, err ? stderr : stdout, &held[err], &bytes);
        } else {
            status = ctl_fail(ctl, CTL_REFUSED, "cannot read output of the job", "bad encoding");
        }
    }
    buf_free(&bytes);
    return status;
}

static int answer(struct ctl *ctl, const struct json *value, const char *text)
{
    struct buf line = BUF_INIT;
    (void)value;
    buf_puts(&line, text);
    buf_putc(&line, '\n');
    return output_buf(ctl, &line);
}

const struct output output_text = {
    .submitted = submitted,
    .list = text_list,
    .waited = waited,
    .job = text_job,
    .changed = changed,
    .event = text_event,
    .happened = text_happened,
    .stats = text_stats,
    .kinds = text_kinds,
    .queues = text_queues,
    .task = text_task,
    .tasks = text_tasks,
    .answer = answer,
};
