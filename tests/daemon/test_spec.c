/* Specifications: every member by its right and its wrong types and at its limits, and one form for
 * one meaning. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spec.h"
#include "suite.h"

static struct spec_error error;

/* A kind that likes {"argv":[strings…]} or {"for":…}, as the daemon's would. */
static int check_kind(void *ctx, const char *kind, const struct json *args, bool *unknown,
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

static bool queue_exists(void *ctx, const char *queue)
{
    (void)ctx;
    return strcmp(queue, "default") == 0 || strcmp(queue, "other") == 0;
}

static const struct spec_context plain = {.check_kind = check_kind, .queue_exists = queue_exists};

static int parse_with(const struct spec_context *context, const char *text, struct spec **out)
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
static struct spec *accept(const char *members)
{
    char text[2400];
    struct spec *spec;
    snprintf(text, sizeof text, "{\"argv\":[\"true\"]%s%s}", members[0] ? "," : "", members);
    int r = parse_with(&plain, text, &spec);
    ck_assert_msg(r == SPEC_OK, "%s: %s: %s", text, error.path, error.reason);
    return spec;
}

static void refuse(const char *members, const char *path)
{
    char text[2400];
    struct spec *spec;
    snprintf(text, sizeof text, "{\"argv\":[\"true\"],%s}", members);
    int r = parse_with(&plain, text, &spec);
    ck_assert_msg(r == SPEC_INVALID, "%s was accepted", text);
    ck_assert_str_eq(error.path, path);
    ck_assert_str_ne(error.reason, "");
}

static char *written(const struct spec *spec, unsigned flags)
{
    struct buf out = BUF_INIT;
    struct writer w;
    writer_init(&w, &out);
    spec_write(&w, spec, flags);
    ck_assert(!out.failed);
    return buf_take(&out);
}

static void ck_written(const char *members, const char *wanted)
{
    struct spec *spec = accept(members);
    char *text = written(spec, 0);
    ck_assert_str_eq(text, wanted);
    /* What was written is read back to the same. */
    struct spec *again;
    ck_assert_int_eq(spec_load(text, strlen(text), &again), 0);
    char *text_again = written(again, 0);
    ck_assert_str_eq(text_again, wanted);
    free(text);
    free(text_again);
    spec_free(spec);
    spec_free(again);
}

#define EXEC "{\"kind\":\"exec\",\"args\":{\"argv\":[\"true\"]}"

START_TEST(defaults_are_those_of_the_contract)
{
    struct spec *spec = accept("");
    ck_assert_str_eq(spec->kind, "exec");
    ck_assert_str_eq(spec->args, "{\"argv\":[\"true\"]}");
    ck_assert_str_eq(spec->queue, "default");
    ck_assert_ptr_null(spec->name);
    ck_assert_ptr_null(spec->key);
    ck_assert_int_eq(spec->priority, 0);
    ck_assert_int_eq(spec->delay_ns, 0);
    ck_assert_int_eq(spec->timeout_ns, 0);
    ck_assert_int_eq(spec->keep_ns, -1);
    ck_assert_uint_eq(spec->retry.max, 0);
    ck_assert_uint_eq(spec->retry.on, JOB_RETRY_FAILED | JOB_RETRY_TIMED_OUT);
    ck_assert_int_eq(spec->retry.backoff_ns, INT64_C(1000000000));
    ck_assert_int_eq(spec->retry.cap_ns, INT64_C(60000000000));
    ck_assert(!spec->after_any);
    ck_assert_str_eq(json_string(json_first(json_get(spec_args(spec), "argv"))), "true");
    spec_free(spec);
    spec_free(NULL);
    ck_written("", EXEC "}");
}

END_TEST

START_TEST(every_member_refuses_every_other_type)
{
    static const struct {
        const char *name, *right; /* types it accepts: s string, n number, o object, a array */
    } members[] = {
        {"kind", "s"}, {"name", "s"},    {"queue", "s"},   {"priority", "n"},     {"delay", "s"},
        {"at", "s"},   {"after", "a"},   {"timeout", "s"}, {"deadline", "s"},     {"retry", "o"},
        {"key", "s"},  {"labels", "o"},  {"keep", "s"},    {"every", ""},         {"cron", ""},
        {"uses", ""},  {"catch_up", ""}, {"overlap", ""},  {"after_policy", "s"},
    };

    static const struct {
        char type;
        const char *text;
    } values[] = {{'z', "null"},  {'b', "true"}, {'n', "7"},
                  {'s', "\"?\""}, {'a', "[{}]"}, {'o', "{\"?\":[]}"}};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            if (strchr(members[i].right, values[k].type) != NULL && values[k].type != '\0') {
                continue;
            }
            char text[128], path[64];
            snprintf(text, sizeof text, "\"%s\":%s", members[i].name, values[k].text);
            snprintf(path, sizeof path, "params.%s", members[i].name);
            refuse(text, path);
        }
    }
    struct spec *spec;
    ck_assert_int_eq(parse_with(&plain, "{\"argv\":\"true\"}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.argv");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"exec\",\"args\":[]}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.args");
    ck_assert_int_eq(parse_with(&plain, "[]", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params");
}

END_TEST

START_TEST(unknown_members_are_refused_by_name)
{
    refuse("\"prio\":1", "params.prio");
    refuse("\"\":1", "params.");
    refuse("\"Name\":\"x\"", "params.Name");
    refuse("\"retry\":{\"maximum\":1}", "params.retry.maximum");
    ck_assert_str_eq(error.reason, "unknown member");
}

END_TEST

START_TEST(what_comes_later_is_refused_and_not_ignored)
{
    static const char *const later[] = {"\"every\":\"5s\"", "\"cron\":\"* * * * *\"",
                                        "\"uses\":{\"gpu\":1}", "\"catch_up\":\"all\"",
                                        "\"overlap\":\"skip\""};
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++) {
        struct spec *spec;
        char text[128];
        snprintf(text, sizeof text, "{\"argv\":[\"true\"],%s}", later[i]);
        ck_assert_int_eq(parse_with(&plain, text, &spec), SPEC_INVALID);
        ck_assert_str_eq(error.reason, "is not supported yet");
    }
    static const char *const kinds[] = {"seq", "all", "race", "any", "map", "schedule"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct spec *spec;
        char text[128];
        snprintf(text, sizeof text, "{\"kind\":\"%s\",\"args\":{}}", kinds[i]);
        ck_assert_int_eq(parse_with(&plain, text, &spec), SPEC_INVALID);
        ck_assert_str_eq(error.path, "params.kind");
        ck_assert_ptr_nonnull(strstr(error.reason, "not supported yet"));
    }
}

