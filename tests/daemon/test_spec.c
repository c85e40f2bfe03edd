/* Specifications as a whole: every member by its right and its wrong types, and one form for one meaning. */
#include "test_spec.h"

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
           one_meaning_has_one_text, numbers_of_the_same_call_survive_being_stored,
           equal_texts_have_equal_hashes, environment_values_are_hidden)
