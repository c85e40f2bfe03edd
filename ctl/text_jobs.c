/* Jobs as text: the table of list, the page of status; the tables of kinds and queues. */
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "show.h"
#include "table.h"
#include "terminal.h"
#include "wire/writer.h"

static const char *state_color(const char *state)
{
    static const struct {
        const char *state;
        const char *color;
    } colors[] = {
        {"running", "cyan"},  {"succeeded", "green"}, {"failed", "red"},
        {"timed_out", "red"}, {"canceled", "yellow"}, {"skipped", "yellow"},
    };

    for (size_t i = 0; state && i < sizeof colors / sizeof colors[0]; i++) {
        if (strcmp(colors[i].state, state) == 0) {
            return colors[i].color;
        }
    }
    return NULL;
}

static void value_cell(struct table *table, size_t column, const struct json *value)
{
    struct buf text = BUF_INIT;
    show_value(&text, NULL, value);
    table_cell(table, column, buf_text(&text), NULL);
    buf_free(&text);
}

static void elapsed_cell(struct table *table, size_t column, const struct json *from,
                         const struct json *to, int64_t now_us)
{
    struct buf text = BUF_INIT;
    int64_t begin = show_elapsed_us(from, now_us);
    int64_t end = show_elapsed_us(to, now_us);
    if (begin >= 0) {
        show_duration_us(&text, (double)(begin - (end >= 0 ? end : 0)));
    }
    table_cell(table, column, begin >= 0 ? buf_text(&text) : NULL, NULL);
    buf_free(&text);
}

enum { ID, STATE, KIND, NAME, QUEUE, PRIORITY, ATTEMPT, AGE, RAN, OUTCOME };

static const struct column list_columns[] = {
    [ID] = {"ID", true, false},       [STATE] = {"STATE", false, false},
    [KIND] = {"KIND", false, false},  [NAME] = {"NAME", false, true},
    [QUEUE] = {"QUEUE", false, true}, [PRIORITY] = {"PRI", true, false},
    [ATTEMPT] = {"TRY", true, false}, [AGE] = {"AGE", true, false},
    [RAN] = {"RAN", true, false},     [OUTCOME] = {"OUTCOME", false, true},
};

static void list_row(struct table *table, const struct json *job, int64_t now_us)
{
    struct buf outcome = BUF_INIT;
    const char *state = json_string(json_get(job, "state"));
    value_cell(table, ID, json_get(job, "id"));
    table_cell(table, STATE, state, state_color(state));
    value_cell(table, KIND, json_get(job, "kind"));
    table_cell(table, NAME, json_string(json_get(job, "name")), NULL);
    value_cell(table, QUEUE, json_get(job, "queue"));
    value_cell(table, PRIORITY, json_get(job, "priority"));
    value_cell(table, ATTEMPT, json_get(job, "attempt"));
    elapsed_cell(table, AGE, json_get(job, "created"), NULL, now_us);
    elapsed_cell(table, RAN, json_get(job, "started"), json_get(job, "finished"), now_us);
    show_outcome(&outcome, job);
    table_cell(table, OUTCOME, buf_text(&outcome), NULL);
    buf_free(&outcome);
}

int text_list(struct ctl *ctl, const struct json *jobs, bool more)
{
    int64_t now_us = show_now_us(), oldest = 0;
    if (!json_first(jobs)) {
        (void)fputs("coschedctl: no jobs\n", stderr);
        return 0;
    }
    struct table *table = table_create(list_columns, sizeof list_columns / sizeof list_columns[0],
                                       terminal_colored(stdout, ctl->no_color), true);
    for (const struct json *job = json_first(jobs); table && job; job = json_next(job)) {
        if (table_row(table)) {
            list_row(table, job, now_us);
        }
        (void)json_int(json_get(job, "id"), &oldest);
    }
    int status = table_print(ctl, table);
    if (status == 0 && more) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "coschedctl: there are more: --before %lld\n", (long long)oldest);
    }
    return status;
}

/* --- status --------------------------------------------------------------------------------------- */

