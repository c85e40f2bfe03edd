/* A specification that is accepted is changed before its job starts: the members of the verb `edit`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_private.h"

static void clear_queue(struct spec *spec)
{
    free(spec->queue);
    spec->queue = NULL;
}

static void clear_priority(struct spec *spec)
{
    spec->priority = 0;
}

static void clear_after(struct spec *spec)
{
    free(spec->after);
    spec->after = NULL;
    spec->after_count = 0;
}

static void clear_time(struct spec *spec)
{
    spec->delay_ns = 0;
    spec->at_us = 0;
}

static void clear_timeout(struct spec *spec)
{
    spec->timeout_ns = 0;
}

static void clear_deadline(struct spec *spec)
{
    spec->deadline_ns = 0;
    spec->deadline_at_us = 0;
}

static void clear_labels(struct spec *spec)
{
    for (size_t i = 0; i < spec->label_count; i++) {
        free(spec->labels[i].name);
        free(spec->labels[i].value);
    }
    free(spec->labels);
    spec->labels = NULL;
    spec->label_count = 0;
}

static void clear_name(struct spec *spec)
{
    free(spec->name);
    spec->name = NULL;
}

static const struct {
    const char *name;
    unsigned bit;
    void (*clear)(struct spec *spec);
} edits[] = {
    {"queue", SPEC_EDIT_QUEUE, clear_queue},
    {"priority", SPEC_EDIT_PRIORITY, clear_priority},
    {"after", SPEC_EDIT_AFTER, clear_after},
    {"delay", SPEC_EDIT_TIME, clear_time},
    {"at", SPEC_EDIT_TIME, clear_time},
    {"timeout", SPEC_EDIT_TIMEOUT, clear_timeout},
    {"deadline", SPEC_EDIT_DEADLINE, clear_deadline},
    {"labels", SPEC_EDIT_LABELS, clear_labels},
    {"name", SPEC_EDIT_NAME, clear_name},
};

static int edit_one(struct spec_parser *parser, const struct json *value, unsigned *changed)
{
    const char *name = json_key(value);
    const struct spec_member *member = spec_member_find(name);
    char path[sizeof parser->error->path];
    size_t i = 0;
    snprintf(path, sizeof path, "%s.%s", parser->base, name);
    while (i < sizeof edits / sizeof edits[0] && strcmp(edits[i].name, name) != 0) {
        i++;
    }
    if (i == sizeof edits / sizeof edits[0]) {
        return spec_refuse(parser->error, path, member ? "cannot be edited" : "unknown member");
    }
    edits[i].clear(parser->spec);
    *changed |= edits[i].bit;
    return json_type(value) == JSON_NULL ? SPEC_OK : member->parse(parser, path, value);
}

int spec_edit(struct spec *spec, const struct json *set, const struct spec_context *context,
              unsigned *changed, struct spec_error *error)
{
    struct spec_parser parser = {
        .context = context,
        .spec = spec,
        .error = error,
        .base = context->path ? context->path : "params",
    };
    char path[sizeof error->path];
    *changed = 0;
    if (!json_is(set, JSON_OBJECT) || json_count(set) == 0) {
        return spec_refuse(error, parser.base, "must be an object that is not empty");
    }
    snprintf(path, sizeof path, "%s.at", parser.base);
    if (json_get(set, "at") && json_get(set, "delay")) {
        return spec_refuse(error, path, "excludes delay");
    }
    for (const struct json *value = json_first(set); value; value = json_next(value)) {
        int r = edit_one(&parser, value, changed);
        if (r != SPEC_OK) {
            return r;
        }
    }
    if (spec->queue == NULL) {
        spec->queue = strdup(SPEC_QUEUE_DEFAULT);
    }
    return spec->queue == NULL ? -ENOMEM : SPEC_OK;
}
