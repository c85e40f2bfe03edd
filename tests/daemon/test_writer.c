/* JSON text out: commas, escapes, numbers, canonical form. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "suite.h"
#include "wire/writer.h"

static struct json *parse(const char *text)
{
    struct json_error err;
    struct json *value = json_parse(text, strlen(text), &err);
    ck_assert_msg(value, "%s: %s at %zu", text, err.reason, err.offset);
    return value;
}

START_TEST(commas_stand_between_and_nowhere_else)
{
    struct buf b = BUF_INIT;
    struct writer w;
    writer_init(&w, &b);
    writer_object(&w);
    writer_member_object(&w, "empty");
    writer_end_object(&w);
    writer_member_array(&w, "list");
    writer_int(&w, 1);
    writer_array(&w);
    writer_end_array(&w);
    writer_object(&w);
    writer_end_object(&w);
    writer_null(&w);
    writer_end_array(&w);
    writer_member_bool(&w, "yes", true);
    writer_member_null(&w, "none");
    writer_member_string(&w, "absent", NULL);
    writer_member_raw(&w, "raw", "[2]", 3);
    writer_member_time(&w, "never", 0);
    writer_member_time(&w, "then", INT64_C(1700000000000042));
    writer_member_uint(&w, "u", UINT64_MAX);
    writer_member_double(&w, "d", 0.5);
    writer_end_object(&w);
    ck_assert_str_eq(b.data, "{\"empty\":{},\"list\":[1,[],{},null],\"yes\":true,\"none\":null,"
                             "\"absent\":null,\"raw\":[2],\"never\":null,"
                             "\"then\":\"2023-11-14T22:13:20.000042Z\","
                             "\"u\":18446744073709551615,\"d\":0.5}");
    buf_free(&b);
}

END_TEST

START_TEST(strings_are_escaped_and_always_valid)
{
    struct buf b = BUF_INIT;
    struct writer w;
    writer_init(&w, &b);
    writer_string(&w, "q\" b\\ \b\f\n\r\t \x01\x1f\x7f \xc3\xa9 \xff\xc0z");
    ck_assert_str_eq(b.data, "\"q\\\" b\\\\ \\b\\f\\n\\r\\t \\u0001\\u001f\x7f \xc3\xa9 "
                             "\xef\xbf\xbd\xef\xbf\xbdz\"");
    buf_reset(&b);
    writer_init(&w, &b);
    writer_string_n(&w, "a\0b", 3);
    ck_assert_str_eq(b.data, "\"a\\u0000b\"");
    buf_free(&b);
}

END_TEST

START_TEST(numbers_read_back_the_same)
{
    static const double values[] = {0.1, 1.5, -2.25, 1e300, 5e-324, DBL_MAX, 1.0 / 3, 1e15, 1e17};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf b = BUF_INIT;
        struct writer w;
        writer_init(&w, &b);
        writer_double(&w, values[i]);
        struct json *back = parse(b.data);
        ck_assert_double_eq(json_number(back), values[i]);
        json_free(back);
        buf_free(&b);
    }
    struct buf b = BUF_INIT;
    struct writer w;
    writer_init(&w, &b);
    writer_array(&w);
    writer_double(&w, HUGE_VAL);
    writer_double(&w, nan(""));
    writer_double(&w, -0.0);
    writer_double(&w, 1e15);
    writer_double(&w, 9007199254740991.0);
    writer_double(&w, 0.1);
    writer_int(&w, INT64_MIN);
    writer_end_array(&w);
    ck_assert_str_eq(b.data,
                     "[null,null,0,1000000000000000,9007199254740991,0.1,-9223372036854775808]");
    buf_free(&b);
}

END_TEST

START_TEST(bytes_go_as_text_when_they_are_text)
{
    struct buf b = BUF_INIT;
    struct writer w;
    writer_init(&w, &b);
    ck_assert_str_eq(writer_bytes(&w, "caf\xc3\xa9\n", 6), "utf8");
    ck_assert_str_eq(writer_bytes(&w, "\xc3", 1), "base64");
    ck_assert_str_eq(writer_bytes(&w, "a\0", 2), "base64");
    ck_assert_str_eq(b.data, "\"caf\xc3\xa9\\n\",\"ww==\",\"YQA=\"");
    buf_free(&b);
}

END_TEST

START_TEST(values_are_copied_as_they_were_read)
{
    const char *text = "{\"z\":[1,2.5,\"x\\n\",null,true,{}],\"a\":9007199254740991,\"b\":-1e+300}";
    struct json *value = parse(text);
    struct buf b = BUF_INIT;
    struct writer w;
    writer_init(&w, &b);
    writer_value(&w, value);
    ck_assert_str_eq(b.data, text);
    json_free(value);
    buf_free(&b);
}

END_TEST

static void canonical_is(const char *text, const char *want)
{
    struct json *value = parse(text);
    struct buf b = BUF_INIT;
    writer_canonical(&b, value);
    ck_assert_str_eq(b.data, want);
    json_free(value);
    buf_free(&b);
}

START_TEST(canonical_text_ignores_order_spaces_and_spelling)
{
    canonical_is(" { \"b\" : 1.0 , \"a\" : { \"d\":[3, 1,2], \"c\":1e2 } }",
                 "{\"a\":{\"c\":100,\"d\":[3,1,2]},\"b\":1}");
    canonical_is("{\"\\u0062\":\"\\u0041\",\"a\":-0}", "{\"a\":0,\"b\":\"A\"}");
    canonical_is(
        "{\"k17\":1,\"k16\":1,\"k15\":1,\"k14\":1,\"k13\":1,\"k12\":1,\"k11\":1,\"k10\":1,"
        "\"k9\":1,\"k8\":1,\"k7\":1,\"k6\":1,\"k5\":1,\"k4\":1,\"k3\":1,\"k2\":1,\"k1\":1}",
        "{\"k1\":1,\"k10\":1,\"k11\":1,\"k12\":1,\"k13\":1,\"k14\":1,\"k15\":1,\"k16\":1,"
        "\"k17\":1,\"k2\":1,\"k3\":1,\"k4\":1,\"k5\":1,\"k6\":1,\"k7\":1,\"k8\":1,\"k9\":1}");
}

END_TEST

SUITE_MAIN("writer", commas_stand_between_and_nowhere_else, strings_are_escaped_and_always_valid,
           numbers_read_back_the_same, bytes_go_as_text_when_they_are_text,
           values_are_copied_as_they_were_read, canonical_text_ignores_order_spaces_and_spelling)
