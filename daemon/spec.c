/* A specification out of JSON.
 *
 * One table names every member and its check; a member that is in no table is refused by its path.
 * The checks of single members come first, then what only the whole can say (kind and arguments,
 * times that exclude each other). Called on MAIN by the commands and by whoever reads a stored
 * specification back. */
#include "spec.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_private.h"
#include "wire/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_SIZE       sizeof(((struct spec_error *)NULL)->path)

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

/* --- values ----------------------------------------------------------------------------------- */

static int refuse_type(struct spec_parser *parser, const char *path, const struct json *value,
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
        return refuse_type(parser, path, value, "a string");
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
        return refuse_type(parser, path, value, "a duration such as \"5s\"");
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
        return refuse_type(parser, path, value, "an integer");
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

static int positive_duration(struct spec_parser *parser, const char *path, const struct json *value,
                             int64_t *ns)
{
    int r = spec_duration(parser, path, value, ns);
    if (r == SPEC_OK && *ns == 0) {
        return spec_refuse(parser->error, path, "must be longer than 0s");
    }
    return r;
}

/* --- members ---------------------------------------------------------------------------------- */

static int parse_kind(struct spec_parser *parser, const char *path, const struct json *value)
{
    static const char *const later[] = {"seq", "all", "race", "any", "map", "schedule"};
    int r = spec_string(parser, path, value, 1, SPEC_KIND_MAX, &parser->spec->kind);
    for (size_t i = 0; r == SPEC_OK && i < COUNT_OF(later); i++) {
        if (strcmp(parser->spec->kind, later[i]) == 0) {
            return spec_refuse(parser->error, path, "\"%s\" is not supported yet", later[i]);
        }
    }
    return r;
}

static int parse_argv(struct spec_parser *parser, const char *path, const struct json *value)
{
    parser->argv = value;
    return json_is(value, JSON_ARRAY) ? SPEC_OK
                                      : refuse_type(parser, path, value, "an array of strings");
}

static int parse_args(struct spec_parser *parser, const char *path, const struct json *value)
{
    parser->args = value;
    return json_is(value, JSON_OBJECT) ? SPEC_OK : refuse_type(parser, path, value, "an object");
}

static int parse_name(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_string(parser, path, value, 0, SPEC_NAME_MAX, &parser->spec->name);
}

static int parse_key(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_string(parser, path, value, 1, SPEC_NAME_MAX, &parser->spec->key);
}

static int parse_queue(struct spec_parser *parser, const char *path, const struct json *value)
{
    const struct spec_context *context = parser->context;
    int r = spec_string(parser, path, value, 1, SPEC_NAME_MAX, &parser->spec->queue);
    if (r == SPEC_OK && context->queue_exists != NULL &&
        !context->queue_exists(context->ctx, parser->spec->queue)) {
        return spec_refuse(parser->error, path, "there is no such queue");
    }
    return r;
}

static int parse_priority(struct spec_parser *parser, const char *path, const struct json *value)
{
    int64_t priority = 0;
    int r = spec_integer(parser, path, value, -SPEC_PRIORITY_MAX, SPEC_PRIORITY_MAX, &priority);
    if (r != SPEC_OK) {
        return r;
    }
    parser->spec->priority = (int)priority;
    if (priority > 0 && !parser->context->admin) {
        spec_refuse(parser->error, path, "a priority above 0 is for admins");
        return SPEC_NOT_PERMITTED;
    }
    return SPEC_OK;
}

static int parse_delay(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_duration(parser, path, value, &parser->spec->delay_ns);
}

static int parse_at(struct spec_parser *parser, const char *path, const struct json *value)
{
    const char *text = json_string(value);
    if (text == NULL || units_parse_time(text, &parser->spec->at_us) < 0) {
        return spec_refuse(parser->error, path, "must be a time such as \"2030-01-31T08:00:00Z\"");
    }
    return parser->spec->at_us > 0 ? SPEC_OK
                                   : spec_refuse(parser->error, path, "must be later than 1970");
}

static int parse_timeout(struct spec_parser *parser, const char *path, const struct json *value)
{
    return positive_duration(parser, path, value, &parser->spec->timeout_ns);
}

static int parse_deadline(struct spec_parser *parser, const char *path, const struct json *value)
{
    struct spec *spec = parser->spec;
    const char *text = json_string(value);
    if (text != NULL && units_parse_time(text, &spec->deadline_at_us) == 0) {
        return spec->deadline_at_us > 0
                   ? SPEC_OK
                   : spec_refuse(parser->error, path, "must be later than 1970");
    }
    spec->deadline_at_us = 0;
    if (text != NULL && units_parse_duration(text, &spec->deadline_ns) == -EINVAL) {
        return spec_refuse(parser->error, path, "must be a duration or a time");
    }
    return positive_duration(parser, path, value, &spec->deadline_ns);
}

static int parse_keep(struct spec_parser *parser, const char *path, const struct json *value)
{
    return spec_duration(parser, path, value, &parser->spec->keep_ns);
}

static int compare_labels(const void *a, const void *b)
{
    return strcmp(((const struct spec_label *)a)->name, ((const struct spec_label *)b)->name);
}

static int parse_labels(struct spec_parser *parser, const char *path, const struct json *value)
{
    struct spec *spec = parser->spec;
    if (!json_is(value, JSON_OBJECT)) {
        return refuse_type(parser, path, value, "an object of strings");
    }
    if (json_count(value) > SPEC_LABELS_MAX) {
        return spec_refuse(parser->error, path, "has more than %d labels", SPEC_LABELS_MAX);
    }
    spec->labels = calloc(json_count(value) + 1, sizeof *spec->labels);
    if (spec->labels == NULL) {
        return -ENOMEM;
    }
    for (const struct json *label = json_first(value); label; label = json_next(label)) {
        char where[PATH_SIZE];
        const char *name = json_key(label);
        snprintf(where, sizeof where, "%s.%s", path, name);
        if (name[0] == '\0' || strlen(name) > SPEC_LABEL_NAME_MAX) {
            return spec_refuse(parser->error, where, "a label's name has 1 to %d bytes",
                               SPEC_LABEL_NAME_MAX);
        }
        struct spec_label *out = &spec->labels[spec->label_count];
        int r = spec_string(parser, where, label, 0, SPEC_LABEL_VALUE_MAX, &out->value);
        if (r != SPEC_OK) {
            return r;
        }
        spec->label_count++;
        out->name = strdup(name);
        if (out->name == NULL) {
            return -ENOMEM;
        }
    }
    qsort(spec->labels, spec->label_count, sizeof *spec->labels, compare_labels);
    return SPEC_OK;
}

/* One element of `after`: an id, or "#k" of the same submit_many. */
static int parse_after_one(struct spec_parser *parser, const char *path, const struct json *value,
                           struct spec_after *out)
{
    const char *text = json_string(value);
    *out = (struct spec_after){.id = 0, .index = -1};
    if (text == NULL) {
        return spec_integer(parser, path, value, 1, SPEC_ID_MAX, &out->id);
    }
    char *end = NULL;
    bool digits = text[0] == '#' && text[1] >= '0' && text[1] <= '9' && strlen(text) <= 6;
    long index = digits ? strtol(text + 1, &end, 10) : -1;
    if (!digits || *end != '\0') {
        return spec_refuse(parser->error, path, "must be an id or \"#k\"");
    }
    if (!parser->context->many || index >= (long)parser->context->index) {
        return spec_refuse(parser->error, path,
                           "must name a job that stands earlier in the same submit_many");
    }
    out->index = (int32_t)index;
    return SPEC_OK;
}

static int parse_after(struct spec_parser *parser, const char *path, const struct json *value)
{
    struct spec *spec = parser->spec;
    if (!json_is(value, JSON_ARRAY)) {
        return refuse_type(parser, path, value, "an array of ids");
    }
    if (json_count(value) > SPEC_AFTER_MAX) {
        return spec_refuse(parser->error, path, "has more than %d ids", SPEC_AFTER_MAX);
    }
    spec->after = calloc(json_count(value) + 1, sizeof *spec->after);
    if (spec->after == NULL) {
        return -ENOMEM;
    }
    for (const struct json *id = json_first(value); id; id = json_next(id)) {
        char where[PATH_SIZE];
        snprintf(where, sizeof where, "%s[%zu]", path, spec->after_count);
        int r = parse_after_one(parser, where, id, &spec->after[spec->after_count]);
        if (r != SPEC_OK) {
            return r;
        }
        spec->after_count++;
    }
    return SPEC_OK;
}

static int parse_after_policy(struct spec_parser *parser, const char *path, const struct json *value)
{
    const char *text = json_string(value);
    if (text == NULL || (strcmp(text, "success") != 0 && strcmp(text, "any") != 0)) {
        return spec_refuse(parser->error, path, "must be \"success\" or \"any\"");
    }
    parser->spec->after_any = text[0] == 'a';
    return SPEC_OK;
}

/* What the contract names and this version does not act on: refused, never ignored. */
static int parse_later(struct spec_parser *parser, const char *path, const struct json *value)
{
    (void)value;
    return spec_refuse(parser->error, path, "is not supported yet");
}

static const struct spec_member members[] = {
    {"kind", parse_kind},        {"argv", parse_argv},
    {"args", parse_args},        {"name", parse_name},
    {"queue", parse_queue},      {"priority", parse_priority},
    {"delay", parse_delay},      {"at", parse_at},
    {"every", parse_later},      {"cron", parse_later},
    {"catch_up", parse_later},   {"overlap", parse_later},
    {"after", parse_after},      {"after_policy", parse_after_policy},
    {"timeout", parse_timeout},  {"deadline", parse_deadline},
    {"retry", spec_parse_retry}, {"key", parse_key},
    {"uses", parse_later},       {"labels", parse_labels},
    {"keep", parse_keep},
};

const struct spec_member *spec_member_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

int spec_members(struct spec_parser *parser, const char *base, const struct json *object,
                 const struct spec_member *table, size_t count)
{
    for (const struct json *value = json_first(object); value; value = json_next(value)) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s.%s", base, json_key(value));
        const struct spec_member *member = NULL;
        for (size_t i = 0; i < count && member == NULL; i++) {
            if (strcmp(table[i].name, json_key(value)) == 0) {
                member = &table[i];
            }
        }
        if (member == NULL) {
            return spec_refuse(parser->error, path, "unknown member");
        }
        int r = member->parse(parser, path, value);
        if (r != SPEC_OK) {
            return r;
        }
    }
    return SPEC_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* `argv` is short for kind exec with that argument. */
static int expand_argv(struct spec_parser *parser, struct buf *text)
{
    struct spec *spec = parser->spec;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s.argv", parser->base);
    if (parser->args != NULL) {
        return spec_refuse(parser->error, path, "excludes args");
    }
    if (spec->kind != NULL && strcmp(spec->kind, "exec") != 0) {
        return spec_refuse(parser->error, path, "is for kind \"exec\" only");
    }
    if (spec->kind == NULL && (spec->kind = strdup("exec")) == NULL) {
        return -ENOMEM;
    }
    buf_literal(text, "{\"argv\":");
    writer_canonical(text, parser->argv);
    buf_putc(text, '}');
    return SPEC_OK;
}

/* The kind's own check; its path is relative to the arguments. */
static int check_kind(struct spec_parser *parser)
{
    const struct spec_context *context = parser->context;
    struct spec *spec = parser->spec;
    const struct json *args = spec_args(spec);
    if (args == NULL) {
        return -ENOMEM;
    }
    if (context->check_kind == NULL) {
        return SPEC_OK;
    }
    bool unknown = false;
    struct spec_error inner = {"", ""};
    int r = context->check_kind(context->ctx, spec->kind, args, &unknown, &inner);
    if (r == SPEC_OK || r < 0) {
        return r;
    }
    char path[PATH_SIZE * 2];
    if (unknown) {
        snprintf(path, sizeof path, "%s.kind", parser->base);
        return spec_refuse(parser->error, path, "there is no kind \"%s\"", spec->kind);
    }
    const char *dot = inner.path[0] == '\0' || inner.path[0] == '[' ? "" : ".";
    snprintf(path, sizeof path, "%s%s%s%s", parser->base, parser->argv ? "" : ".args", dot,
             inner.path);
    spec_refuse(parser->error, path, "%s", inner.reason);
    return r;
}

static int finish_args(struct spec_parser *parser)
{
    struct spec *spec = parser->spec;
    struct buf text = BUF_INIT;
    int r = SPEC_OK;
    if (parser->argv != NULL) {
        r = expand_argv(parser, &text);
    } else if (spec->kind == NULL) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s.kind", parser->base);
        r = spec_refuse(parser->error, path, "is missing (or argv, for a command)");
    } else if (parser->args != NULL) {
        writer_canonical(&text, parser->args);
    } else {
        buf_literal(&text, "{}");
    }
    if (r != SPEC_OK) {
        buf_free(&text);
        return r;
    }
    spec->args_len = text.len;
    spec->args = buf_take(&text);
    return spec->args == NULL ? -ENOMEM : check_kind(parser);
}

