/* What the tests of specifications share: a parse with kinds and queues like the daemon's, and what it said. */
#ifndef TEST_SPEC_H
#define TEST_SPEC_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"
#include "suite.h"

static struct spec_error error;

/* A kind that likes {"argv":[strings…]} or {"for":…}, as the daemon's would. */
static inline int check_kind(void *ctx, const char *kind, const struct json *args, bool *unknown,
                             struct spec_error *inner)
{
    (void)ctx;
    if (strcmp(kind, "sleep") == 0) {
        return json_get(args, "for") ? SPEC_OK : spec_refuse(inner, "for", "is missing");
    }
    if (strcmp(kind, "broken") == 0) {
        return -ENOMEM;
    }
    if (strcmp(kind, "picky") == 0) {
        return spec_refuse(inner, "", "is never right");
    }
    if (strcmp(kind, "exec") != 0) {
        *unknown = true;
        return SPEC_INVALID;
    }
    size_t n = 0;
    for (const struct json *arg = json_first(json_get(args, "argv")); arg;
         arg = json_next(arg), n++) {
        if (json_string(arg) == NULL) {
            char path[32];
            snprintf(path, sizeof path, "argv[%zu]", n);
            return spec_refuse(inner, path, "must be a string");
        }
    }
    return n > 0 ? SPEC_OK : spec_refuse(inner, "argv", "must not be empty");
}

static inline bool queue_exists(void *ctx, const char *queue)
{
    (void)ctx;
    return strcmp(queue, "default") == 0 || strcmp(queue, "other") == 0;
}

static const struct spec_context plain = {.check_kind = check_kind, .queue_exists = queue_exists};

static inline int parse_with(const struct spec_context *context, const char *text, struct spec **out)
{
    struct json_error json_error;
    struct json *object = json_parse(text, strlen(text), &json_error);
    ck_assert_msg(object != NULL, "%s: %s", text, object ? "" : json_error.reason);
    memset(&error, 0, sizeof error);
    int r = spec_parse(object, context, out, &error);
    ck_assert_int_eq(r == SPEC_OK, *out != NULL);
    json_free(object);
    return r;
}

/* The members of a job that is right but for them. */
static inline struct spec *accept(const char *members)
{
    char text[2400];
    struct spec *spec;
    snprintf(text, sizeof text, "{\"argv\":[\"true\"]%s%s}", members[0] ? "," : "", members);
    int r = parse_with(&plain, text, &spec);
    ck_assert_msg(r == SPEC_OK, "%s: %s: %s", text, error.path, error.reason);
    return spec;
}

static inline void refuse(const char *members, const char *path)
{
    char text[2400];
    struct spec *spec;
    snprintf(text, sizeof text, "{\"argv\":[\"true\"],%s}", members);
    int r = parse_with(&plain, text, &spec);
    ck_assert_msg(r == SPEC_INVALID, "%s was accepted", text);
    ck_assert_str_eq(error.path, path);
    ck_assert_str_ne(error.reason, "");
}

#endif
