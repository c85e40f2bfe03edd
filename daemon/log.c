/* log.c - see log.h. Lines are built in a small array on the caller's stack: no lock, no allocation, nothing that
 * could fail when the daemon is in trouble. snprintf is used for integers only; %g alone would take 3.6 KiB of a
 * task's stack.
 */
#include "log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static atomic_int current_level = LOG_LEVEL_INFO; /* relaxed: a late change of level harms nobody */
static bool to_journal;                           /* const after log_open */

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char level_priorities[] = {'3', '4', '6', '7'};

static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM"); /* "DEVICE:INODE" */
    char *colon = NULL, *end = NULL;
    struct stat status;
    if (!stream) {
        return false;
    }
    errno = 0;
    unsigned long long device = strtoull(stream, &colon, 10);
    if (colon == stream || *colon != ':') {
        return false;
    }
    unsigned long long inode = strtoull(colon + 1, &end, 10);
    if (end == colon + 1 || errno != 0) {
        return false;
    }
    return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_open(enum log_level level)
{
    to_journal = stderr_is_journal();
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&current_level, (int)level, memory_order_relaxed);
}

bool log_wants(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

int log_level_parse(const char *name)
{
    for (int i = 0; i < (int)(sizeof level_names / sizeof *level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return i;
        }
    }
    return -1;
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

/* --- building a line --------------------------------------------------------------------------------- */

struct line {
    char *out;
    int size, length;
    bool cut;
};

static void put(struct line *line, char c)
{
    if (line->length < line->size - 1) {
        line->out[line->length++] = c;
    } else {
        line->cut = true;
    }
}

static void put_text(struct line *line, const char *text)
{
    while (*text) {
        put(line, *text++);
    }
}

static void put_int(struct line *line, int64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    put_text(line, digits);
}

/* Control characters (DEL too) become \xNN, so a terminal or a log parser never sees them raw; bytes from 0x80 on
 * pass, for they are UTF-8. C1 controls are spelled 0xC2 0x80..0x9F in UTF-8 and are caught as that pair. */
static void put_escaped(struct line *line, const char *text, bool quoted)
{
    static const char hex[] = "0123456789abcdef";
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool c1 = p[0] == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0;
        if (*p < 0x20 || *p == 0x7F || c1) {
            unsigned char byte = c1 ? *++p : *p;
            put(line, '\\');
            put(line, 'x');
            put(line, hex[byte >> 4]);
            put(line, hex[byte & 15]);
        } else {
            if (*p == '\\' || (quoted && *p == '"')) {
                put(line, '\\');
            }
            put(line, (char)*p);
        }
    }
}

static bool needs_quotes(const char *text)
{
    if (!*text) {
        return true;
    }
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p <= ' ' || *p == '"' || *p == '=' || *p == 0x7F) {
            return true;
        }
    }
    return false;
}

static void put_value(struct line *line, const char *text)
{
    bool quoted = needs_quotes(text);
    if (quoted) {
        put(line, '"');
    }
    put_escaped(line, text, quoted);
    if (quoted) {
        put(line, '"');
    }
}

static void put_field(struct line *line, const struct log_field *field)
{
    put(line, ' ');
    put_text(line, field->key);
    put(line, '=');
    switch (field->type) {
    case LOG_FIELD_STRING: put_value(line, field->string ? field->string : "-"); break;
    case LOG_FIELD_INT: put_int(line, field->number); break;
    case LOG_FIELD_ERRNO: {
        char text[128] = "";
        put_value(line, strerror_r((int)-field->number, text, sizeof text));
        break;
    }
    case LOG_FIELD_END: break;
    }
}

static void put_prefix(struct line *line, const struct log_format *format, enum log_level level)
{
    if (format->journal) {
        put(line, '<');
        put(line, level_priorities[level]);
        put(line, '>');
        return;
    }
    char text[48];
    struct tm utc;
    time_t seconds = (time_t)(format->unix_us / 1000000);
    gmtime_r(&seconds, &utc);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + n, sizeof text - n, ".%06dZ ", (int)(format->unix_us % 1000000));
    put_text(line, text);
    put_text(line, level_names[level]);
    put(line, ' ');
}

int log_line(char *out, int size, const struct log_format *format, enum log_level level,
             const char *message, const struct log_field *fields)
{
    struct line line = {out, size, 0, false};
    put_prefix(&line, format, level);
    put_escaped(&line, message, false);
    for (const struct log_field *f = fields; f->type != LOG_FIELD_END; f++) {
        put_field(&line, f);
    }
    if (line.cut && line.length >= 3) {
        memcpy(out + line.length - 3, "...", 3);
    }
    out[line.length] = '\0';
    return line.length;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_wants(level)) {
        return;
    }
    char text[LOG_LINE_MAX + 1];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct log_format format = {to_journal, (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000};
    int length = log_line(text, LOG_LINE_MAX, &format, level, message, fields);
    text[length++] = '\n';
    /* A stderr that is gone or full must not stop the daemon: what cannot be written is lost. */
    ssize_t written = write(STDERR_FILENO, text, (size_t)length);
    (void)written;
}
