/* A specification back into JSON, in one form: what the store keeps, what a key compares, what
 * `get` shows. */
#define XXH_INLINE_ALL
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "spec_private.h"
#include "wire/units.h"

static void write_duration(struct writer *w, const char *key, int64_t ns)
{
    char text[UNITS_DURATION_SIZE];
    units_format_duration(ns, text);
    writer_member_string(w, key, text);
}

static void write_time(struct writer *w, const char *key, int64_t unix_us)
{
    char text[UNITS_TIME_SIZE];
    units_format_time(unix_us, text);
    writer_member_string(w, key, text);
}

/* The environment may hold secrets: names are shown, values are not. */
static void write_hidden_env(struct writer *w, const struct json *env)
{
    writer_member_object(w, "env");
    for (const struct json *value = json_first(env); value; value = json_next(value)) {
        if (json_is(value, JSON_NULL)) {
            writer_member_null(w, json_key(value));
        } else {
            writer_member_string(w, json_key(value), "***");
        }
    }
    writer_end_object(w);
}

static void write_args(struct writer *w, const struct spec *spec, unsigned flags)
{
    /* Text that holds no "env" needs no second look. */
    if (!(flags & SPEC_WRITE_HIDE_ENV) || strstr(spec->args, "\"env\"") == NULL) {
        writer_member_raw(w, "args", spec->args, spec->args_len);
        return;
    }
    struct json_error error;
    struct json *args = json_parse(spec->args, spec->args_len, &error);
    if (args == NULL) {
        w->out->failed = true; /* out of memory: better no answer than one with secrets */
        return;
    }
    writer_member_object(w, "args");
    for (const struct json *value = json_first(args); value; value = json_next(value)) {
        if (strcmp(json_key(value), "env") == 0) {
            write_hidden_env(w, value);
        } else {
            writer_member_value(w, json_key(value), value);
        }
    }
    writer_end_object(w);
    json_free(args);
}

static void write_times(struct writer *w, const struct spec *spec)
{
    if (spec->delay_ns > 0) {
        write_duration(w, "delay", spec->delay_ns);
    }
    if (spec->at_us > 0) {
        write_time(w, "at", spec->at_us);
    }
    if (spec->timeout_ns > 0) {
        write_duration(w, "timeout", spec->timeout_ns);
    }
    if (spec->deadline_ns > 0) {
        write_duration(w, "deadline", spec->deadline_ns);
    } else if (spec->deadline_at_us > 0) {
        write_time(w, "deadline", spec->deadline_at_us);
    }
    if (spec->keep_ns >= 0) {
        write_duration(w, "keep", spec->keep_ns);
    }
}

static void write_after(struct writer *w, const struct spec *spec)
{
    writer_member_array(w, "after");
    for (size_t i = 0; i < spec->after_count; i++) {
        if (spec->after[i].index >= 0) {
            char text[16];
            snprintf(text, sizeof text, "#%d", (int)spec->after[i].index);
            writer_string(w, text);
        } else {
            writer_int(w, spec->after[i].id);
        }
    }
    writer_end_array(w);
    if (spec->after_any) {
        writer_member_string(w, "after_policy", "any");
    }
}

static void write_labels(struct writer *w, const struct spec *spec)
{
    writer_member_object(w, "labels");
    for (size_t i = 0; i < spec->label_count; i++) {
        writer_member_string(w, spec->labels[i].name, spec->labels[i].value);
    }
    writer_end_object(w);
}

void spec_write(struct writer *w, const struct spec *spec, unsigned flags)
{
    writer_object(w);
    writer_member_string(w, "kind", spec->kind);
    write_args(w, spec, flags);
    if (spec->name != NULL) {
        writer_member_string(w, "name", spec->name);
    }
    if (strcmp(spec->queue, SPEC_QUEUE_DEFAULT) != 0) {
        writer_member_string(w, "queue", spec->queue);
    }
    if (spec->priority != 0) {
        writer_member_int(w, "priority", spec->priority);
    }
    write_times(w, spec);
    if (spec->has_retry) {
        spec_write_retry(w, &spec->retry);
    }
    if (spec->key != NULL) {
        writer_member_string(w, "key", spec->key);
    }
    if (spec->label_count > 0) {
        write_labels(w, spec);
    }
    if (spec->after_count > 0) {
        write_after(w, spec);
    }
    writer_end_object(w);
}

int spec_load(const char *text, size_t len, struct spec **out)
{
    /* It was checked when it was accepted; kinds and queues may have gone since, and that is not
     * for this to judge. */
    static const struct spec_context trusted = {
        .path = "spec", .admin = true, .many = true, .index = UINT32_MAX};
    struct json_error parse_error;
    struct spec_error error;
    *out = NULL;
    struct json *object = json_parse(text, len, &parse_error);
    if (object == NULL) {
        return parse_error.out_of_memory ? -ENOMEM : -EINVAL;
    }
    int r = spec_parse(object, &trusted, out, &error);
    json_free(object);
    return r > 0 ? -EINVAL : r;
}

int spec_write_stored(struct writer *w, const char *text, size_t len, unsigned flags)
{
    if (!(flags & SPEC_WRITE_HIDE_ENV) || strstr(text, "\"env\"") == NULL) {
        writer_raw(w, text, len);
        return 0;
    }
    struct spec *spec;
    int r = spec_load(text, len, &spec);
    if (r == 0) {
        spec_write(w, spec, flags);
        spec_free(spec);
    }
    return r;
}

void spec_hash(const char *text, size_t len, unsigned char out[SPEC_HASH_SIZE])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(text, len));
    _Static_assert(sizeof canonical.digest == SPEC_HASH_SIZE, "128 bits");
    memcpy(out, canonical.digest, SPEC_HASH_SIZE);
}