static void line(struct buf *page, const char *name, const char *text)
{
    buf_printf(page, "  %-10s ", name);
    terminal_clean(page, text, strlen(text));
    buf_putc(page, '\n');
}

static void member_line(struct buf *page, const struct json *job, const char *name)
{
    struct buf text = BUF_INIT;
    const struct json *value = json_get(job, name);
    if (value && !json_is(value, JSON_NULL)) {
        show_value(&text, name, value);
        buf_printf(page, "  %-10s %s\n", name, buf_text(&text)); /* cleaned by show_value */
    }
    buf_free(&text);
}

/* As a shell would need it: words with blanks or special characters in quotes. */
static void command_line(struct buf *page, const struct json *job)
{
    struct buf text = BUF_INIT;
    const struct json *spec = json_get(job, "spec");
    const struct json *argv = json_get(json_get(spec, "args"), "argv");
    if (!argv) {
        argv = json_get(spec, "argv");
    }
    for (const struct json *word = json_first(argv); word; word = json_next(word)) {
        const char *s = json_string(word) ? json_string(word) : "";
        bool plain = *s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_-./=:,@%+")] == '\0';
        if (text.len > 0) {
            buf_putc(&text, ' ');
        }
        if (plain) {
            buf_puts(&text, s);
            continue;
        }
        buf_putc(&text, '\'');
        for (; *s; s++) {
            if (*s == '\'') {
                buf_literal(&text, "'\\''");
            } else {
                buf_putc(&text, *s);
            }
        }
        buf_putc(&text, '\'');
    }
    if (text.len > 0) {
        line(page, "command", text.data);
    }
    buf_free(&text);
}

static void json_line(struct buf *page, const char *name, const struct json *value)
{
    struct buf text = BUF_INIT;
    struct writer w;
    if (!value || json_is(value, JSON_NULL) || (json_is(value, JSON_OBJECT) && !json_first(value))) {
        return;
    }
    writer_init(&w, &text);
    writer_value(&w, value);
    line(page, name, buf_text(&text));
    buf_free(&text);
}

static void output_line(struct buf *page, const struct json *job, const char *stream)
{
    int64_t bytes, kept;
    const struct json *of = json_get(json_get(job, "output"), stream);
    if (!json_int(json_get(of, "bytes"), &bytes)) {
        return;
    }
    buf_printf(page, "  %-10s ", stream);
    show_bytes(page, (double)bytes);
    if (json_int(json_get(of, "kept"), &kept) && kept < bytes) {
        buf_literal(page, ", kept ");
        show_bytes(page, (double)kept);
    }
    buf_putc(page, '\n');
}

static void attempt_line(struct buf *page, const struct json *attempt, int64_t now_us)
{
    struct buf outcome = BUF_INIT;
    int64_t begin = show_elapsed_us(json_get(attempt, "started"), now_us);
    int64_t end = show_elapsed_us(json_get(attempt, "finished"), now_us);
    buf_literal(page, "  attempt    ");
    show_value(page, NULL, json_get(attempt, "n"));
    buf_literal(page, ": ");
    if (json_is(json_get(attempt, "outcome"), JSON_STRING)) {
        show_value(page, NULL, json_get(attempt, "outcome"));
    } else {
        buf_literal(page, "running");
    }
    show_outcome(&outcome, attempt);
    if (outcome.len > 0) {
        buf_printf(page, " (%s)", outcome.data);
    }
    if (begin >= 0) {
        buf_literal(page, ", ");
        show_duration_us(page, (double)(begin - (end >= 0 ? end : 0)));
    }
    buf_putc(page, '\n');
    buf_free(&outcome);
}

