/* submit --spec: one JSON object, on one line or many, or one object a line.
 *
 * Many go in submit_many requests: each is all or none and one commit, and the next is sent before
 * the last was answered. Every line is checked as JSON before its batch is sent, so a bad line
 * sends nothing of its batch, and the message names the line. Ids come out in the order of lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "submit.h"

#define BATCH_JOBS_MAX  1000
#define BATCH_BYTES_MAX ((size_t)512 * 1024)
#define SPEC_BYTES_MAX  (FRAME_LINE_MAX - 1024) /* a request's own members around it */
#define AHEAD_BYTES     ((size_t)1024 * 1024)   /* written ahead before more lines are read */

struct batch {
    int64_t request;
    size_t count;
    int64_t *lines; /* owned; line number of each specification */
    bool answered;
    struct response answer;
};

struct file {
    struct ctl *ctl;
    struct accepted *accepted;
    FILE *stream;
    char *text; /* owned, getline's */
    size_t text_cap;
    int64_t line;     /* number of the last line read */
    struct buf specs; /* of the batch that is being filled, with commas between */
    int64_t lines[BATCH_JOBS_MAX];
    size_t count;
    struct batch *batches; /* owned */
    size_t batch_count;
    size_t batch_cap;
    size_t printed; /* batches whose ids are out */
    int status;     /* of the first failure; nothing more is read after it */
};

static void fail(struct file *f, int status)
{
    if (f->status == 0) {
        f->status = status;
    }
}

static void fail_line(struct file *f, int64_t line, const char *why)
{
    char what[48];
    (void)snprintf(what, sizeof what, "line %lld", (long long)line);
    fail(f, ctl_fail(f->ctl, CTL_REFUSED, what, "%s", why));
}

/* The next line that is not blank, without its end. False: end of file, or a failure. */
static bool next_line(struct file *f, size_t *len)
{
    for (;;) {
        errno = 0;
        ssize_t n = getline(&f->text, &f->text_cap, f->stream);
        if (n < 0) {
            if (ferror(f->stream) || errno == ENOMEM) {
                fail(f, ctl_fail(f->ctl, CTL_REFUSED, "cannot read the specifications", "%s",
                                 strerror(errno)));
            }
            return false;
        }
        f->line++;
        while (n > 0 && memchr(" \t\r\n", f->text[n - 1], 4)) {
            n--;
        }
        if (n > 0) {
            f->text[n] = '\0';
            *len = (size_t)n;
            return true;
        }
    }
}

/* --- answers -------------------------------------------------------------------------------------- */

/* The index in a path like "params.jobs[17].queue". False: it names no job. */
static bool job_of_path(const struct json *data, size_t count, size_t *index)
{
    const char *path = json_string(json_get(data, "path"));
    const char *p = path ? strstr(path, "jobs") : NULL;
    if (!p) {
        return false;
    }
    p += strcspn(p, "0123456789");
    char *end;
    unsigned long value = strtoul(p, &end, 10);
    *index = value;
    return end != p && value < count;
}

static void refused(struct file *f, const struct batch *b)
{
    char what[96];
    size_t index;
    long long first = (long long)b->lines[0];
    long long last = (long long)b->lines[b->count - 1];
    if (job_of_path(b->answer.data, b->count, &index)) {
        (void)snprintf(what, sizeof what, "line %lld (lines %lld to %lld were not submitted)",
                       (long long)b->lines[index], first, last);
    } else {
        (void)snprintf(what, sizeof what, "lines %lld to %lld were not submitted", first, last);
    }
    fail(f, ctl_refused(f->ctl, what, &b->answer));
}

static void accepted(struct file *f, const struct batch *b)
{
    const struct json *ids = json_get(b->answer.result, "ids");
    const struct json *flags = json_get(b->answer.result, "existing");
    const struct json *id = json_first(ids);
    const struct json *existing = json_first(flags);
    if (json_count(ids) != b->count) {
        fail(f, ctl_fail(f->ctl, CTL_REFUSED, "cannot submit", "the answer lacks ids"));
        return;
    }
    for (size_t i = 0; i < b->count; i++) {
        int status = submit_accepted(f->ctl, f->accepted, id, existing);
        if (status != 0) {
            fail(f, status);
            return;
        }
        id = json_next(id);
        existing = json_next(existing);
    }
}