static int finish(struct spec_parser *parser)
{
    struct spec *spec = parser->spec;
    if (spec->delay_ns > 0 && spec->at_us > 0) {
        char path[PATH_SIZE];
        snprintf(path, sizeof path, "%s.at", parser->base);
        return spec_refuse(parser->error, path, "excludes delay");
    }
    if (spec->queue == NULL) {
        spec->queue = strdup(SPEC_QUEUE_DEFAULT);
        if (spec->queue == NULL) {
            return -ENOMEM;
        }
    }
    return finish_args(parser);
}

int spec_parse(const struct json *object, const struct spec_context *context, struct spec **out,
               struct spec_error *error)
{
    struct spec_parser parser = {
        .context = context,
        .spec = calloc(1, sizeof(struct spec)),
        .error = error,
        .base = context->path ? context->path : "params",
    };
    *out = NULL;
    if (parser.spec == NULL) {
        return -ENOMEM;
    }
    parser.spec->keep_ns = -1;
    job_retry_default(&parser.spec->retry);
    int r = SPEC_OK;
    if (!json_is(object, JSON_OBJECT)) {
        r = refuse_type(&parser, parser.base, object, "an object");
    }
    if (r == SPEC_OK) {
        r = spec_members(&parser, parser.base, object, members, COUNT_OF(members));
    }
    if (r == SPEC_OK) {
        r = finish(&parser);
    }
    if (r != SPEC_OK) {
        spec_free(parser.spec);
        return r;
    }
    *out = parser.spec;
    return SPEC_OK;
}

