/* The strict reader: everything that cJSON alone would let through, and exact integers. */
#include <string.h>
#include <time.h>

#include "suite.h"
#include "wire/buf.h"
#include "wire/json.h"

static struct json *parse(const char *text)
{
    struct json_error err;
    return json_parse(text, strlen(text), &err);
}

static void refuse_n(const char *text, size_t len, const char *reason, size_t offset)
{
    struct json_error err = {0, NULL, false};
    struct json *value = json_parse(text, len, &err);
    ck_assert_msg(!value, "accepted: %.60s", text);
    ck_assert(!err.out_of_memory);
    ck_assert_str_eq(err.reason, reason);
    ck_assert_msg(err.offset == offset, "%.60s: at %zu, not %zu", text, err.offset, offset);
}

static void refuse(const char *text, const char *reason, size_t offset)
{
    refuse_n(text, strlen(text), reason, offset);
}

static void accept(const char *text)
{
    struct json_error err = {0, NULL, false};
    struct json *value = json_parse(text, strlen(text), &err);
    ck_assert_msg(value, "%.60s: %s at %zu", text, err.reason, err.offset);
    json_free(value);
}

START_TEST(values_of_each_type_are_read)
{
    struct json *root =
        parse(" {\"n\":null,\"t\":true,\"f\":false,\"i\":-7,\"d\":2.5e-1,"
              "\"s\":\"x\\ny\\u00e9\\ud83d\\ude00\",\"a\":[1,[],{}],\"o\":{\"k\":1}}\r\n");
    ck_assert_int_eq(json_type(root), JSON_OBJECT);
    ck_assert_uint_eq(json_count(root), 8);
    ck_assert_int_eq(json_type(json_get(root, "n")), JSON_NULL);
    ck_assert(json_is(json_get(root, "n"), JSON_NULL));
    ck_assert(!json_is(json_get(root, "absent"), JSON_NULL));
    ck_assert(json_bool(json_get(root, "t")));
    ck_assert(!json_bool(json_get(root, "f")));
    ck_assert(json_is(json_get(root, "f"), JSON_BOOL));
    ck_assert_double_eq(json_number(json_get(root, "d")), 0.25);
    ck_assert_str_eq(json_string(json_get(root, "s")), "x\ny\xc3\xa9\xf0\x9f\x98\x80");
    const struct json *array = json_get(root, "a");
    ck_assert_uint_eq(json_count(array), 3);
    ck_assert_ptr_null(json_key(json_first(array)));
    ck_assert_str_eq(json_key(json_first(json_get(root, "o"))), "k");
    ck_assert_ptr_null(json_get(root, "N")); /* names are exact */
    struct json *copy = json_copy(root);
    json_free(root);
    ck_assert_uint_eq(json_count(json_get(copy, "a")), 3);
    json_free(copy);
    json_free(NULL);
}

END_TEST

START_TEST(readers_take_null_and_other_types)
{
    struct json *text = parse("\"s\"");
    int64_t i;
    ck_assert_ptr_null(json_get(NULL, "k"));
    ck_assert_ptr_null(json_get(text, "k"));
    ck_assert_ptr_null(json_first(text));
    ck_assert_ptr_null(json_next(NULL));
    ck_assert_uint_eq(json_count(NULL), 0);
    ck_assert_ptr_null(json_string(NULL));
    ck_assert(!json_bool(text) && !json_bool(NULL));
    ck_assert(!json_int(text, &i) && !json_int(NULL, &i));
    ck_assert_double_eq(json_number(text), 0);
    ck_assert_int_eq(json_type(NULL), JSON_NULL);
    json_free(text);
}

END_TEST

START_TEST(integers_are_exact_below_2_to_53)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9007199254740991", true, INT64_C(9007199254740991)},
        {"-9007199254740991", true, INT64_C(-9007199254740991)},
        {"4503599627370497", true, INT64_C(4503599627370497)},
        {"9007199254740992", false, 0},
        {"9007199254740993", false, 0},
        {"18446744073709551616", false, 0},
        {"1e2", true, 100},
        {"1.0", true, 1},
        {"1.5", false, 0},
        {"1e300", false, 0},
        {"true", false, 0},
        {"\"1\"", false, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *root = parse(cases[i].text);
        int64_t value = 0;
        ck_assert_msg(json_int(root, &value) == cases[i].ok, "%s", cases[i].text);
        ck_assert_int_eq(value, cases[i].value);
        json_free(root);
    }
}

END_TEST

