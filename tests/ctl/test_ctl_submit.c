/* submit --spec: one object, many lines, bad lines, refused batches, a daemon that answers late. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "suite.h"

static void write_lines(size_t count)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        buf_printf(&text,
                   "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"},\"name\":\"number %zu\"}\n", i);
    }
    harness_write("in", text.data, text.len);
    buf_free(&text);
}

/* Ids are 1000 and up, by the number in the name of each job. */
static void answer_ids(struct peer *peer, int64_t id, int64_t first, size_t count)
{
    struct buf text = BUF_INIT;
    struct writer w;
    writer_init(&w, &text);
    writer_object(&w);
    writer_member_array(&w, "ids");
    for (size_t i = 0; i < count; i++) {
        writer_int(&w, 1000 + first + (int64_t)i);
    }
    writer_end_array(&w);
    writer_member_array(&w, "existing");
    for (size_t i = 0; i < count; i++) {
        writer_bool(&w, false);
    }
    writer_end_array(&w);
    writer_end_object(&w);
    peer_result_to(peer, id, text.data);
    buf_free(&text);
}

static void check_ids(size_t count)
{
    const char *p = harness_file("out");
    for (size_t i = 0; i < count; i++) {
        char *end;
        ck_assert_uint_eq(strtoul(p, &end, 10), 1000 + i);
        ck_assert_int_eq(*end, '\n');
        p = end + 1;
    }
    ck_assert_str_eq(p, "");
}

/* Reads everything first, then answers the last batch first. */
static void answer_late(struct peer *peer)
{
    int64_t requests[5], firsts[5];
    size_t counts[5];
    size_t seen = 0;
    int n = 0;
    for (; seen < 5000; n++) {
        ck_assert_int_lt(n, 5);
        peer_expect(peer, "submit_many");
        const struct json *jobs = json_get(peer->request.params, "jobs");
        char name[32];
        (void)snprintf(name, sizeof name, "number %zu", seen);
        ck_assert_str_eq(json_string(json_get(json_first(jobs), "name")), name);
        requests[n] = peer->request.id.number;
        firsts[n] = (int64_t)seen;
        counts[n] = json_count(jobs);
        seen += counts[n];
    }
    while (n-- > 0) {
        answer_ids(peer, requests[n], firsts[n], counts[n]);
    }
}

START_TEST(five_thousand_lines_and_a_daemon_that_answers_late)
{
    harness_start(answer_late);
    write_lines(5000);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 0);
    check_ids(5000);
    harness_stop();
}

END_TEST

static void answer_each(struct peer *peer)
{
    int64_t first = 0;
    while (peer_read(peer)) {
        size_t count = json_count(json_get(peer->request.params, "jobs"));
        ck_assert_uint_le(count, 1000);
        answer_ids(peer, peer->request.id.number, first, count);
        first += (int64_t)count;
    }
}

START_TEST(many_lines_keep_their_order)
{
    harness_start(answer_each);
    write_lines(30001);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "in"), 0);
    check_ids(30001);
    harness_stop();
}

END_TEST

START_TEST(blank_lines_and_a_missing_last_line_end_are_fine)
{
    static const char text[] =
        "\n{\"kind\":\"a\"}\r\n\n  \t\n {\"kind\":\"b\"}  \n{\"kind\":\"c\"}";
    harness_start(answer_each);
    harness_write("in", text, sizeof text - 1);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 0);
    check_ids(3);
    harness_stop();
}

END_TEST

static void expect_nothing(struct peer *peer)
{
    ck_assert(!peer_read(peer));
}

START_TEST(bad_line_is_named_and_nothing_is_sent)
{
    static const char text[] = "{\"kind\":\"a\"}\n\n{\"kind\":\"b\",}\n{\"kind\":\"c\"}\n";
    harness_start(expect_nothing);
    harness_write("in", text, sizeof text - 1);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 1);
    ck_assert_str_eq(harness_file("out"), "");
    ck_assert_contains(harness_file("err"),
                       "coschedctl: line 3: a member name is expected at byte");
    harness_stop();
}

END_TEST

START_TEST(line_that_is_no_object_is_named)
{
    harness_start(expect_nothing);
    harness_write("in", "[1]\n", 4);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 1);
    ck_assert_str_eq(harness_file("err"), "coschedctl: line 1: a specification is an object\n");
    harness_stop();
}

END_TEST