static void finish_batch(struct file *f, struct batch *b)
{
    if (b->answered && b->answer.kind == MESSAGE_RESULT) {
        accepted(f, b);
    } else if (b->answered) {
        refused(f, b);
    }
    if (b->answered) {
        message_response_fini(&b->answer);
    }
    free(b->lines);
    b->lines = NULL;
}

/* Takes the message over. */
static void take_answer(struct file *f, struct response *message)
{
    for (size_t i = f->printed; i < f->batch_count; i++) {
        struct batch *b = &f->batches[i];
        if (!b->answered && message->kind != MESSAGE_EVENT && message->id.type == MESSAGE_ID_INT &&
            message->id.number == b->request) {
            b->answered = true;
            b->answer = *message;
            while (f->printed < f->batch_count && f->batches[f->printed].answered) {
                finish_batch(f, &f->batches[f->printed++]);
            }
            return;
        }
    }
    if (message->kind == MESSAGE_ERROR && message->id.type == MESSAGE_ID_NULL) {
        fail(f, ctl_refused(f->ctl, "cannot submit", message));
    }
    message_response_fini(message);
}

/* Sends and receives until fewer than `low` bytes wait (low 0: until every batch is answered).
 * False: the connection is lost. */
static bool exchange(struct file *f, size_t low)
{
    while (f->printed < f->batch_count) {
        struct response message;
        int result = client_next(&f->ctl->client, low, &message);
        if (result == 0) {
            return true;
        }
        if (result == 1) {
            take_answer(f, &message);
        } else if (result != -EINTR) {
            fail(f, ctl_lost(f->ctl, result));
            return false;
        }
    }
    return true;
}

/* --- requests ------------------------------------------------------------------------------------- */

static bool send_batch(struct file *f)
{
    struct writer w;
    if (f->count == 0) {
        return true;
    }
    if (f->batch_count == f->batch_cap) {
        size_t cap = f->batch_cap ? f->batch_cap * 2 : 16;
        struct batch *batches = realloc(f->batches, cap * sizeof *batches);
        if (!batches) {
            fail(f, ctl_out_of_memory(f->ctl));
            return false;
        }
        f->batches = batches;
        f->batch_cap = cap;
    }
    struct batch *b = &f->batches[f->batch_count];
    *b = (struct batch){.count = f->count};
    b->lines = malloc(f->count * sizeof *b->lines);
    if (!b->lines || f->specs.failed) {
        free(b->lines);
        fail(f, ctl_out_of_memory(f->ctl));
        return false;
    }
    memcpy(b->lines, f->lines, f->count * sizeof *b->lines);
    f->batch_count++;
    b->request = client_begin(&f->ctl->client, &w, "submit_many");
    writer_object(&w);
    writer_member_array(&w, "jobs");
    writer_raw(&w, f->specs.data, f->specs.len);
    writer_end_array(&w);
    writer_end_object(&w);
    client_end(&w);
    buf_reset(&f->specs);
    f->count = 0;
    return exchange(f, AHEAD_BYTES);
}

/* "#k" in `after` counts within one request, and so only in the first batch as the file means it. */
static bool refers_to_lines(const struct json *spec)
{
    const struct json *after = json_get(spec, "after");
    for (const struct json *e = json_first(after); e; e = json_next(e)) {
        if (json_is(e, JSON_STRING) && json_string(e)[0] == '#') {
            return true;
        }
    }
    return false;
}

