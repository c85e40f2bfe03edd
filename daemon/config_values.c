/* config_values.c - the text of a setting as a number: yes and no, words, counts, durations, sizes. What it may be says the
 * table of whoever asks.
 */
#include <cosched/cosched.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_private.h"
#include "wire/units.h"

int config_refuse(char *why, const char *text)
{
    snprintf(why, 256, "%s", text);
    return -EINVAL;
}

static int parse_bool(const char *value, int64_t *out)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *out = strcmp(value, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_help(const char *value, int64_t *out)
{
    static const char *const words[] = {
        [COSCHED_HELP_IDLE] = "idle", [COSCHED_HELP_OFF] = "off", [COSCHED_HELP_ALWAYS] = "always"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(value, words[i]) == 0) {
            *out = (int64_t)i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_int(const char *value, int64_t *out)
{
    char *end = NULL;
    if (*value != '-' && (*value < '0' || *value > '9')) {
        return -EINVAL; /* strtoll would take blanks and a plus sign */
    }
    errno = 0;
    long long number = strtoll(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0') {
        return -EINVAL;
    }
    *out = number;
    return 0;
}

int config_parse_number(enum config_type type, const char *value, int64_t *out, char *why)
{
    uint64_t size = 0;
    int level;
    switch (type) {
    case BOOL: return parse_bool(value, out) < 0 ? config_refuse(why, "must be yes or no") : 0;
    case INT: return parse_int(value, out) < 0 ? config_refuse(why, "must be a whole number") : 0;
    case WORKERS:
        if (strcmp(value, "auto") == 0) {
            *out = -1;
            return 0;
        }
        return parse_int(value, out) < 0 ? config_refuse(why, "must be a whole number, or auto") : 0;
    case LEVEL:
        level = log_level_parse(value);
        *out = level;
        return level < 0 ? config_refuse(why, "must be error, warning, info or debug") : 0;
    case HELP:
        return parse_help(value, out) < 0 ? config_refuse(why, "must be idle, off or always") : 0;
    case DURATION:
        return units_parse_duration(value, out) < 0
                   ? config_refuse(why, "must be a duration such as 250ms, 5s, 1h30m")
                   : 0;
    case SIZE:
        if (units_parse_size(value, &size) < 0 || size > INT64_MAX) {
            return config_refuse(why, "must be a size such as 64K, 10M, 1G");
        }
        *out = (int64_t)size;
        return 0;
    case TEXT:
    case UNSUPPORTED: break;
    }
    abort();
}
