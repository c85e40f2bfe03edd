/* spec_values.c - one value of a specification: its type, its range, and what is said of a wrong one. Members of every
 * table are checked with these; nothing here knows which member it is.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "spec.h"
#include "spec_private.h"
#include "wire/units.h"

int spec_refuse(struct spec_error *error, const char *path, const char *format, ...)
{
    if (path != error->path) {
        snprintf(error->path, sizeof error->path, "%s", path);
    }
    va_list args;
    va_start(args, format);
    vsnprintf(error->reason, sizeof error->reason, format, args);
    va_end(args);
    return SPEC_INVALID;
}

int spec_refuse_type(struct spec_parser *parser, const char *path, const struct json *value,
                     const char *wanted)
{
    return spec_refuse(parser->error, path, "must be %s, not %s", wanted,
                       json_type_name(json_type(value)));
}

int spec_string(struct spec_parser *parser, const char *path, const struct json *value, size_t min,
                size_t max, char **out)
{
    const char *text = json_string(value);
    if (text == NULL) {
        return spec_refuse_type(parser, path, value, "a string");
    }
    size_t length = strlen(text);
    if (length < min) {
        return spec_refuse(parser->error, path, "must not be empty");
    }
    if (length > max) {
        return spec_refuse(parser->error, path, "must not be longer than %zu bytes", max);
    }
    *out = strdup(text);
    return *out == NULL ? -ENOMEM : SPEC_OK;
}

int spec_duration(struct spec_parser *parser, const char *path, const struct json *value,
                  int64_t *ns)
{
    const char *text = json_string(value);
    if (text == NULL) {
        return spec_refuse_type(parser, path, value, "a duration such as \"5s\"");
    }
    int r = units_parse_duration(text, ns);
    if (r == -ERANGE) {
        return spec_refuse(parser->error, path, "is longer than 292 years");
    }
    return r < 0 ? spec_refuse(parser->error, path, "must be a duration such as \"5s\"") : SPEC_OK;
}

int spec_integer(struct spec_parser *parser, const char *path, const struct json *value,
                 int64_t min, int64_t max, int64_t *out)
{
    if (!json_is(value, JSON_NUMBER)) {
        return spec_refuse_type(parser, path, value, "an integer");
    }
    if (!json_int(value, out)) {
        return spec_refuse(parser->error, path, "must be an integer");
    }
    if (*out < min || *out > max) {
        return spec_refuse(parser->error, path, "must be from %lld to %lld", (long long)min,
                           (long long)max);
    }
    return SPEC_OK;
}

int spec_positive_duration(struct spec_parser *parser, const char *path, const struct json *value,
                           int64_t *ns)
{
    int r = spec_duration(parser, path, value, ns);
    if (r == SPEC_OK && *ns == 0) {
        return spec_refuse(parser->error, path, "must be longer than 0s");
    }
    return r;
}
