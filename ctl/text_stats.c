/* Live metrics as a page. The layout follows the shape of the answer, not a list of names: a
 * number is a word in a line, an object of objects or an array of objects is a table. A newer
 * daemon's counters show up without a newer client. */
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "show.h"
#include "table.h"
#include "terminal.h"

#define COLUMNS_MAX 16
#define LINE_MAX    96

static bool is_container(const struct json *value)
{
    return json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
}

/* Every member is an object: their members become columns ({"submit_us":{"p50":…},…}). */
static bool is_rows(const struct json *value)
{
    const struct json *e = json_first(value);
    bool all = e != NULL;
    for (; e; e = json_next(e)) {
        all = all && json_is(e, JSON_OBJECT);
    }
    return all;
}

static void print_buf(struct buf *text)
{
    (void)fputs(buf_text(text), stdout);
    buf_free(text);
}

/* "label   name 1   name 2 …" of the scalars in an object, broken before LINE_MAX. */
static void scalars(const char *label, const struct json *object)
{
    struct buf text = BUF_INIT;
    size_t begin = 0;
    for (const struct json *m = json_first(object); m; m = json_next(m)) {
        struct buf word = BUF_INIT;
        const char *key = json_key(m);
        if (is_container(m) || !key) {
            continue;
        }
        show_label(&word, key);
        buf_putc(&word, ' ');
        show_value(&word, key, m);
        if (text.len == 0) {
            buf_printf(&text, "%-10s ", label); /* a long one keeps its distance */
        } else if (text.len - begin + word.len + 3 > LINE_MAX) {
            buf_putc(&text, '\n');
            begin = text.len;
            buf_printf(&text, "%-11s", "");
        } else {
            buf_literal(&text, "   ");
        }
        buf_append(&text, word.data, word.len);
        buf_free(&word);
    }
    if (text.len > 0) {
        buf_putc(&text, '\n');
    }
    print_buf(&text);
}

/* A row of a table: row_name tells the unit where the columns do not (p50 of submit_us). */
static void fill_row(struct table *table, const struct json *row, const char *row_name,
                     const char *const *keys, size_t count, size_t first)
{
    for (size_t i = 0; i < count; i++) {
        struct buf text = BUF_INIT;
        const char *unit_of = *show_unit(keys[i]) || !row_name ? keys[i] : row_name;
        show_value(&text, unit_of, json_get(row, keys[i]));
        table_cell(table, first + i, buf_text(&text), NULL);
        buf_free(&text);
    }
}

static void upper(char *text)
{
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z') {
            *text = (char)(*text - 'a' + 'A');
        }
    }
}

/* The objects inside `rows` as a table. An array names its rows by their own members, an object by
 * its keys. */
static int rows_table(struct ctl *ctl, const char *label, const struct json *rows)
{
    const char *keys[COLUMNS_MAX];
    struct column columns[COLUMNS_MAX + 1];
    struct buf titles[COLUMNS_MAX];
    size_t count = 0;
    bool named = json_is(rows, JSON_OBJECT);
    for (const struct json *m = json_first(json_first(rows)); m; m = json_next(m)) {
        if (count < COLUMNS_MAX && !is_container(m) && json_key(m)) {
            titles[count] = BUF_INIT;
            show_label(&titles[count], json_key(m));
            keys[count++] = json_key(m);
        }
    }
    char title[40];
    (void)snprintf(title, sizeof title, "%s", label);
    upper(title);
    columns[0] = (struct column){title, false, false};
    for (size_t i = 0; i < count; i++) {
        bool text = json_is(json_get(json_first(rows), keys[i]), JSON_STRING);
        if (titles[i].data) {
            upper(titles[i].data);
        }
        columns[i + 1] = (struct column){buf_text(&titles[i]), !text, false};
    }
    struct table *table = table_create(columns, count + 1, false, true);
    for (const struct json *row = json_first(rows); table && row; row = json_next(row)) {
        struct buf name = BUF_INIT;
        if (table_row(table)) {
            if (named) {
                show_label(&name, json_key(row));
            }
            table_cell(table, 0, buf_text(&name), NULL);
            fill_row(table, row, json_key(row), keys, count, 1);
        }
        buf_free(&name);
    }
    for (size_t i = 0; i < count; i++) {
        buf_free(&titles[i]);
    }
    return table_print(ctl, table);
}

