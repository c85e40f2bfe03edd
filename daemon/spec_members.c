/* spec_members.c - the table of a specification's members, and the check of each by itself. A member that is in no table
 * is refused by its path; one that the contract knows and this version does not act on, by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"
#include "spec_private.h"
#include "wire/units.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PATH_SIZE       sizeof(((struct spec_error *)NULL)->path)

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
                                      : spec_refuse_type(parser, path, value, "an array of strings");
}

static int parse_args(struct spec_parser *parser, const char *path, const struct json *value)
{
    parser->args = value;
    return json_is(value, JSON_OBJECT) ? SPEC_OK
                                       : spec_refuse_type(parser, path, value, "an object");
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
    return spec_positive_duration(parser, path, value, &parser->spec->timeout_ns);
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
    return spec_positive_duration(parser, path, value, &spec->deadline_ns);
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
        return spec_refuse_type(parser, path, value, "an object of strings");
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
        return spec_refuse_type(parser, path, value, "an array of ids");
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

int spec_members_all(struct spec_parser *parser, const struct json *object)
{
    return spec_members(parser, parser->base, object, members, COUNT_OF(members));
}