START_TEST(empty_file_is_told)
{
    harness_start(expect_nothing);
    harness_write("in", "\n\n", 2);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 1);
    ck_assert_contains(harness_file("err"), "no specification given");
    ck_assert_int_eq(harness_ctl("submit", "--spec", "absent"), 64);
    ck_assert_contains(harness_file("err"), "coschedctl: absent: No such file");
    harness_stop();
}

END_TEST

static void take_one_object(struct peer *peer)
{
    peer_expect(peer, "submit_many");
    const struct json *job = json_first(json_get(peer->request.params, "jobs"));
    ck_assert_str_eq(json_string(json_get(job, "kind")), "sleep");
    ck_assert_uint_eq(json_count(job), 2);
    answer_ids(peer, peer->request.id.number, 0, 1);
}

START_TEST(one_object_may_stand_on_many_lines)
{
    static const char text[] =
        "\n{\n  \"kind\": \"sleep\",\n  \"args\": {\n    \"for\": \"1s\"\n  }\n}\n";
    harness_start(take_one_object);
    harness_write("spec", text, sizeof text - 1);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "spec"), 0);
    check_ids(1);
    harness_stop();
}

END_TEST

static void refuse_second_job(struct peer *peer)
{
    peer_expect(peer, "submit_many");
    peer_error(peer, MESSAGE_INVALID_PARAMS, "invalid_params", "params.jobs[1].queue");
}

START_TEST(refused_specification_is_named_by_its_line)
{
    static const char text[] = "{\"kind\":\"a\"}\n\n{\"queue\":\"none\"}\n{\"kind\":\"c\"}\n";
    harness_start(refuse_second_job);
    harness_write("in", text, sizeof text - 1);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 1);
    ck_assert_contains(harness_file("err"), "line 3 (lines 1 to 4 were not submitted)");
    harness_stop();
}

END_TEST

static void refuse_a_later_reference(struct peer *peer)
{
    peer_expect(peer, "submit_many");
    answer_ids(peer, peer->request.id.number, 0, 1000);
    ck_assert(!peer_read(peer));
}

START_TEST(reference_beyond_the_first_batch_is_refused)
{
    struct buf text = BUF_INIT;
    harness_start(refuse_a_later_reference);
    for (int i = 0; i < 1000; i++) {
        buf_literal(&text, "{\"kind\":\"a\"}\n");
    }
    buf_literal(&text, "{\"kind\":\"b\",\"after\":[\"#3\"]}\n");
    harness_write("in", text.data, text.len);
    buf_free(&text);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 1);
    ck_assert_contains(harness_file("err"), "line 1001: \"#k\" works within");
    harness_stop();
}

END_TEST

static void wait_for_all(struct peer *peer)
{
    peer_expect(peer, "submit_many");
    answer_ids(peer, peer->request.id.number, 0, 3);
    peer_expect(peer, "wait");
    ck_assert_uint_eq(json_count(json_get(peer->request.params, "ids")), 3);
    peer_result(peer, "{'jobs':[{'id':1000,'state':'succeeded'},{'id':1002,'state':'failed',"
                      "'exit_code':6},{'id':1001,'state':'timed_out'}]}");
}

START_TEST(wait_of_many_exits_as_the_first_in_order)
{
    harness_start(wait_for_all);
    write_lines(3);
    ck_assert_int_eq(harness_ctl("submit", "--wait", "--spec", "-"), 124);
    harness_stop();
}

END_TEST

static void hang_up_in_the_middle(struct peer *peer)
{
    peer_expect(peer, "submit_many");
    answer_ids(peer, peer->request.id.number, 0, 1000);
}

START_TEST(lost_connection_is_told_and_known_ids_are_printed)
{
    harness_start(hang_up_in_the_middle);
    write_lines(2500);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "-"), 69);
    check_ids(1000);
    ck_assert_contains(harness_file("err"), "lost the daemon at s");
    harness_stop();
}

END_TEST

SUITE_MAIN("ctl_submit", five_thousand_lines_and_a_daemon_that_answers_late,
           many_lines_keep_their_order, blank_lines_and_a_missing_last_line_end_are_fine,
           bad_line_is_named_and_nothing_is_sent, line_that_is_no_object_is_named,
           empty_file_is_told, one_object_may_stand_on_many_lines,
           refused_specification_is_named_by_its_line, reference_beyond_the_first_batch_is_refused,
           wait_of_many_exits_as_the_first_in_order,
           lost_connection_is_told_and_known_ids_are_printed)
