/* Arguments of kinds: what is let through, and with which path the rest is refused. Also the
 * schemas, which are JSON and name the very members that the checks know. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "spec.h"
#include "suite.h"

struct row {
    const char *kind, *args;
    const char *path; /* NULL: accepted */
};

static const struct row rows[] = {
    {"exec", "{\"argv\":[\"true\"]}", NULL},
    {"exec", "{\"argv\":[\"sh\",\"\",\"-c\"]}", NULL},
    {"exec",
     "{\"argv\":[\"a\"],\"cwd\":\"/\",\"env\":{\"A\":\"b\",\"C\":null,\"D\":\"\"},"
     "\"clear_env\":true,\"stdin\":\"x\",\"umask\":\"077\",\"limits\":{\"nofile\":64,"
     "\"memory\":\"1G\",\"cpu_time\":\"1500ms\",\"file_size\":0,\"processes\":10},"
     "\"grace\":\"0s\",\"output_max\":\"64K\"}",
     NULL},
    {"exec", "{\"argv\":[\"a\"],\"umask\":18,\"output_max\":100,\"grace\":\"1h\"}", NULL},
    {"exec", "{\"argv\":[\"a\"],\"env\":{},\"limits\":{},\"stdin\":\"\",\"clear_env\":false}", NULL},
    {"exec", "{}", "argv"},
    {"exec", "[]", ""},
    {"exec", "7", ""},
    {"exec", "{\"argv\":\"true\"}", "argv"},
    {"exec", "{\"argv\":[]}", "argv"},
    {"exec", "{\"argv\":[\"\"]}", "argv[0]"},
    {"exec", "{\"argv\":[\"a\",1]}", "argv[1]"},
    {"exec", "{\"argv\":[null]}", "argv[0]"},
    {"exec", "{\"argv\":[\"a\"],\"argc\":1}", "argc"},
    {"exec", "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}", "cwd"},
    {"exec", "{\"argv\":[\"a\"],\"cwd\":\"\"}", "cwd"},
    {"exec", "{\"argv\":[\"a\"],\"cwd\":null}", "cwd"},
    {"exec", "{\"argv\":[\"a\"],\"env\":[\"A=b\"]}", "env"},
    {"exec", "{\"argv\":[\"a\"],\"env\":{\"A\":1}}", "env.A"},
    {"exec", "{\"argv\":[\"a\"],\"env\":{\"A=B\":\"c\"}}", "env.A=B"},
    {"exec", "{\"argv\":[\"a\"],\"env\":{\"\":\"c\"}}", "env."},
    {"exec", "{\"argv\":[\"a\"],\"clear_env\":1}", "clear_env"},
    {"exec", "{\"argv\":[\"a\"],\"clear_env\":null}", "clear_env"},
    {"exec", "{\"argv\":[\"a\"],\"stdin\":[]}", "stdin"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":\"089\"}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":\"\"}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":\"1000\"}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":\"00022\"}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":512}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":-1}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"umask\":1.5}", "umask"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":[]}", "limits"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"core\":0}}", "limits.core"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"nofile\":\"64\"}}", "limits.nofile"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"nofile\":2}}", "limits.nofile"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"nofile\":2147483648}}", "limits.nofile"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"memory\":\"much\"}}", "limits.memory"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"memory\":0}}", "limits.memory"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"memory\":-1}}", "limits.memory"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"cpu_time\":5}}", "limits.cpu_time"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"cpu_time\":\"0s\"}}", "limits.cpu_time"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"file_size\":true}}", "limits.file_size"},
    {"exec", "{\"argv\":[\"a\"],\"limits\":{\"processes\":0}}", "limits.processes"},
    {"exec", "{\"argv\":[\"a\"],\"grace\":\"2h\"}", "grace"},
    {"exec", "{\"argv\":[\"a\"],\"grace\":5}", "grace"},
    {"exec", "{\"argv\":[\"a\"],\"grace\":\"-1s\"}", "grace"},
    {"exec", "{\"argv\":[\"a\"],\"output_max\":\"all\"}", "output_max"},
    {"sleep", "{\"for\":\"100ms\"}", NULL},
    {"sleep", "{\"for\":\"0s\"}", NULL},
    {"sleep", "{}", "for"},
    {"sleep", "{\"for\":100}", "for"},
    {"sleep", "{\"for\":\"soon\"}", "for"},
    {"sleep", "{\"for\":\"1s\",\"until\":\"2s\"}", "until"},
    {"sleep", "\"1s\"", ""},
    {"hash", "{\"path\":\"/etc/passwd\"}", NULL},
    {"hash", "{\"path\":\"/etc/passwd\",\"algo\":\"sha256\"}", NULL},
    {"hash", "{\"path\":\"/no/such/file\",\"algo\":\"xxh3\"}", NULL}, /* looked at when it runs */
    {"hash", "{}", "path"},
    {"hash", "{\"path\":\"etc/passwd\"}", "path"},
    {"hash", "{\"path\":1}", "path"},
    {"hash", "{\"path\":\"/x\",\"algo\":\"md5\"}", "algo"},
    {"hash", "{\"path\":\"/x\",\"algo\":null}", "algo"},
    {"hash", "{\"path\":\"/x\",\"size\":1}", "size"},
};

