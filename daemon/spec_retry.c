/* The member `retry`: when an attempt that ended badly is followed by another. Read and written
 * here, obeyed in job. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_private.h"
#include "wire/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int parse_max(struct spec_parser *parser, const char *path, const struct json *value)
{
    int64_t max = 0;
    int r = spec_integer(parser, path, value, 0, JOB_RETRY_MAX, &max);
    parser->spec->retry.max = (uint32_t)max;
    return r;
}

static int parse_backoff(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_duration(parser, path, value, &parser->spec->retry.backoff_ns);
}

static int parse_cap(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_duration(parser, path, value, &parser->spec->retry.cap_ns);
}

static int parse_range(struct spec_parser *parser, const char *path, const struct json *value,
                       int min, int max, double *out)
{
    *out = json_number(value);
    if (!json_is(value, JSON_NUMBER) || *out < min || *out > max) {
        return spec_refuse(parser->error, path, "must be a number from %d to %d", min, max);
    }
    return SPEC_OK;
}

static int parse_factor(struct spec_parser *parser, const char *path, const struct json *value)
{
    return parse_range(parser, path, value, 1, 1000, &parser->spec->retry.factor);
}

static int parse_jitter(struct spec_parser *parser, const char *path, const struct json *value)
{
    return parse_range(parser, path, value, 0, 1, &parser->spec->retry.jitter);
}

/* "exit:N" with N from 1 to 255: 0 is success and never retried. */
static bool on_exit_code(struct job_retry *retry, const char *text)
{
    int code = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits] != '\0') {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        code = code * 10 + (text[i] - '0');
    }
    if (code < 1 || code > 255) {
        return false;
    }
    retry->exits[code / 64] |= UINT64_C(1) << (code % 64);
    return true;
}

static bool on_class(struct job_retry *retry, const char *text)
{
    if (strcmp(text, "failed") == 0) {
        retry->on |= JOB_RETRY_FAILED;
        return true;
    }
    if (strcmp(text, "timed_out") == 0) {
        retry->on |= JOB_RETRY_TIMED_OUT;
        return true;
    }
    if (strcmp(text, "interrupted") == 0) {
        retry->on |= JOB_RETRY_INTERRUPTED;
        return true;
    }
    if (strncmp(text, "exit:", 5) == 0) {
        return on_exit_code(retry, text + 5);
    }
    if (strncmp(text, "signal:", 7) == 0) {
        int number = job_signal_number(text + 7);
        if (number > 0) {
            retry->signals |= UINT64_C(1) << (number - 1);
        }
        return number > 0;
    }
    return false;
}

static int parse_on(struct spec_parser *parser, const char *path, const struct json *value)
{
    struct job_retry *retry = &parser->spec->retry;
    if (!json_is(value, JSON_ARRAY)) {
        return spec_refuse(parser->error, path, "must be an array of strings");
    }
    retry->on = 0;
    size_t n = 0;
    for (const struct json *class = json_first(value); class; class = json_next(class), n++) {
        const char *text = json_string(class);
        if (text == NULL || !on_class(retry, text)) {
            char where[sizeof parser->error->path];
            snprintf(where, sizeof where, "%s[%zu]", path, n);
            return spec_refuse(parser->error, where,
                               "must be \"failed\", \"timed_out\", \"interrupted\", "
                               "\"exit:N\" or \"signal:NAME\"");
        }
    }
    return SPEC_OK;
}

int spec_parse_retry(struct spec_parser *parser, const char *path, const struct json *value)
{
    static const struct spec_member members[] = {
        {"max", parse_max}, {"backoff", parse_backoff}, {"factor", parse_factor},
        {"cap", parse_cap}, {"jitter", parse_jitter},   {"on", parse_on},
    };
    if (!json_is(value, JSON_OBJECT)) {
        return spec_refuse(parser->error, path, "must be an object, not %s",
                           json_type_name(json_type(value)));
    }
    parser->spec->has_retry = true;
    return spec_members(parser, path, value, members, COUNT_OF(members));
}

static void write_classes(struct writer *w, const struct job_retry *retry)
{
    char text[32];
    if (retry->on & JOB_RETRY_FAILED) {
        writer_string(w, "failed");
    }
    if (retry->on & JOB_RETRY_TIMED_OUT) {
        writer_string(w, "timed_out");
    }
    if (retry->on & JOB_RETRY_INTERRUPTED) {
        writer_string(w, "interrupted");
    }
    bool any = (retry->exits[0] | retry->exits[1] | retry->exits[2] | retry->exits[3]) != 0;
    for (int code = 1; any && code <= 255; code++) {
        if (retry->exits[code / 64] >> (code % 64) & 1) {
            snprintf(text, sizeof text, "exit:%d", code);
            writer_string(w, text);
        }
    }
    for (int number = 1; retry->signals != 0 && number <= 64; number++) {
        if (retry->signals >> (number - 1) & 1) {
            const char *name = job_signal_name(number);
            assert(name != NULL);
            snprintf(text, sizeof text, "signal:%s", name);
            writer_string(w, text);
        }
    }
}

void spec_write_retry(struct writer *w, const struct job_retry *retry)
{
    char text[UNITS_DURATION_SIZE];
    writer_member_object(w, "retry");
    writer_member_int(w, "max", retry->max);
    units_format_duration(retry->backoff_ns, text);
    writer_member_string(w, "backoff", text);
    writer_member_double(w, "factor", retry->factor);
    units_format_duration(retry->cap_ns, text);
    writer_member_string(w, "cap", text);
    writer_member_double(w, "jitter", retry->jitter);
    writer_member_array(w, "on");
    write_classes(w, retry);
    writer_end_array(w);
    writer_end_object(w);
}