START_TEST(numbers_follow_the_grammar)
{
    static const char *const good[] = {"0", "-1", "10", "0.5", "1e5", "1E+5", "1.25e-3", "[0,1]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        accept(good[i]);
    }
    refuse("007", "number with a leading zero", 0);
    refuse("[-01]", "number with a leading zero", 1);
    refuse("+1", "a value is expected", 0);
    refuse(".5", "a value is expected", 0);
    refuse("-", "invalid number", 0);
    refuse("1.", "invalid number", 0);
    refuse("1.e5", "invalid number", 0);
    refuse("1e", "invalid number", 0);
    refuse("1e+", "invalid number", 0);
    refuse("0x10", "text behind the value", 1);
    refuse("NaN", "a value is expected", 0);
    refuse("-Infinity", "invalid number", 0);
    refuse("[1e999]", "number out of range", 1);
    accept("1e-999");
    char digits[80];
    memset(digits, '1', sizeof digits);
    struct json_error err;
    struct json *longest = json_parse(digits, 63, &err);
    ck_assert_ptr_nonnull(longest);
    json_free(longest);
    refuse_n(digits, 64, "number too long", 0);
}

END_TEST

START_TEST(strings_with_bad_bytes_are_refused)
{
    refuse("\"a\nb\"", "raw control character in a string", 2);
    refuse("\"\x1f\"", "raw control character in a string", 1);
    accept("\"\x7f\"");
    refuse("\"\xff\"", "invalid UTF-8", 1);
    refuse("\"01234567\xc0\xaf\"", "invalid UTF-8", 9);
    refuse("\"\xed\xa0\x80\"", "invalid UTF-8", 1);
    refuse("\"\xe2\x82\"", "invalid UTF-8", 1);
    refuse("\"\\u0000\"", "\\u0000 is not allowed", 1);
    refuse("{\"a\\u0000b\":1}", "\\u0000 is not allowed", 3);
    refuse("\"\\ud800\"", "lone surrogate", 1);
    refuse("\"\\udc00\"", "lone surrogate", 1);
    refuse("\"\\ud800\\ud800\"", "lone surrogate", 1);
    refuse("\"\\ud800x\"", "lone surrogate", 1);
    refuse("\"\\x41\"", "unknown escape", 1);
    refuse("\"\\u12g4\"", "\\u needs four hexadecimal digits", 1);
    refuse("\"\\u12", "\\u needs four hexadecimal digits", 1);
    refuse("\"abc", "text ends inside a string", 4);
    refuse("\"abc\\", "text ends inside a string", 4);
    refuse("\"abc\\\"", "text ends inside a string", 6);
    refuse_n("\"a\0b\"", 5, "raw control character in a string", 2);
    refuse_n("\"a\\\0b\"", 6, "unknown escape", 2);
}

END_TEST

START_TEST(structure_errors_name_their_place)
{
    refuse("", "empty", 0);
    refuse("  ", "a value is expected", 2);
    refuse("{", "a member name is expected", 1);
    refuse("[", "a value is expected", 1);
    refuse("[1", "array is not closed", 2);
    refuse("{\"a\":1", "object is not closed", 6);
    refuse("{\"a\"}", "':' is expected", 4);
    refuse("{\"a\":}", "a value is expected", 5);
    refuse("{a:1}", "a member name is expected", 1);
    refuse("{\"a\":1,}", "a member name is expected", 7);
    refuse("[1,]", "a value is expected", 3);
    refuse("[1 2]", "',' or ']' is expected", 3);
    refuse("[1}", "',' or ']' is expected", 2);
    refuse("{\"a\":1]", "',' or '}' is expected", 6);
    refuse("{} {}", "text behind the value", 3);
    refuse("{}x", "text behind the value", 2);
    refuse("tru", "unexpected text", 0);
    refuse("truex", "text behind the value", 4);
    refuse("'a'", "a value is expected", 0);
    refuse("[1]//", "text behind the value", 3);
    refuse("\xef\xbb\xbf{}", "a value is expected", 0);
    refuse_n("{}\0", 3, "text behind the value", 2);
    refuse("[\v1]", "a value is expected", 1);
}

END_TEST

START_TEST(nesting_is_limited_to_64)
{
    char text[2 * (JSON_DEPTH_MAX + 1) + 1];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        if (depth == JSON_DEPTH_MAX) {
            accept(text);
        } else {
            refuse(text, "nested deeper than 64", JSON_DEPTH_MAX);
        }
    }
    struct buf b = BUF_INIT;
    for (int i = 0; i < 500000; i++) {
        buf_putc(&b, '[');
    }
    refuse(b.data, "nested deeper than 64", JSON_DEPTH_MAX);
    buf_free(&b);
}

END_TEST

