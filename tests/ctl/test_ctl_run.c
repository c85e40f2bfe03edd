/* run and logs: output of jobs, exit statuses, Ctrl-C; on files and on a terminal. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "suite.h"

static int64_t submitted_and_followed(struct peer *peer)
{
    peer_expect(peer, "submit");
    peer_result(peer, "{'id':9,'state':'queued','existing':false}");
    peer_expect(peer, "logs");
    ck_assert(json_bool(json_get(peer->request.params, "follow")));
    ck_assert_str_eq(json_string(json_get(peer->request.params, "stream")), "both");
    return peer->request.id.number;
}

static void end_with(struct peer *peer, int64_t logs, const char *job)
{
    peer_result_to(peer, logs, "{'state':'ended'}");
    peer_expect(peer, "get");
    peer_result(peer, job);
}

#define RUN(...) harness_ctl("run", "--clean-env", __VA_ARGS__, "--", "cmd")

static void print_and_exit_3(struct peer *peer)
{
    int64_t logs = submitted_and_followed(peer);
    peer_event(peer, "'type':'log','request':2,'stream':'stdout','offset':0,'data':'one\\n',"
                     "'enc':'utf8'");
    peer_event(peer, "'type':'log','request':2,'stream':'stderr','offset':0,'data':'oops\\n',"
                     "'enc':'utf8'");
    peer_event(peer, "'type':'log','request':2,'stream':'stdout','offset':4,'data':'/wD+Cg==',"
                     "'enc':'base64'");
    peer_event(peer, "'type':'gap','request':2,'stream':'stdout','from':8,'to':108");
    peer_event(peer, "'type':'later-version'");
    end_with(peer, logs, "{'id':9,'state':'failed','exit_code':3,'signal':null,'error':null}");
}

START_TEST(run_separates_streams_and_exits_as_the_command)
{
    harness_start(print_and_exit_3);
    ck_assert_int_eq(RUN("--name", "n"), 3);
    const char *out = harness_file("out");
    ck_assert_mem_eq(out, "one\n\xff\0\xfe\n", 9);
    ck_assert_str_eq(harness_file("err"), "oops\ncoschedctl: 100 bytes of stdout are not kept\n");
    harness_stop();
}

END_TEST

static const char *final_job;

static void end_at_once(struct peer *peer)
{
    end_with(peer, submitted_and_followed(peer), final_job);
}

START_TEST(run_exits_and_tells_what_output_cannot)
{
    static const struct {
        const char *job;
        int status;
        const char *err;
    } cases[] = {
        {"{'state':'succeeded','exit_code':0}", 0, ""},
        {"{'state':'failed','exit_code':127,'error':{'name':'exec_failed','message':'cmd: No such "
         "file'}}",
         127, "coschedctl: job 9 failed: exec_failed: cmd: No such file\n"},
        {"{'state':'failed','signal':'KILL'}", 137, "coschedctl: job 9 failed: signal KILL\n"},
        {"{'state':'timed_out','signal':'TERM'}", 124, "coschedctl: job 9 timed out: signal TERM\n"},
        {"{'state':'canceled'}", 130, ""},
        {"{'state':'skipped'}", 1, "coschedctl: job 9 skipped\n"},
        {"{'state':'failed','error':{'name':'interrupted'}}", 1,
         "coschedctl: job 9 failed: interrupted\n"},
    };

    final_job = cases[_i].job;
    harness_start(end_at_once);
    ck_assert_int_eq(RUN("--name", "n"), cases[_i].status);
    ck_assert_str_eq(harness_file("err"), cases[_i].err);
    harness_stop();
}

END_TEST

static void refuse_submit(struct peer *peer)
{
    peer_expect(peer, "submit");
    peer_error(peer, MESSAGE_LIMIT, "limit", NULL);
}

START_TEST(run_that_is_refused_is_125)
{
    harness_start(refuse_submit);
    ck_assert_int_eq(RUN("--name", "n"), 125);
    harness_stop();
}

END_TEST

static void take_submit(struct peer *peer)
{
    peer_expect(peer, "submit");
    peer_result(peer, "{'id':9,'state':'queued','existing':false}");
}

START_TEST(run_detached_prints_the_id)
{
    harness_start(take_submit);
    ck_assert_int_eq(RUN("--detach"), 0);
    ck_assert_str_eq(harness_file("out"), "9\n");
    harness_stop();
}

END_TEST

static void expect_cancel(struct peer *peer)
{
    int64_t id;
    peer_expect(peer, "cancel");
    ck_assert(json_int(json_first(json_get(peer->request.params, "ids")), &id) && id == 9);
    peer_result(peer, "{'canceled':[9],'not_cancelable':[],'not_found':[]}");
}

static void interrupt_once(struct peer *peer)
{
    int64_t logs = submitted_and_followed(peer);
    peer_signal(peer, SIGINT);
    expect_cancel(peer);
    peer_event(peer, "'type':'log','stream':'stdout','offset':0,'data':'last words','enc':'utf8'");
    end_with(peer, logs, "{'id':9,'state':'canceled','signal':'TERM'}");
}

START_TEST(first_interrupt_cancels_and_follows_to_the_end)
{
    harness_start(interrupt_once);
    ck_assert_int_eq(RUN("--name", "n"), 130);
    ck_assert_str_eq(harness_file("out"), "last words");
    ck_assert_contains(harness_file("err"), "canceling job 9");
    harness_stop();
}

END_TEST

static void interrupt_twice(struct peer *peer)
{
    (void)submitted_and_followed(peer);
    peer_signal(peer, SIGINT);
    expect_cancel(peer);
    peer_signal(peer, SIGINT);
    peer_drain(peer); /* it leaves without an answer */
}