END_TEST

START_TEST(argv_is_short_for_exec)
{
    struct spec *spec;
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"exec\",\"argv\":[\"a\"]}", &spec), SPEC_OK);
    ck_assert_str_eq(spec->args, "{\"argv\":[\"a\"]}");
    spec_free(spec);
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"sleep\",\"argv\":[\"a\"]}", &spec),
                     SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.argv");
    ck_assert_int_eq(parse_with(&plain, "{\"args\":{},\"argv\":[\"a\"]}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.argv");
    ck_assert_int_eq(parse_with(&plain, "{}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.kind");
}

END_TEST

START_TEST(the_kinds_own_check_speaks_with_the_whole_path)
{
    struct spec *spec;
    struct spec_context context = plain;
    ck_assert_int_eq(parse_with(&plain, "{\"argv\":[1]}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.argv[0]");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"exec\",\"args\":{\"argv\":[\"a\",2]}}", &spec),
                     SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.args.argv[1]");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"sleep\"}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.args.for");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"picky\"}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.args");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"dance\"}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.kind");
    ck_assert_int_eq(parse_with(&plain, "{\"kind\":\"broken\"}", &spec), -ENOMEM);
    context.path = "params.jobs[3]";
    ck_assert_int_eq(parse_with(&context, "{\"argv\":[1]}", &spec), SPEC_INVALID);
    ck_assert_str_eq(error.path, "params.jobs[3].argv[0]");
    context.check_kind = NULL;
    ck_assert_int_eq(parse_with(&context, "{\"kind\":\"dance\"}", &spec), SPEC_OK);
    ck_assert_str_eq(spec->args, "{}");
    spec_free(spec);
}