int text_job(struct ctl *ctl, const struct json *job, bool first)
{
    static const char *const members[] = {"kind", "name", "queue", "priority", "parent"};
    static const char *const times[] = {"created", "scheduled", "started", "finished"};
    struct buf page = BUF_INIT;
    struct buf outcome = BUF_INIT;
    int64_t now_us = show_now_us();
    buf_puts(&page, first ? "job " : "\njob ");
    show_value(&page, NULL, json_get(job, "id"));
    buf_literal(&page, "\n  state      ");
    const char *color = terminal_colored(stdout, ctl->no_color)
                            ? state_color(json_string(json_get(job, "state")))
                            : NULL;
    const char *sgr = !color                        ? NULL
                      : strcmp(color, "green") == 0 ? "\x1b[32m"
                      : strcmp(color, "red") == 0   ? "\x1b[31m"
                      : strcmp(color, "cyan") == 0  ? "\x1b[36m"
                                                    : "\x1b[33m";
    buf_puts(&page, sgr ? sgr : "");
    show_value(&page, NULL, json_get(job, "state"));
    buf_puts(&page, sgr ? "\x1b[0m" : "");
    show_outcome(&outcome, job);
    if (outcome.len > 0) {
        buf_printf(&page, " (%s)", outcome.data);
    }
    buf_putc(&page, '\n');
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        member_line(&page, job, members[i]);
    }
    command_line(&page, job);
    member_line(&page, json_get(job, "owner"), "user");
    json_line(&page, "labels", json_get(job, "labels"));
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        member_line(&page, job, times[i]);
    }
    const struct json *attempts = json_get(job, "attempts");
    for (const struct json *a = json_first(attempts); a; a = json_next(a)) {
        attempt_line(&page, a, now_us);
    }
    output_line(&page, job, "stdout");
    output_line(&page, job, "stderr");
    json_line(&page, "result", json_get(job, "result"));
    buf_free(&outcome);
    return output_buf(ctl, &page);
}

/* --- kinds ---------------------------------------------------------------------------------------- */

static bool is_required(const struct json *schema, const char *name)
{
    const struct json *required = json_get(schema, "required");
    for (const struct json *r = json_first(required); r; r = json_next(r)) {
        if (json_is(r, JSON_STRING) && strcmp(json_string(r), name) == 0) {
            return true;
        }
    }
    return false;
}

int text_kinds(struct ctl *ctl, const struct json *answer)
{
    static const struct column columns[] = {{"KIND", false, false}, {"ARGUMENTS", false, false}};
    const struct json *kinds = json_get(answer, "kinds");
    struct table *table = table_create(columns, 2, false, true);
    for (const struct json *kind = json_first(kinds); table && kind; kind = json_next(kind)) {
        struct buf text = BUF_INIT;
        const struct json *schema = json_get(kind, "schema");
        const struct json *properties = json_get(schema, "properties");
        const struct json *p = json_is(properties, JSON_OBJECT) ? json_first(properties) : NULL;
        for (; p; p = json_next(p)) {
            bool required = is_required(schema, json_key(p));
            buf_printf(&text, required ? "%s%s" : "%s[%s]", text.len ? " " : "", json_key(p));
        }
        if (table_row(table)) {
            table_cell(table, 0, json_string(json_get(kind, "name")), NULL);
            table_cell(table, 1, buf_text(&text), NULL);
        }
        buf_free(&text);
    }
    return table_print(ctl, table);
}

int text_queues(struct ctl *ctl, const struct json *queues)
{
    static const struct column columns[] = {{"QUEUE", false, false},  {"DEPTH", true, false},
                                            {"RUNNING", true, false}, {"PARALLEL", true, false},
                                            {"RATE", true, false},    {"WEIGHT", true, false},
                                            {"PAUSED", false, false}, {"OLDEST", true, false}};
    static const char *const members[] = {"name", "depth",  "running", "parallel",
                                          "rate", "weight", "paused",  "oldest_s"};
    size_t count = sizeof members / sizeof members[0];
    struct table *table = table_create(columns, count, false, true);
    for (const struct json *queue = json_first(queues); table && queue; queue = json_next(queue)) {
        if (!table_row(table)) {
            break;
        }
        for (size_t i = 0; i < count; i++) {
            struct buf text = BUF_INIT;
            show_value(&text, members[i], json_get(queue, members[i]));
            table_cell(table, i, buf_text(&text), NULL);
            buf_free(&text);
        }
    }
    return table_print(ctl, table);
}
