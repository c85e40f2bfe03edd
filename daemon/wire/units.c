/* Durations, sizes and times, both ways. Pure; whoever reads a specification or a setting calls.
 *
 * Calendar arithmetic is done here (days from a civil date) because timegm and gmtime_r depend on
 * the environment's time zone files and refuse nothing. */
#include "wire/units.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define US_PER_S   INT64_C(1000000)
#define US_PER_DAY (INT64_C(86400) * US_PER_S)

struct unit {
    const char *name;
    int64_t ns;
};

/* Descending: the order in which a duration must name them. */
static const struct unit units[] = {
    {"w", INT64_C(604800000000000)}, {"d", INT64_C(86400000000000)},
    {"h", INT64_C(3600000000000)},   {"m", INT64_C(60000000000)},
    {"s", INT64_C(1000000000)},      {"ms", INT64_C(1000000)},
    {"us", INT64_C(1000)},           {"ns", INT64_C(1)},
};
#define UNIT_COUNT (sizeof units / sizeof units[0])

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *text as a number; *text moves behind them. 0, -EINVAL (none), -ERANGE. */
static int parse_digits(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t value = 0;
    int result = is_digit(*p) ? 0 : -EINVAL;
    for (; is_digit(*p); p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
            result = -ERANGE;
        }
    }
    *text = p;
    *out = value;
    return result;
}

int units_parse_duration(const char *text, int64_t *ns)
{
    uint64_t total = 0;
    size_t next = 0; /* units must descend */
    bool overflow = false;
    if (!*text) {
        return -EINVAL;
    }
    while (*text) {
        uint64_t count;
        int result = parse_digits(&text, &count);
        if (result == -EINVAL) {
            return -EINVAL;
        }
        overflow |= result == -ERANGE;
        size_t length = strspn(text, "wdhmsun");
        size_t i = next;
        while (i < UNIT_COUNT &&
               (strlen(units[i].name) != length || memcmp(units[i].name, text, length) != 0)) {
            i++;
        }
        if (i == UNIT_COUNT) {
            return -EINVAL;
        }
        overflow |= __builtin_mul_overflow(count, (uint64_t)units[i].ns, &count) ||
                    __builtin_add_overflow(total, count, &total);
        next = i + 1;
        text += length;
    }
    if (overflow || total > INT64_MAX) {
        return -ERANGE;
    }
    *ns = (int64_t)total;
    return 0;
}

int units_parse_size(const char *text, uint64_t *bytes)
{
    uint64_t value;
    int result = parse_digits(&text, &value);
    if (result == -EINVAL) {
        return -EINVAL;
    }
    unsigned shift = 0;
    switch (*text) {
    case '\0': break;
    case 'K': shift = 10; break;
    case 'M': shift = 20; break;
    case 'G': shift = 30; break;
    case 'T': shift = 40; break;
    default: return -EINVAL;
    }
    if (*text && text[1]) {
        return -EINVAL;
    }
    if (result < 0 || value > UINT64_MAX >> shift) {
        return -ERANGE;
    }
    *bytes = value << shift;
    return 0;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (H. Hinnant, "chrono-Compatible Low-Level
 * Date Algorithms"): years begin in March, so the leap day is the last of a year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    *month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* Exactly n digits at *text; *text moves behind them. */
static bool parse_field(const char **text, int n, int *out)
{
    int value = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit((*text)[i])) {
            return false;
        }
        value = value * 10 + ((*text)[i] - '0');
    }
    *text += n;
    *out = value;
    return true;
}

static bool parse_mark(const char **text, const char *allowed)
{
    if (!**text || !strchr(allowed, **text)) {
        return false;
    }
    ++*text;
    return true;
}

static int64_t parse_fraction(const char **text)
{
    int64_t us = 0;
    int64_t scale = US_PER_S / 10;
    for (; is_digit(**text); ++*text) {
        us += (**text - '0') * scale;
        scale /= 10;
    }
    return us;
}

/* "Z" or "+hh:mm" up to the end of the text. */
static bool parse_offset(const char **text, int *minutes)
{
    *minutes = 0;
    if (!parse_mark(text, "Zz")) {
        int sign = **text == '-' ? -1 : 1;
        int hours, rest;
        if (!parse_mark(text, "+-") || !parse_field(text, 2, &hours) || !parse_mark(text, ":") ||
            !parse_field(text, 2, &rest) || hours > 23 || rest > 59) {
            return false;
        }
        *minutes = sign * (hours * 60 + rest);
    }
    return **text == '\0';
}

int units_parse_time(const char *text, int64_t *unix_us)
{
    static const int month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day, hour, minute, second, offset;
    if (!parse_field(&text, 4, &year) || !parse_mark(&text, "-") ||
        !parse_field(&text, 2, &month) || !parse_mark(&text, "-") || !parse_field(&text, 2, &day) ||
        !parse_mark(&text, "Tt") || !parse_field(&text, 2, &hour) || !parse_mark(&text, ":") ||
        !parse_field(&text, 2, &minute) || !parse_mark(&text, ":") ||
        !parse_field(&text, 2, &second)) {
        return -EINVAL;
    }
    int64_t us = 0;
    if (*text == '.') {
        text++;
        if (!is_digit(*text)) {
            return -EINVAL;
        }
        us = parse_fraction(&text);
    }
    if (!parse_offset(&text, &offset)) {
        return -EINVAL;
    }
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] ||
        (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 60) {
        return -EINVAL; /* :60 is a leap second: the next second, as the kernel counts it */
    }
    int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 +
                      second - (int64_t)offset * 60;
    *unix_us = seconds * US_PER_S + us;
    return 0;
}

static char *put_digits(char *at, int64_t value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + n;
}

void units_format_time(int64_t unix_us, char out[UNITS_TIME_SIZE])
{
    const int64_t first = days_from_civil(0, 1, 1) * US_PER_DAY;
    const int64_t last = days_from_civil(10000, 1, 1) * US_PER_DAY - 1;
    unix_us = unix_us < first ? first : unix_us > last ? last : unix_us;
    int64_t days = unix_us / US_PER_DAY;
    int64_t rest = unix_us % US_PER_DAY;
    if (rest < 0) {
        rest += US_PER_DAY;
        days--;
    }
    int64_t year;
    int month, day;
    civil_from_days(days, &year, &month, &day);
    int64_t seconds = rest / US_PER_S;
    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    *p++ = '.';
    p = put_digits(p, rest % US_PER_S, 6);
    *p++ = 'Z';
    *p = '\0';
}

void units_format_duration(int64_t ns, char out[UNITS_DURATION_SIZE])
{
    char *p = out;
    uint64_t rest = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns < 0) {
        *p++ = '-';
    }
    if (rest == 0) {
        memcpy(p, "0s", 3);
        return;
    }
    /* Weeks are read but never written: "10d" says more than "1w3d". */
    for (size_t i = 1; i < UNIT_COUNT; i++) {
        uint64_t count = rest / (uint64_t)units[i].ns;
        rest %= (uint64_t)units[i].ns;
        if (count == 0) {
            continue;
        }
        int digits = 1;
        for (uint64_t v = count; v >= 10; v /= 10) {
            digits++;
        }
        p = put_digits(p, (int64_t)count, digits);
        size_t length = strlen(units[i].name);
        memcpy(p, units[i].name, length);
        p += length;
    }
    *p = '\0';
}