END_TEST

/* `"MEMBER":"xxx…"` with n times x. */
static const char *with_length(const char *member, size_t n)
{
    static char text[2048];
    int at = snprintf(text, sizeof text, "\"%s\":\"", member);
    memset(text + at, 'x', n);
    strcpy(text + at + n, "\"");
    return text;
}

START_TEST(texts_are_limited)
{
    spec_free(accept(with_length("name", SPEC_NAME_MAX)));
    refuse(with_length("name", SPEC_NAME_MAX + 1), "params.name");
    spec_free(accept(with_length("key", SPEC_NAME_MAX)));
    refuse(with_length("key", SPEC_NAME_MAX + 1), "params.key");
    refuse("\"key\":\"\"", "params.key");
    refuse("\"queue\":\"\"", "params.queue");
    refuse("\"queue\":\"nowhere\"", "params.queue");
    spec_free(accept("\"queue\":\"other\""));
    refuse("\"kind\":\"\"", "params.kind");
}

END_TEST

START_TEST(priorities_above_zero_are_for_admins)
{
    struct spec *spec;
    struct spec_context admin = plain;
    admin.admin = true;
    spec_free(accept("\"priority\":-100"));
    spec_free(accept("\"priority\":0"));
    refuse("\"priority\":-101", "params.priority");
    refuse("\"priority\":101", "params.priority");
    refuse("\"priority\":0.5", "params.priority");
    ck_assert_int_eq(parse_with(&plain, "{\"argv\":[\"a\"],\"priority\":1}", &spec),
                     SPEC_NOT_PERMITTED);
    ck_assert_str_eq(error.path, "params.priority");
    ck_assert_int_eq(parse_with(&admin, "{\"argv\":[\"a\"],\"priority\":100}", &spec), SPEC_OK);
    ck_assert_int_eq(spec->priority, 100);
    spec_free(spec);
}

END_TEST

START_TEST(times_are_durations_or_points)
{
    struct spec *spec = accept("\"delay\":\"1m30s\",\"timeout\":\"5s\",\"keep\":\"1d\"");
    ck_assert_int_eq(spec->delay_ns, INT64_C(90000000000));
    ck_assert_int_eq(spec->timeout_ns, INT64_C(5000000000));
    ck_assert_int_eq(spec->keep_ns, INT64_C(86400000000000));
    spec_free(spec);
    spec = accept("\"at\":\"2030-01-01T00:00:00Z\",\"deadline\":\"2030-01-02T00:00:00Z\"");
    ck_assert_int_eq(spec->deadline_at_us - spec->at_us, INT64_C(86400000000));
    ck_assert_int_eq(spec->deadline_ns, 0);
    spec_free(spec);
    spec = accept("\"deadline\":\"1h\"");
    ck_assert_int_eq(spec->deadline_ns, INT64_C(3600000000000));
    ck_assert_int_eq(spec->deadline_at_us, 0);
    spec_free(spec);
    refuse("\"delay\":\"1s\",\"at\":\"2030-01-01T00:00:00Z\"", "params.at");
    refuse("\"delay\":\"soon\"", "params.delay");
    refuse("\"delay\":\"-1s\"", "params.delay");
    refuse("\"delay\":\"300000d\"", "params.delay");
    refuse("\"timeout\":\"0s\"", "params.timeout");
    refuse("\"deadline\":\"0s\"", "params.deadline");
    refuse("\"deadline\":\"tomorrow\"", "params.deadline");
    refuse("\"deadline\":\"1970-01-01T00:00:00Z\"", "params.deadline");
    refuse("\"at\":\"1969-01-01T00:00:00Z\"", "params.at");
}

END_TEST