START_TEST(duplicate_keys_are_refused_however_spelled)
{
    refuse("{\"a\":1,\"a\":2}", "duplicate key", 8);
    refuse("{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", "duplicate key", 19);
    refuse("{\"a\":1,\"\\u0061\":2}", "duplicate key", 8);
    refuse("{\"\\u00e9\":1,\"\xc3\xa9\":2}", "duplicate key", 13);
    refuse("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "duplicate key", 19);
    refuse("{\"a\\nb\":1,\"a\\u000ab\":2}", "duplicate key", 11);
    refuse("{\"\":1,\"\":2}", "duplicate key", 7);
    accept("{\"a\":1,\"A\":2,\"\":3,\"aa\":4,\"\\u0061b\":5}");
    accept("{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}");
    accept("[{\"a\":1},{\"a\":1}]");
}

END_TEST

/* count members, each name written with `spelling`, then one more with a name already used. */
static void many(size_t count, bool duplicate, bool escaped)
{
    struct buf b = BUF_INIT;
    struct json_error err;
    buf_putc(&b, '{');
    for (size_t i = 0; i < count; i++) {
        buf_printf(&b, "\"k%zx\":1,", i * 7919 % count);
    }
    size_t last = b.len + 1;
    buf_puts(&b, escaped ? "\"\\u006b" : "\"k");
    buf_printf(&b, "%zx\":1}", duplicate ? count / 2 : count);
    struct json *value = json_parse(b.data, b.len, &err);
    if (duplicate) {
        ck_assert_ptr_null(value);
        ck_assert_str_eq(err.reason, "duplicate key");
        ck_assert_uint_eq(err.offset, last);
    } else {
        ck_assert_ptr_nonnull(value);
        ck_assert_uint_eq(json_count(value), count + 1);
    }
    json_free(value);
    buf_free(&b);
}

START_TEST(empty_name_among_many_is_a_name)
{
    struct buf b = BUF_INIT;
    struct json_error err;
    buf_literal(&b, "{\"\":0");
    for (int i = 0; i < 40; i++) {
        buf_printf(&b, ",\"%d\":0", i);
    }
    buf_putc(&b, '}');
    struct json *value = json_parse(b.data, b.len, &err);
    ck_assert_ptr_nonnull(value);
    json_free(value);
    buf_truncate(&b, b.len - 1);
    buf_literal(&b, ",\"\":0}");
    ck_assert_ptr_null(json_parse(b.data, b.len, &err));
    ck_assert_str_eq(err.reason, "duplicate key");
    buf_free(&b);
}

END_TEST

START_TEST(many_keys_are_told_apart)
{
    static const size_t counts[] = {1, 14, 15, 16, 17, 47, 48, 49, 1000, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        many(counts[i], false, false);
        many(counts[i], true, false);
        many(counts[i], true, true);
    }
}

END_TEST

START_TEST(hostile_objects_of_a_mebibyte_take_milliseconds)
{
    struct buf b = BUF_INIT;
    struct json_error err;
    /* One long common beginning: no prefix tells these names apart. */
    buf_putc(&b, '{');
    for (unsigned i = 0; b.len < 1000000; i++) {
        buf_printf(&b, "%s\"\\u0061aaaaaaaaaaaaaaa%u\":0", i ? "," : "", i);
    }
    buf_putc(&b, '}');
    clock_t begin = clock();
    struct json *value = json_parse(b.data, b.len, &err);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    ck_assert_ptr_nonnull(value);
    ck_assert_msg(seconds < 10, "%.3f s", seconds); /* quadratic would be minutes */
    json_free(value);
    buf_free(&b);
}

END_TEST

START_TEST(unknown_members_are_found_by_name)
{
    static const char *const names[] = {"a", "b", NULL};
    struct json *root = parse("{\"b\":1,\"c\":2,\"d\":3}");
    ck_assert_str_eq(json_key(json_unknown(root, names)), "c");
    json_free(root);
    root = parse("{\"b\":1}");
    ck_assert_ptr_null(json_unknown(root, names));
    ck_assert_ptr_null(json_unknown(NULL, names));
    json_free(root);
}

END_TEST

SUITE_MAIN("json", values_of_each_type_are_read, readers_take_null_and_other_types,
           integers_are_exact_below_2_to_53, numbers_follow_the_grammar,
           strings_with_bad_bytes_are_refused, structure_errors_name_their_place,
           nesting_is_limited_to_64, duplicate_keys_are_refused_however_spelled,
           empty_name_among_many_is_a_name, many_keys_are_told_apart,
           hostile_objects_of_a_mebibyte_take_milliseconds, unknown_members_are_found_by_name)