static void section_label(char *out, size_t size, const char *name, bool inner)
{
    struct buf text = BUF_INIT;
    show_label(&text, name);
    (void)snprintf(out, size, inner ? "  %s" : "%s", buf_text(&text));
    buf_free(&text);
}

/* One section and, indented, what it holds. Nesting deeper than that is told as a line. */
static int section(struct ctl *ctl, const char *name, const struct json *value, bool inner)
{
    char label[32];
    int status = 0;
    section_label(label, sizeof label, name, inner);
    if (!is_container(value)) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "%-10s ", label); /* a long one keeps its distance */
        show_value(&text, name, value);
        buf_putc(&text, '\n');
        print_buf(&text);
        return 0;
    }
    if (!json_first(value)) {
        return 0;
    }
    if (is_rows(value)) {
        return rows_table(ctl, label, value);
    }
    scalars(label, value);
    bool headed = false;
    for (const struct json *m = json_first(value); m && status == 0; m = json_next(m)) {
        headed = headed || !is_container(m);
    }
    if (!headed) {
        (void)printf("%s\n", label);
    }
    for (const struct json *m = json_first(value); m && status == 0; m = json_next(m)) {
        if (!is_container(m) || !json_key(m)) {
            continue;
        }
        if (!inner) {
            status = section(ctl, json_key(m), m, true);
        } else {
            char deep[48];
            char part[32];
            section_label(part, sizeof part, json_key(m), false);
            (void)snprintf(deep, sizeof deep, "  %s", part);
            if (strcmp(show_unit(json_key(m)), "_us") == 0) {
                struct buf text = BUF_INIT;
                buf_printf(&text, "%-11s", "");
                buf_printf(&text, "%s", part);
                for (const struct json *q = json_first(m); q; q = json_next(q)) {
                    buf_literal(&text, "   ");
                    show_label(&text, json_key(q) ? json_key(q) : "");
                    buf_putc(&text, ' ');
                    show_value(&text, json_key(m), q);
                }
                buf_putc(&text, '\n');
                print_buf(&text);
            } else {
                scalars(deep, m);
            }
        }
    }
    return status;
}

static double difference(const struct json *now, const struct json *before, const char *name)
{
    return json_number(json_get(json_get(now, "jobs"), name)) -
           json_number(json_get(json_get(before, "jobs"), name));
}

static void rates(const struct json *stats, const struct json *before, double seconds)
{
    static const char *const ends[] = {"succeeded", "failed", "timed_out", "canceled", "skipped"};
    double ended = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        ended += difference(stats, before, ends[i]);
    }
    (void)printf("%-11s%.1f submitted/s   %.1f started/s   %.1f ended/s\n", "rates",
                 difference(stats, before, "submitted") / seconds,
                 difference(stats, before, "started") / seconds, ended / seconds);
}

int text_stats(struct ctl *ctl, const struct json *stats, const struct json *before, double s)
{
    int status = 0;
    for (const struct json *m = json_first(stats); m && status == 0; m = json_next(m)) {
        if (m != json_first(stats) && is_container(m) && json_first(m)) {
            (void)fputc('\n', stdout);
        }
        status = section(ctl, json_key(m) ? json_key(m) : "", m, false);
        if (before && s > 0 && json_key(m) && strcmp(json_key(m), "jobs") == 0) {
            rates(stats, before, s);
        }
    }
    (void)fflush(stdout);
    return status;
}