START_TEST(second_interrupt_leaves_at_once)
{
    harness_start(interrupt_twice);
    ck_assert_int_eq(RUN("--name", "n"), 130);
    harness_stop();
}

END_TEST

static void follow_as_json(struct peer *peer)
{
    int64_t logs = submitted_and_followed(peer);
    peer_event(peer, "'type':'log','stream':'stdout','offset':0,'data':'x','enc':'utf8'");
    end_with(peer, logs, "{'id':9,'state':'succeeded'}");
}

START_TEST(run_as_json_is_a_line_an_event_and_the_job)
{
    harness_start(follow_as_json);
    ck_assert_int_eq(RUN("--json"), 0);
    ck_assert_str_eq(harness_file("out"),
                     "{\"type\":\"log\",\"stream\":\"stdout\",\"offset\":0,\"data\":\"x\","
                     "\"enc\":\"utf8\"}\n{\"id\":9,\"state\":\"succeeded\"}\n");
    harness_stop();
}

END_TEST

/* --- logs ----------------------------------------------------------------------------------------- */

static void tail_in_two_tries(struct peer *peer)
{
    int64_t offset;
    peer_expect(peer, "logs");
    const struct json *offsets = json_get(peer->request.params, "offset");
    ck_assert(json_int(json_get(offsets, "stdout"), &offset) && offset == -65536);
    ck_assert(!json_bool(json_get(peer->request.params, "follow")));
    /* One line only in the first piece: it must ask for more. */
    peer_event(peer, "'type':'log','stream':'stdout','offset':1000,'data':'cut\\nlast\\n',"
                     "'enc':'utf8'");
    peer_result(peer, "{'state':'running'}");
    peer_expect(peer, "logs");
    offsets = json_get(peer->request.params, "offset");
    ck_assert(json_int(json_get(offsets, "stdout"), &offset) && offset == -8 * 65536);
    peer_event(peer,
               "'type':'log','stream':'stdout','offset':992,'data':'a\\nb\\nc\\n','enc':'utf8'");
    peer_event(peer, "'type':'log','stream':'stdout','offset':998,'data':'d cut\\nlast\\n',"
                     "'enc':'utf8'");
    peer_result(peer, "{'state':'running'}");
    peer_expect(peer, "logs");
    offsets = json_get(peer->request.params, "offset");
    ck_assert(json_bool(json_get(peer->request.params, "follow")));
    ck_assert(json_int(json_get(offsets, "stdout"), &offset) && offset == 1009);
    ck_assert(json_int(json_get(offsets, "stderr"), &offset) && offset == 0);
    peer_event(peer, "'type':'log','stream':'stdout','offset':1009,'data':'new\\n','enc':'utf8'");
    peer_result(peer, "{'state':'succeeded'}");
}

