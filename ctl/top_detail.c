/* See top_detail.h. */
#include "top_detail.h"

#include <stdbool.h>
#include <string.h>

#include "show.h"
#include "terminal.h"

#define INDENT    2
#define DEPTH_MAX 8

static bool is_container(const struct json *value)
{
    return json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY);
}

static bool is_empty(const struct json *value)
{
    return json_is(value, JSON_NULL) || (is_container(value) && json_count(value) == 0);
}

/* All elements stand in one line: no container among them. */
static bool is_flat(const struct json *value)
{
    for (const struct json *e = json_first(value); e; e = json_next(e)) {
        if (is_container(e)) {
            return false;
        }
    }
    return true;
}

static void flat(struct buf *out, const struct json *container)
{
    bool first = true;
    for (const struct json *e = json_first(container); e; e = json_next(e)) {
        const char *key = json_key(e);
        if (json_is(e, JSON_NULL)) {
            continue;
        }
        if (!first) {
            buf_puts(out, key ? ", " : " ");
        }
        first = false;
        if (key) {
            show_label(out, key);
            buf_putc(out, ' ');
        }
        show_value(out, key, e);
    }
}

static bool is_in(const char *const *names, const char *key)
{
    for (; names && *names && key; names++) {
        if (strcmp(*names, key) == 0) {
            return true;
        }
    }
    return false;
}

static void lines(struct buf *out, const struct json *container, int depth, const char *const *skip)
{
    for (const struct json *e = json_first(container); e; e = json_next(e)) {
        const char *key = json_key(e);
        if (is_empty(e) || is_in(skip, key)) {
            continue;
        }
        buf_printf(out, "%*s", depth * INDENT, "");
        if (key) {
            struct buf label = BUF_INIT;
            show_label(&label, key);
            buf_printf(out, "%-12s ", buf_text(&label));
            buf_free(&label);
        }
        if (!is_container(e)) {
            show_value(out, key, e);
            buf_putc(out, '\n');
        } else if (is_flat(e) || depth >= DEPTH_MAX) {
            flat(out, e);
            buf_putc(out, '\n');
        } else {
            buf_putc(out, '\n');
            lines(out, e, depth + 1, NULL);
        }
    }
}

void top_detail(struct buf *out, const char *title, const struct json *value,
                const char *const *skip)
{
    buf_puts(out, title);
    buf_putc(out, '\n');
    lines(out, value, 1, skip);
}