START_TEST(relative_times_are_resolved_at_acceptance)
{
    int64_t run_at, deadline;
    struct spec *spec = accept("\"delay\":\"1500ns\",\"deadline\":\"1s\"");
    spec_resolve(spec, 1000, &run_at, &deadline);
    ck_assert_int_eq(run_at, 1002); /* never early */
    ck_assert_int_eq(deadline, 1001000);
    spec_free(spec);
    spec = accept("\"at\":\"2000-01-01T00:00:00Z\"");
    spec_resolve(spec, INT64_C(1000000000000000), &run_at, &deadline);
    ck_assert_int_eq(run_at, 0); /* past: now */
    ck_assert_int_eq(deadline, 0);
    spec_resolve(spec, 1000, &run_at, &deadline);
    ck_assert_int_eq(run_at, spec->at_us);
    spec_free(spec);
}

END_TEST

START_TEST(labels_are_strings_and_sixteen)
{
    char text[1024] = "\"labels\":{", many[1100];
    for (int i = 0; i < SPEC_LABELS_MAX; i++) {
        sprintf(text + strlen(text), "%s\"l%02d\":\"v\"", i ? "," : "", SPEC_LABELS_MAX - i);
    }
    snprintf(many, sizeof many, "%s,\"more\":\"v\"}", text);
    strcat(text, "}");
    struct spec *spec = accept(text);
    ck_assert_uint_eq(spec->label_count, SPEC_LABELS_MAX);
    ck_assert_str_eq(spec->labels[0].name, "l01"); /* sorted */
    spec_free(spec);
    refuse(many, "params.labels");
    refuse("\"labels\":{\"a\":1}", "params.labels.a");
    refuse("\"labels\":{\"a\":\"x\",\"b\":null}", "params.labels.b");
    refuse("\"labels\":{\"\":\"x\"}", "params.labels.");
    snprintf(text, sizeof text, "\"labels\":{%s}", with_length("a", SPEC_LABEL_VALUE_MAX + 1));
    refuse(text, "params.labels.a");
    snprintf(text, sizeof text, "\"labels\":{%s}", with_length("a", SPEC_LABEL_VALUE_MAX));
    spec_free(accept(text));
}

END_TEST

START_TEST(retry_is_read_member_by_member)
{
    struct spec *spec =
        accept("\"retry\":{\"max\":3,\"backoff\":\"2s\",\"factor\":1.5,\"cap\":\"9s\","
               "\"jitter\":0,\"on\":[\"interrupted\",\"exit:75\",\"exit:255\","
               "\"signal:KILL\",\"signal:SIGTERM\"]}");
    ck_assert_uint_eq(spec->retry.max, 3);
    ck_assert_int_eq(spec->retry.backoff_ns, INT64_C(2000000000));
    ck_assert(spec->retry.factor > 1.49 && spec->retry.factor < 1.51);
    ck_assert_int_eq(spec->retry.cap_ns, INT64_C(9000000000));
    ck_assert_uint_eq(spec->retry.on, JOB_RETRY_INTERRUPTED);
    ck_assert_uint_eq(spec->retry.exits[1], UINT64_C(1) << (75 - 64));
    ck_assert_uint_eq(spec->retry.exits[3], UINT64_C(1) << 63);
    ck_assert_uint_eq(spec->retry.signals, UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1)
                                                                              << (SIGTERM - 1));
    spec_free(spec);
    refuse("\"retry\":{\"max\":-1}", "params.retry.max");
    refuse("\"retry\":{\"max\":1.5}", "params.retry.max");
    refuse("\"retry\":{\"max\":\"1\"}", "params.retry.max");
    refuse("\"retry\":{\"backoff\":1}", "params.retry.backoff");
    refuse("\"retry\":{\"factor\":0.9}", "params.retry.factor");
    refuse("\"retry\":{\"factor\":\"2\"}", "params.retry.factor");
    refuse("\"retry\":{\"cap\":null}", "params.retry.cap");
    refuse("\"retry\":{\"jitter\":1.1}", "params.retry.jitter");
    refuse("\"retry\":{\"on\":\"failed\"}", "params.retry.on");
    refuse("\"retry\":{\"on\":[\"failed\",\"canceled\"]}", "params.retry.on[1]");
    refuse("\"retry\":{\"on\":[7]}", "params.retry.on[0]");
    refuse("\"retry\":{\"on\":[\"exit:0\"]}", "params.retry.on[0]");
    refuse("\"retry\":{\"on\":[\"exit:256\"]}", "params.retry.on[0]");
    refuse("\"retry\":{\"on\":[\"exit:\"]}", "params.retry.on[0]");
    refuse("\"retry\":{\"on\":[\"exit:1x\"]}", "params.retry.on[0]");
    refuse("\"retry\":{\"on\":[\"signal:NONE\"]}", "params.retry.on[0]");
}