void spec_free(struct spec *spec)
{
    if (spec == NULL) {
        return;
    }
    for (size_t i = 0; i < spec->label_count; i++) {
        free(spec->labels[i].name);
        free(spec->labels[i].value);
    }
    json_free(spec->parsed_args);
    free(spec->labels);
    free(spec->after);
    free(spec->kind);
    free(spec->args);
    free(spec->name);
    free(spec->queue);
    free(spec->key);
    free(spec);
}

const struct json *spec_args(struct spec *spec)
{
    if (spec->parsed_args == NULL) {
        struct json_error error;
        spec->parsed_args = json_parse(spec->args, spec->args_len, &error);
        assert(spec->parsed_args != NULL || error.out_of_memory);
    }
    return spec->parsed_args;
}

void spec_resolve(const struct spec *spec, int64_t now_us, int64_t *run_at_us, int64_t *deadline_us)
{
    int64_t delay_us = spec->delay_ns / 1000 + (spec->delay_ns % 1000 != 0);
    int64_t limit_us = spec->deadline_ns / 1000 + (spec->deadline_ns % 1000 != 0);
    *run_at_us = spec->delay_ns > 0 ? now_us + delay_us : spec->at_us;
    *deadline_us = spec->deadline_ns > 0 ? now_us + limit_us : spec->deadline_at_us;
    if (*run_at_us <= now_us) {
        *run_at_us = 0;
    }
}