START_TEST(tail_shows_whole_lines_and_goes_on_where_it_ended)
{
    harness_start(tail_in_two_tries);
    ck_assert_int_eq(harness_ctl("logs", "-f", "--tail", "3", "9"), 0);
    ck_assert_str_eq(harness_file("out"), "c\nd cut\nlast\nnew\n");
    harness_stop();
}

END_TEST

static void one_stream_of_an_attempt(struct peer *peer)
{
    int64_t attempt;
    peer_expect(peer, "logs");
    ck_assert_str_eq(json_string(json_get(peer->request.params, "stream")), "stderr");
    ck_assert(json_int(json_get(peer->request.params, "attempt"), &attempt) && attempt == 2);
    ck_assert_ptr_null(json_get(peer->request.params, "offset"));
    peer_error(peer, MESSAGE_NOT_FOUND, "no such attempt", NULL);
}

START_TEST(logs_of_a_missing_attempt_are_refused)
{
    harness_start(one_stream_of_an_attempt);
    ck_assert_int_eq(harness_ctl("logs", "9", "--attempt", "2", "--stream", "stderr"), 1);
    ck_assert_str_eq(harness_file("err"), "coschedctl: cannot read the output: no such attempt\n");
    harness_stop();
}

END_TEST

static void escape_sequences(struct peer *peer)
{
    peer_expect(peer, "logs");
    /* A character of three bytes comes in two pieces, as base64 carries it. */
    peer_event(peer,
               "'type':'log','stream':'stdout','offset':0,'data':'a\\u001b[2Jb\\tc','enc':'utf8'");
    peer_event(peer, "'type':'log','stream':'stdout','offset':7,'data':'4oI=','enc':'base64'");
    peer_event(peer, "'type':'log','stream':'stdout','offset':9,'data':'rA==','enc':'base64'");
    peer_event(peer, "'type':'log','stream':'stdout','offset':10,'data':'\\u009b1m.','enc':'utf8'");
    peer_result(peer, "{'state':'succeeded'}");
}

/* The program's standard output is a terminal: "out" names its far end. */
START_TEST(control_sequences_are_harmless_on_a_terminal)
{
    char text[200];
    size_t n = 0;
    harness_start(escape_sequences);
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(grantpt(terminal), 0);
    ck_assert_int_eq(unlockpt(terminal), 0);
    ck_assert_int_eq(symlink(ptsname(terminal), "out"), 0);
    /* Kept open, so that what was written outlives the program. */
    int keep = open("out", O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(keep, 0);
    ck_assert_int_eq(harness_ctl("logs", "9"), 0);
    static const char want[] = "a\\x1b[2Jb\tc\xe2\x82\xac\\u009b1m.";
    while (n < sizeof want - 1) {
        ssize_t got = read(terminal, text + n, sizeof text - 1 - n);
        ck_assert_int_gt(got, 0);
        n += (size_t)got;
    }
    text[n] = '\0';
    ck_assert_str_eq(text, want);
    (void)close(keep);
    (void)close(terminal);
    harness_stop();
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_run");
    TCase *tc = tcase_create("ctl_run");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, run_separates_streams_and_exits_as_the_command);
    tcase_add_loop_test(tc, run_exits_and_tells_what_output_cannot, 0, 7);
    tcase_add_test(tc, run_that_is_refused_is_125);
    tcase_add_test(tc, run_detached_prints_the_id);
    tcase_add_test(tc, first_interrupt_cancels_and_follows_to_the_end);
    tcase_add_test(tc, second_interrupt_leaves_at_once);
    tcase_add_test(tc, run_as_json_is_a_line_an_event_and_the_job);
    tcase_add_test(tc, tail_shows_whole_lines_and_goes_on_where_it_ended);
    tcase_add_test(tc, logs_of_a_missing_attempt_are_refused);
    tcase_add_test(tc, control_sequences_are_harmless_on_a_terminal);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