static bool add_spec(struct file *f, const char *text, size_t len, int64_t line)
{
    struct json_error error;
    char why[160];
    bool full = f->count == BATCH_JOBS_MAX || f->specs.len + len + 1 > BATCH_BYTES_MAX;
    if (full && !send_batch(f)) {
        return false;
    }
    struct json *spec = json_parse(text, len, &error);
    if (!spec) {
        (void)snprintf(why, sizeof why, "%s at byte %zu", error.reason, error.offset);
        fail_line(f, line, why);
    } else if (!json_is(spec, JSON_OBJECT)) {
        fail_line(f, line, "a specification is an object");
    } else if (len > SPEC_BYTES_MAX) {
        fail_line(f, line, "longer than a request may be (1 MiB)");
    } else if (f->batch_count > 0 && refers_to_lines(spec)) {
        fail_line(f, line, "\"#k\" works within the first 1000 lines or 512 KiB only");
    } else {
        if (f->count > 0) {
            buf_putc(&f->specs, ',');
        }
        buf_append(&f->specs, text, len);
        f->lines[f->count++] = line;
    }
    json_free(spec);
    return f->status == 0;
}

/* The first line ends before its value does: then the whole file is one object. */
static bool one_object(struct file *f, size_t len)
{
    struct buf whole = BUF_INIT;
    buf_append(&whole, f->text, len);
    while (next_line(f, &len) && whole.len <= SPEC_BYTES_MAX) {
        buf_putc(&whole, '\n');
        buf_append(&whole, f->text, len);
    }
    if (whole.failed) {
        fail(f, ctl_out_of_memory(f->ctl));
    }
    if (f->status == 0 && whole.len > SPEC_BYTES_MAX) {
        fail_line(f, f->line, "longer than a request may be (1 MiB)");
    }
    if (f->status == 0) {
        struct json_error error;
        struct json *spec = json_parse(buf_text(&whole), whole.len, &error);
        if (spec) {
            /* A request is one line: raw line ends inside are blanks, never part of a string. */
            for (char *p = whole.data; (p = strchr(p, '\n')) != NULL;) {
                *p = ' ';
            }
            (void)add_spec(f, whole.data, whole.len, 1);
        } else {
            int64_t line = 1;
            for (size_t i = 0; i < error.offset && i < whole.len; i++) {
                line += whole.data[i] == '\n';
            }
            fail_line(f, line, error.reason);
        }
        json_free(spec);
    }
    buf_free(&whole);
    return f->status == 0;
}

static void read_all(struct file *f)
{
    size_t len;
    struct json_error error = {0, NULL, false};
    if (!next_line(f, &len)) {
        if (f->status == 0) {
            fail(f, ctl_fail(f->ctl, CTL_REFUSED, "cannot submit", "no specification given"));
        }
        return;
    }
    struct json *first = json_parse(f->text, len, &error);
    bool whole = first != NULL;
    json_free(first);
    bool more =
        !whole && error.offset == len ? one_object(f, len) : add_spec(f, f->text, len, f->line);
    while (more && next_line(f, &len)) {
        more = add_spec(f, f->text, len, f->line);
    }
}

static int finish(struct file *f)
{
    if (f->status == 0) {
        (void)send_batch(f);
    } else if (f->count > 1) {
        (void)fprintf(stderr, "coschedctl: lines %lld to %lld were not submitted\n",
                      (long long)f->lines[0], (long long)f->lines[f->count - 1]);
    }
    if (f->ctl->client.fd >= 0) {
        (void)exchange(f, 0);
    }
    for (; f->printed < f->batch_count; f->printed++) {
        finish_batch(f, &f->batches[f->printed]);
    }
    free(f->batches);
    free(f->text);
    buf_free(&f->specs);
    return f->status;
}

int submit_file(struct ctl *ctl, const char *path, struct accepted *accepted_ids)
{
    struct file *f = calloc(1, sizeof *f);
    if (!f) {
        return ctl_out_of_memory(ctl);
    }
    f->ctl = ctl;
    f->accepted = accepted_ids;
    bool own = strcmp(path, "-") == 0;
    f->stream = own ? stdin : fopen(path, "re");
    if (!f->stream) {
        int status = ctl_fail(ctl, CTL_USAGE, path, "%s", strerror(errno));
        free(f);
        return status;
    }
    int status = ctl_connect(ctl);
    if (status == 0) {
        read_all(f);
        status = finish(f);
    }
    if (!own) {
        (void)fclose(f->stream);
    }
    free(f);
    return status;
}
