/* Members of a specification, each at its limits. */
#include <signal.h>

#include "test_spec.h"

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

SUITE_MAIN("spec_members", texts_are_limited, priorities_above_zero_are_for_admins,
           times_are_durations_or_points, relative_times_are_resolved_at_acceptance,
           labels_are_strings_and_sixteen, retry_is_read_member_by_member,
           dependencies_are_ids_or_earlier_ones_of_the_same_call)
