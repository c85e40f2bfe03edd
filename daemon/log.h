/* log.h - structured lines on stderr: a message, then key=value fields.
 *
 * Any thread. One line is one write(2), so lines of several threads never mix. Under the journal a line starts with
 * its priority ("<6>") and carries no time, because the journal keeps both; elsewhere it starts with UTC time and level.
 * Everything that came from outside is escaped: a job's name cannot forge a line.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_field_type { LOG_FIELD_END, LOG_FIELD_STRING, LOG_FIELD_INT, LOG_FIELD_ERRNO };

/* A field by value; `string` is borrowed for the length of the call. */
struct log_field {
    const char *key;
    enum log_field_type type;
    const char *string;
    int64_t number;
};

#define LOG_STR(key_, value_) ((struct log_field){(key_), LOG_FIELD_STRING, (value_), 0})
#define LOG_INT(key_, value_) ((struct log_field){(key_), LOG_FIELD_INT, NULL, (int64_t)(value_)})
/* A negative errno, written as error="its text". */
#define LOG_ERR(error_)       ((struct log_field){"error", LOG_FIELD_ERRNO, NULL, (int64_t)(error_)})
#define LOG_NONE              ((struct log_field){NULL, LOG_FIELD_END, NULL, 0})

/* Finds out once whether stderr is the journal's ($JOURNAL_STREAM names its device and inode). Before the first thread. */
void log_open(enum log_level level);
void log_set_level(enum log_level level); /* any thread */
bool log_wants(enum log_level level);
/* "error", "warning", "info", "debug". -1 when it is none of them. */
int log_level_parse(const char *name);
const char *log_level_name(enum log_level level);

/* `fields` ends with LOG_NONE. Longer lines than LOG_LINE_MAX are cut, and say so with "...". */
#define LOG_LINE_MAX 1024
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_info("listening", LOG_STR("socket", path)); log_info("ready", LOG_NONE); */
#define log_error(message, ...) \
    log_write(LOG_LEVEL_ERROR, message, (const struct log_field[]){__VA_ARGS__, LOG_NONE})
#define log_warning(message, ...) \
    log_write(LOG_LEVEL_WARNING, message, (const struct log_field[]){__VA_ARGS__, LOG_NONE})
#define log_info(message, ...) \
    log_write(LOG_LEVEL_INFO, message, (const struct log_field[]){__VA_ARGS__, LOG_NONE})
#define log_debug(message, ...) \
    log_write(LOG_LEVEL_DEBUG, message, (const struct log_field[]){__VA_ARGS__, LOG_NONE})

/* The line itself, without a newline; what log_write prints. Returns its length (< size). For tests. */
struct log_format {
    bool journal;
    int64_t unix_us;
};

int log_line(char *out, int size, const struct log_format *format, enum log_level level,
             const char *message, const struct log_field *fields);

#endif