static int check(const char *kind, const char *text, struct spec_error *error)
{
    struct json_error wrong;
    bool unknown;
    struct json *args = json_parse(text, strlen(text), &wrong);

    ck_assert_msg(args != NULL, "%s: %s", text, wrong.reason);
    *error = (struct spec_error){{0}, {0}};
    int result = kind_check(NULL, kind, args, &unknown, error);
    ck_assert(!unknown);
    json_free(args);
    return result;
}

START_TEST(every_row_of_the_table)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct spec_error error;
        int result = check(rows[i].kind, rows[i].args, &error);
        ck_assert_msg((result == SPEC_OK) == (rows[i].path == NULL), "%s %s: %d %s %s",
                      rows[i].kind, rows[i].args, result, error.path, error.reason);
        if (rows[i].path) {
            ck_assert_int_eq(result, SPEC_INVALID);
            ck_assert_msg(strcmp(error.path, rows[i].path) == 0, "%s: %s, not %s", rows[i].args,
                          error.path, rows[i].path);
            ck_assert_msg(error.reason[0] != '\0', "%s", rows[i].args);
        }
    }
}

END_TEST

START_TEST(long_members_meet_their_limits)
{
    static char text[70000], filler[66000];
    struct spec_error error;

    memset(filler, 'x', sizeof filler - 1);
    snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"stdin\":\"%.*s\"}", 65536, filler);
    ck_assert_int_eq(check("exec", text, &error), SPEC_OK);
    snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"stdin\":\"%.*s\"}", 65537, filler);
    ck_assert_int_eq(check("exec", text, &error), SPEC_INVALID);
    ck_assert_str_eq(error.path, "stdin");
    snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"cwd\":\"/%.*s\"}", 4094, filler);
    ck_assert_int_eq(check("exec", text, &error), SPEC_OK);
    snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"cwd\":\"/%.*s\"}", 4095, filler);
    ck_assert_int_eq(check("exec", text, &error), SPEC_INVALID);
    snprintf(text, sizeof text, "{\"path\":\"/%.*s\"}", 4095, filler);
    ck_assert_int_eq(check("hash", text, &error), SPEC_INVALID);
    /* A name that does not fit into a path is cut, not overrun. */
    snprintf(text, sizeof text, "{\"argv\":[\"a\"],\"env\":{\"%.*s\":1}}", 60000, filler);
    ck_assert_int_eq(check("exec", text, &error), SPEC_INVALID);
    ck_assert_int_eq(strncmp(error.path, "env.xxx", 7), 0);
}

END_TEST

START_TEST(absent_arguments_are_refused_by_what_is_missing)
{
    struct spec_error error;
    bool unknown;

    ck_assert_int_eq(kind_check(NULL, "exec", NULL, &unknown, &error), SPEC_INVALID);
    ck_assert_str_eq(error.path, "argv");
    ck_assert_int_eq(kind_check(NULL, "no-such-kind", NULL, &unknown, &error), SPEC_INVALID);
    ck_assert(unknown);
    ck_assert_str_eq(error.path, "kind");
}

END_TEST

START_TEST(the_registry_is_sorted_and_whole)
{
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *kind = kind_at(i);
        ck_assert_ptr_eq(kind_find(kind->name), kind);
        ck_assert(i == 0 || strcmp(kind_at(i - 1)->name, kind->name) < 0);
        ck_assert(kind->check && kind->run);
    }
    ck_assert_ptr_null(kind_at(kind_count()));
    ck_assert_ptr_null(kind_find("nothing"));
    ck_assert(!kind_find("exec")->repeatable);
    ck_assert(kind_find("hash")->repeatable && kind_find("sleep")->repeatable);
}

END_TEST

/* Each member of the schema is known to the check: with a wrong type it is refused by its own name,
 * not as unknown. */
START_TEST(schemas_are_json_and_name_what_is_checked)
{
    for (size_t i = 0; i < kind_count(); i++) {
        const struct kind *kind = kind_at(i);
        struct json_error wrong;
        struct json *schema = json_parse(kind->schema, strlen(kind->schema), &wrong);
        ck_assert_msg(schema != NULL, "%s: %s at %zu", kind->name, wrong.reason, wrong.offset);
        ck_assert_ptr_null(strchr(kind->schema, '\n'));
        const struct json *members = json_get(schema, "properties");
        ck_assert_uint_gt(json_count(members), 0);
        for (const struct json *m = json_first(members); m; m = json_next(m)) {
            char text[128];
            struct spec_error error;
            snprintf(text, sizeof text, "{\"%s\":{\"\":[]}}", json_key(m));
            ck_assert_int_eq(check(kind->name, text, &error), SPEC_INVALID);
            ck_assert_str_ne(error.reason, "is not known");
        }
        json_free(schema);
    }
}

END_TEST

SUITE_MAIN("kind", every_row_of_the_table, long_members_meet_their_limits,
           absent_arguments_are_refused_by_what_is_missing, the_registry_is_sorted_and_whole,
           schemas_are_json_and_name_what_is_checked)
