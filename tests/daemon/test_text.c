/* UTF-8 well-formedness at each of its edges, and base64 both ways. */
#include <stdint.h>

#include "suite.h"
#include "wire/text.h"

static bool valid(const char *text)
{
    return text_is_utf8(text, strlen(text));
}

START_TEST(utf8_edges_of_every_row_are_accepted)
{
    ck_assert(valid("\x01\x7f"));
    ck_assert(valid("\xc2\x80\xdf\xbf"));
    ck_assert(valid("\xe0\xa0\x80\xe0\xbf\xbf\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    ck_assert(valid("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

END_TEST

START_TEST(utf8_overlong_surrogate_and_cut_are_refused)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2",
        "\xe1\x80",
        "\xf1\x80\x80",
        "\xe1\x80\x41",
        "\xc2\x41",
        "\xf1\x80\x41\x80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!valid(bad[i]), "sequence %zu", i);
    }
    ck_assert(!text_is_utf8("a\0b", 3));
}

END_TEST

START_TEST(cut_never_ends_inside_a_sequence)
{
    const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"; /* 1, 2, 3 and 4 bytes */
    const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t n = 0; n < sizeof want / sizeof want[0]; n++) {
        ck_assert_uint_eq(text_utf8_cut(text, n), want[n]);
    }
    /* Bytes that are no text at all are passed on whole. */
    ck_assert_uint_eq(text_utf8_cut("\x80\x80\x80\x80", 4), 4);
}

END_TEST

START_TEST(plain_length_stops_at_every_special_byte)
{
    char text[40];
    for (int c = 0; c < 256; c++) {
        bool special = c < 0x20 || c >= 0x80 || c == '"' || c == '\\';
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            size_t want = special ? at : sizeof text;
            ck_assert_uint_eq(text_plain_length(text, text + sizeof text), want);
        }
    }
}

END_TEST

START_TEST(base64_matches_the_vectors_of_rfc_4648)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct buf b = BUF_INIT;
        text_base64_encode(&b, vectors[i][0], strlen(vectors[i][0]));
        ck_assert_str_eq(buf_text(&b), vectors[i][1]);
        buf_reset(&b);
        ck_assert(text_base64_decode(&b, vectors[i][1], strlen(vectors[i][1])));
        ck_assert_str_eq(buf_text(&b), vectors[i][0]);
        buf_free(&b);
    }
}

END_TEST

START_TEST(base64_carries_every_byte)
{
    unsigned char all[256];
    struct buf text = BUF_INIT, back = BUF_INIT;
    for (unsigned i = 0; i < 256; i++) {
        all[i] = (unsigned char)i;
    }
    text_base64_encode(&text, all, sizeof all);
    ck_assert(text_base64_decode(&back, text.data, text.len));
    ck_assert_uint_eq(back.len, sizeof all);
    ck_assert_mem_eq(back.data, all, sizeof all);
    buf_free(&text);
    buf_free(&back);
}

END_TEST

START_TEST(base64_refuses_what_is_not_canonical)
{
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",  "Zg===", "Z===",     "====",
                                      "Zh==", "Zm9=", "Zm-_", "Z g=",  "Zg==Zg==", "Zm8=Zm8="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = BUF_INIT;
        ck_assert_msg(!text_base64_decode(&b, bad[i], strlen(bad[i])), "%s", bad[i]);
        buf_free(&b);
    }
}

END_TEST

SUITE_MAIN("text", utf8_edges_of_every_row_are_accepted,
           utf8_overlong_surrogate_and_cut_are_refused, cut_never_ends_inside_a_sequence,
           plain_length_stops_at_every_special_byte, base64_matches_the_vectors_of_rfc_4648,
           base64_carries_every_byte, base64_refuses_what_is_not_canonical)
