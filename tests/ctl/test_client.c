/* The client's connection: single requests pipelined against a daemon that will not read before
 * its answers are read; text made harmless; numbers for people. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "harness.h"
#include "show.h"
#include "suite.h"
#include "terminal.h"

#define REQUESTS 5000

/* Answers each request with a kilobyte before it reads the next: both directions fill up unless
 * the client reads while it writes. */
static void answer_at_length(struct peer *peer)
{
    char text[1024];
    int small = 4096;
    (void)setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    memset(text, '0', sizeof text);
    memcpy(text, "{'pad':'", 8);
    memcpy(text + sizeof text - 3, "'}", 3);
    while (peer_read(peer)) {
        peer_result(peer, text);
    }
}

START_TEST(client_reads_while_it_writes)
{
    struct client client;
    struct response message;
    struct writer w;
    int sent = 0, answered = 0;
    harness_start(answer_at_length);
    client_init(&client);
    ck_assert_int_eq(client_open(&client, "s"), 0);
    while (answered < REQUESTS) {
        int result = client_next(&client, sent < REQUESTS ? 65536 : 0, &message);
        ck_assert_int_ge(result, 0);
        if (result == 0) {
            int64_t id = client_begin(&client, &w, "submit");
            ck_assert_int_eq(id, ++sent);
            writer_object(&w);
            writer_member_string(&w, "name", "one of many, each a small line of its own");
            writer_end_object(&w);
            client_end(&w);
        } else {
            ck_assert_int_eq(message.kind, MESSAGE_RESULT);
            ck_assert_int_eq(message.id.number, ++answered);
            message_response_fini(&message);
        }
    }
    client_close(&client);
    client_close(&client);
    harness_stop();
}

END_TEST

static void say_why_and_hang_up(struct peer *peer)
{
    peer_expect(peer, "submit");
    peer_error(peer, MESSAGE_SHUTTING_DOWN, "going", NULL);
}

START_TEST(last_words_of_the_daemon_are_read_though_it_takes_no_more)
{
    struct client client;
    struct response message;
    struct writer w;
    int result = 0;
    harness_start(say_why_and_hang_up);
    client_init(&client);
    ck_assert_int_eq(client_open(&client, "s"), 0);
    while ((result = client_next(&client, 1 << 20, &message)) == 0) {
        (void)client_begin(&client, &w, "submit");
        writer_object(&w);
        writer_end_object(&w);
        client_end(&w);
    }
    ck_assert_int_eq(result, 1);
    ck_assert_int_eq(message.code, MESSAGE_SHUTTING_DOWN);
    message_response_fini(&message);
    ck_assert_int_eq(client_next(&client, 0, &message), -ECONNRESET);
    client_close(&client);
    harness_stop();
}

END_TEST

static void clean(const char *text, const char *line, const char *output)
{
    struct buf b = BUF_INIT;
    terminal_clean(&b, text, strlen(text));
    ck_assert_str_eq(buf_text(&b), line);
    buf_reset(&b);
    terminal_clean_output(&b, text, strlen(text));
    ck_assert_str_eq(buf_text(&b), output);
    buf_free(&b);
}

START_TEST(text_is_made_harmless)
{
    clean("plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
          "plain \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    clean("\x1b]0;title\x07", "\\x1b]0;title\\x07", "\\x1b]0;title\\x07");
    clean("a\nb\tc\rd\x7f", "a\\nb\\tc\\rd\\x7f", "a\nb\tc\rd\\x7f");
    clean("\xc2\x9b"
          "31m",
          "\\u009b31m", "\\u009b31m");
    clean("\xe2\x80\xae"
          "evil\xe2\x81\xa9",
          "\\u202eevil\\u2069", "\\u202eevil\\u2069");
    clean("\xff\xc3", "\\xff\\xc3", "\\xff\\xc3");
}

END_TEST

static void duration(double us, const char *want)
{
    struct buf b = BUF_INIT;
    show_duration_us(&b, us);
    ck_assert_str_eq(b.data, want);
    buf_free(&b);
}

START_TEST(durations_are_for_people)
{
    duration(0, "0us");
    duration(850, "850us");
    duration(12345, "12.3ms");
    duration(123456, "123ms");
    duration(4.2e6, "4.2s");
    duration(303e6, "5m03s");
    duration(7500e6, "2h05m");
    duration(273600e6, "3d04h");
    duration(-5, "0us");
}

END_TEST

START_TEST(over_long_paths_never_reach_the_kernel)
{
    char path[200];
    struct client client;
    client_init(&client);
    memset(path, 'x', sizeof path);
    path[108] = '\0';
    ck_assert_int_eq(client_open(&client, path), -ENAMETOOLONG);
    path[107] = '\0';
    ck_assert_int_eq(client_open(&client, path), -ENOENT);
    client_close(&client);
}

END_TEST

SUITE_MAIN("client", client_reads_while_it_writes,
           last_words_of_the_daemon_are_read_though_it_takes_no_more, text_is_made_harmless,
           durations_are_for_people, over_long_paths_never_reach_the_kernel)
