/* A specification out of JSON: the whole, and its life.
 *
 * Members come first, each by itself (spec_members.c, with spec_retry.c for one of them); here is what only the
 * whole can say: kind and arguments, times that exclude each other. Called on MAIN by the commands and by whoever
 * reads a stored specification back. */
#include "spec.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec_private.h"

#define PATH_SIZE sizeof(((struct spec_error *)NULL)->path)

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
        r = spec_refuse_type(&parser, parser.base, object, "an object");
    }
    if (r == SPEC_OK) {
        r = spec_members_all(&parser, object);
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