END_TEST

START_TEST(dependencies_are_ids_or_earlier_ones_of_the_same_call)
{
    struct spec *spec = accept("\"after\":[1,4503599627370495],\"after_policy\":\"any\"");
    ck_assert_uint_eq(spec->after_count, 2);
    ck_assert_int_eq(spec->after[1].id, SPEC_ID_MAX);
    ck_assert_int_eq(spec->after[0].index, -1);
    ck_assert(spec->after_any);
    spec_free(spec);
    refuse("\"after\":[0]", "params.after[0]");
    refuse("\"after\":[1,4503599627370496]", "params.after[1]");
    refuse("\"after\":[\"7\"]", "params.after[0]");
    refuse("\"after\":[\"#0\"]", "params.after[0]"); /* not of a submit_many */
    refuse("\"after_policy\":\"all\"", "params.after_policy");

    struct spec_context many = plain;
    many.many = true;
    many.index = 2;
    ck_assert_int_eq(parse_with(&many, "{\"argv\":[\"a\"],\"after\":[\"#1\",9]}", &spec), SPEC_OK);
    ck_assert_int_eq(spec->after[0].index, 1);
    ck_assert_int_eq(spec->after[1].id, 9);
    spec_free(spec);
    static const char *const wrong[] = {"#2", "#3", "#", "#x", "#1x", "1", "#-1", "#99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char text[96];
        snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"after\":[\"%s\"]}", wrong[i]);
        ck_assert_int_eq(parse_with(&many, text, &spec), SPEC_INVALID);
        ck_assert_str_eq(error.path, "params.after[0]");
    }
}

END_TEST

START_TEST(one_meaning_has_one_text)
{
    ck_written("\"delay\":\"90s\"", EXEC ",\"delay\":\"1m30s\"}");
    ck_written("\"delay\":\"1m30s\",\"queue\":\"default\",\"priority\":0",
               EXEC ",\"delay\":\"1m30s\"}");
    ck_written("\"at\":\"2030-01-01T01:00:00+01:00\"",
               EXEC ",\"at\":\"2030-01-01T00:00:00.000000Z\"}");
    ck_written("\"labels\":{\"b\":\"2\",\"a\":\"1\"},\"name\":\"n\"",
               EXEC ",\"name\":\"n\",\"labels\":{\"a\":\"1\",\"b\":\"2\"}}");
    ck_written(
        "\"retry\":{\"max\":2,\"on\":[\"signal:SIGINT\",\"exit:3\",\"failed\"]}",
        EXEC ",\"retry\":{\"max\":2,\"backoff\":\"1s\",\"factor\":2,\"cap\":\"1m\",\"jitter\":0.1,"
             "\"on\":[\"failed\",\"exit:3\",\"signal:INT\"]}}");
    ck_written("\"keep\":\"0s\",\"key\":\"k\",\"timeout\":\"1s\",\"deadline\":\"60m\"",
               EXEC ",\"timeout\":\"1s\",\"deadline\":\"1h\",\"keep\":\"0s\",\"key\":\"k\"}");
    ck_written("\"after\":[3,2],\"after_policy\":\"success\"", EXEC ",\"after\":[3,2]}");
    ck_written("\"after\":[3],\"after_policy\":\"any\"",
               EXEC ",\"after\":[3],\"after_policy\":\"any\"}");

    struct spec *a, *b;
    ck_assert_int_eq(
        parse_with(&plain, "{\"args\":{\"for\":1.0,\"b\":[1e2]},\"kind\":\"sleep\"}", &a), 0);
    ck_assert_int_eq(
        parse_with(&plain, "{\"kind\":\"sleep\",\"args\":{\"b\":[100],\"for\":1}}", &b), 0);
    ck_assert_str_eq(a->args, b->args);
    spec_free(a);
    spec_free(b);
}

