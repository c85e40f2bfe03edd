/* Numbers and outcomes as people read them. Pure, but for the clock. */
#include "show.h"

#include <string.h>
#include <time.h>

#include "terminal.h"
#include "wire/units.h"

#define US_PER_S 1e6

void show_duration_us(struct buf *out, double us)
{
    if (us < 0) {
        us = 0;
    }
    if (us < 1000) {
        buf_printf(out, "%.0fus", us);
    } else if (us < US_PER_S) {
        buf_printf(out, us < 1e5 ? "%.1fms" : "%.0fms", us / 1000);
    } else if (us < 60 * US_PER_S) {
        buf_printf(out, "%.1fs", us / US_PER_S);
    } else {
        long long s = (long long)(us / US_PER_S);
        if (s < 3600) {
            buf_printf(out, "%lldm%02llds", s / 60, s % 60);
        } else if (s < 86400) {
            buf_printf(out, "%lldh%02lldm", s / 3600, s / 60 % 60);
        } else {
            buf_printf(out, "%lldd%02lldh", s / 86400, s / 3600 % 24);
        }
    }
}

void show_bytes(struct buf *out, double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        i++;
    }
    buf_printf(out, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

void show_number(struct buf *out, double value)
{
    bool exact = value > -9e15 && value < 9e15;
    double whole = exact ? (double)(long long)value : 0;
    if (exact && !(value < whole || value > whole)) {
        buf_int(out, (long long)value);
    } else {
        buf_printf(out, "%.2f", value);
    }
}

int64_t show_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t show_elapsed_us(const struct json *then, int64_t now_us)
{
    int64_t then_us;
    const char *text = json_string(then);
    if (!text || units_parse_time(text, &then_us) < 0) {
        return -1;
    }
    return now_us > then_us ? now_us - then_us : 0;
}

const char *show_unit(const char *name)
{
    static const char *const units[] = {"_us", "_ms", "_s", "_bytes", "_pct"};
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t u = strlen(units[i]);
        if (n > u && strcmp(name + n - u, units[i]) == 0) {
            return units[i];
        }
    }
    return strcmp(name, "bytes") == 0 ? "_bytes" : "";
}

void show_label(struct buf *out, const char *name)
{
    size_t from = out->len;
    size_t n = strlen(name);
    size_t u = strlen(show_unit(name));
    terminal_clean(out, name, n > u ? n - u : n);
    for (size_t i = from; i < out->len; i++) {
        if (out->data[i] == '_') {
            out->data[i] = ' ';
        }
    }
}

void show_value(struct buf *out, const char *unit_of, const struct json *value)
{
    const char *unit = show_unit(unit_of ? unit_of : "");
    double number = json_number(value);
    switch (json_type(value)) {
    case JSON_NUMBER: break;
    case JSON_STRING: {
        const char *text = json_string(value);
        terminal_clean(out, text, strlen(text));
        return;
    }
    case JSON_BOOL: buf_puts(out, json_bool(value) ? "yes" : "no"); return;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT: buf_putc(out, '-'); return;
    }
    if (strcmp(unit, "_us") == 0) {
        show_duration_us(out, number);
    } else if (strcmp(unit, "_ms") == 0) {
        show_duration_us(out, number * 1000);
    } else if (strcmp(unit, "_s") == 0 && number < 60) {
        show_number(out, number);
        buf_putc(out, 's');
    } else if (strcmp(unit, "_s") == 0) {
        show_duration_us(out, number * US_PER_S);
    } else if (strcmp(unit, "_bytes") == 0) {
        show_bytes(out, number);
    } else if (strcmp(unit, "_pct") == 0) {
        buf_printf(out, "%.1f%%", number);
    } else {
        show_number(out, number);
    }
}

void show_outcome(struct buf *out, const struct json *job)
{
    const struct json *error = json_get(job, "error");
    const char *name = json_string(json_get(error, "name"));
    const char *message = json_string(json_get(error, "message"));
    const struct json *signal = json_get(job, "signal");
    int64_t code;
    if (name) {
        terminal_clean(out, name, strlen(name));
        if (message) {
            buf_literal(out, ": ");
            terminal_clean(out, message, strlen(message));
        }
    } else if (json_is(signal, JSON_STRING) || json_is(signal, JSON_NUMBER)) {
        buf_literal(out, "signal ");
        show_value(out, NULL, signal);
    } else if (json_int(json_get(job, "exit_code"), &code) && code != 0) {
        buf_literal(out, "exit code ");
        buf_int(out, code);
    }
}