END_TEST

START_TEST(numbers_of_the_same_call_survive_being_stored)
{
    static const char text[] = EXEC ",\"after\":[\"#3\"]}";
    struct spec *spec;
    ck_assert_int_eq(spec_load(text, strlen(text), &spec), 0);
    ck_assert_int_eq(spec->after[0].index, 3);
    char *again = written(spec, 0);
    ck_assert_str_eq(again, text);
    free(again);
    spec_free(spec);
    ck_assert_int_eq(spec_load("{", 1, &spec), -EINVAL);
    ck_assert_int_eq(spec_load("{}", 2, &spec), -EINVAL);
    ck_assert_ptr_null(spec);
}

END_TEST

START_TEST(equal_texts_have_equal_hashes)
{
    unsigned char a[SPEC_HASH_SIZE], b[SPEC_HASH_SIZE];
    spec_hash("{}", 2, a);
    spec_hash("{}", 2, b);
    ck_assert_mem_eq(a, b, sizeof a);
    spec_hash("{ }", 3, b);
    ck_assert_mem_ne(a, b, sizeof a);
    /* On disk: must be the same on every machine and for ever. */
    static const unsigned char empty[] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
                                          0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
    spec_hash("", 0, a);
    ck_assert_mem_eq(a, empty, sizeof a);
}

END_TEST

START_TEST(environment_values_are_hidden)
{
    struct spec *spec;
    static const char in[] = "{\"kind\":\"exec\",\"args\":{\"argv\":[\"a\"],\"env\":"
                             "{\"TOKEN\":\"secret\",\"GONE\":null}}}";
    ck_assert_int_eq(parse_with(&plain, in, &spec), SPEC_OK);
    char *shown = written(spec, SPEC_WRITE_HIDE_ENV), *kept = written(spec, 0);
    ck_assert_ptr_null(strstr(shown, "secret"));
    ck_assert_ptr_nonnull(strstr(shown, "\"TOKEN\":\"***\""));
    ck_assert_ptr_nonnull(strstr(shown, "\"GONE\":null"));
    ck_assert_ptr_nonnull(strstr(shown, "\"argv\":[\"a\"]"));
    ck_assert_ptr_nonnull(strstr(kept, "secret"));
    struct buf out = BUF_INIT;
    struct writer w;
    writer_init(&w, &out);
    ck_assert_int_eq(spec_write_stored(&w, kept, strlen(kept), SPEC_WRITE_HIDE_ENV), 0);
    ck_assert_str_eq(out.data, shown);
    buf_reset(&out);
    writer_init(&w, &out);
    ck_assert_int_eq(spec_write_stored(&w, kept, strlen(kept), 0), 0);
    ck_assert_str_eq(out.data, kept);
    buf_free(&out);
    free(shown);
    free(kept);
    spec_free(spec);
}

END_TEST

SUITE_MAIN("spec", defaults_are_those_of_the_contract, every_member_refuses_every_other_type,
           unknown_members_are_refused_by_name, what_comes_later_is_refused_and_not_ignored,
           argv_is_short_for_exec, the_kinds_own_check_speaks_with_the_whole_path,
           texts_are_limited, priorities_above_zero_are_for_admins, times_are_durations_or_points,
           relative_times_are_resolved_at_acceptance, labels_are_strings_and_sixteen,
           retry_is_read_member_by_member, dependencies_are_ids_or_earlier_ones_of_the_same_call,
           one_meaning_has_one_text, numbers_of_the_same_call_survive_being_stored,
           equal_texts_have_equal_hashes, environment_values_are_hidden)
