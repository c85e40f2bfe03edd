/* list, status, wait, cancel, submit from options, stats: requests sent and text printed. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "suite.h"

#define TIMES "'created':'2020-01-01T00:00:00.000000Z','started':'2020-01-01T00:00:01.000000Z'"

static const struct json *param(const struct peer *peer, const char *name)
{
    return json_get(peer->request.params, name);
}

static void answer_list(struct peer *peer)
{
    peer_expect(peer, "list");
    ck_assert_str_eq(json_string(json_first(param(peer, "state"))), "running");
    ck_assert_str_eq(json_string(json_next(json_first(param(peer, "state")))), "failed");
    ck_assert_str_eq(json_string(json_get(param(peer, "label"), "team")), "a=b");
    peer_result(peer, "{'jobs':[{'id':12,'kind':'exec','name':'evil\\u001b[2J\\nname\\u202e',"
                      "'queue':'default','state':'running','priority':5,'attempt':1," TIMES "},"
                      "{'id':3,'kind':'sleep','name':null,'queue':'q','state':'failed',"
                      "'priority':0,'attempt':2,'exit_code':9," TIMES
                      ",'finished':'2020-01-01T00:00:03.500000Z'}],'more':true}");
}

START_TEST(list_is_a_table_without_control_characters)
{
    harness_start(answer_list);
    ck_assert_int_eq(harness_ctl("list", "--state", "running,failed", "--label", "team=a=b"), 0);
    const char *out = harness_file("out");
    ck_assert_contains(out, "evil\\x1b[2J\\nname\\u202e");
    ck_assert_ptr_null(strchr(out, '\x1b'));
    ck_assert_contains(out, "2.5s");
    ck_assert_contains(out, "exit code 9");
    ck_assert(strstr(out, "12") < strstr(out, "sleep"));
    size_t lines = 0;
    for (const char *p = out; *p; p++) {
        lines += *p == '\n';
    }
    ck_assert_uint_eq(lines, 3);
    ck_assert_str_eq(harness_file("err"), "coschedctl: there are more: --before 3\n");
    harness_stop();
}

END_TEST

static void answer_short_list(struct peer *peer)
{
    peer_expect(peer, "list");
    ck_assert_ptr_null(json_first(peer->request.params));
    peer_result(peer, "{'jobs':[{'id':2},{'id':1}],'more':false}");
}

START_TEST(list_as_json_is_one_array)
{
    harness_start(answer_short_list);
    ck_assert_int_eq(harness_ctl("list", "--json"), 0);
    ck_assert_str_eq(harness_file("out"), "[{\"id\":2},{\"id\":1}]\n");
    harness_stop();
}

END_TEST

static void answer_status(struct peer *peer)
{
    peer_expect(peer, "get");
    peer_result(peer,
                "{'id':5,'kind':'exec','state':'failed','exit_code':127,'name':'n','priority':0,"
                "'error':{'name':'exec_failed','message':'No such file'},'owner':{'uid':1,"
                "'user':'ada'},'attempts':[{'n':1,'outcome':'failed','exit_code':127," TIMES
                ",'finished':'2020-01-01T00:00:01.250000Z'}],'output':{'stdout':{'bytes':2048,"
                "'kept':1024},'stderr':{'bytes':0,'kept':0}},'labels':{},'result':null,"
                "'spec':{'kind':'exec','args':{'argv':['echo','it\\u0007s','a b','']}}}");
    peer_expect(peer, "get");
    peer_error(peer, MESSAGE_NOT_FOUND, "no such job", NULL);
    peer_expect(peer, "get");
    peer_result(peer, "{'id':7,'state':'queued'}");
}

START_TEST(status_shows_every_job_that_exists)
{
    harness_start(answer_status);
    ck_assert_int_eq(harness_ctl("status", "5", "6", "7"), 1);
    const char *out = harness_file("out");
    ck_assert_contains(out, "job 5\n  state      failed (exec_failed: No such file)\n");
    ck_assert_contains(out, "command    echo 'it\\x07s' 'a b' ''\n");
    ck_assert_contains(out, "attempt    1: failed (exit code 127), 250ms\n");
    ck_assert_contains(out, "stdout     2.0 KiB, kept 1.0 KiB\n");
    ck_assert_contains(out, "\njob 7\n  state      queued\n");
    ck_assert_str_eq(harness_file("err"), "coschedctl: job 6: no such job\n");
    harness_stop();
}

END_TEST

static const char *wait_answer;

static void answer_wait(struct peer *peer)
{
    peer_expect(peer, "wait");
    if (wait_answer) {
        peer_result(peer, wait_answer);
    } else {
        peer_error(peer, MESSAGE_TIMEOUT, "not ended in time", NULL);
    }
}

START_TEST(wait_exits_as_the_first_job_that_did_not_succeed)
{
    static const struct {
        const char *answer;
        int status;
    } cases[] = {
        {"{'jobs':[{'id':4,'state':'succeeded','exit_code':0}]}", 0},
        {"{'jobs':[{'id':4,'state':'failed','exit_code':3}]}", 3},
        {"{'jobs':[{'id':4,'state':'failed','exit_code':null,'signal':9}]}", 137},
        {"{'jobs':[{'id':4,'state':'failed','signal':'SIGTERM'}]}", 143},
        {"{'jobs':[{'id':4,'state':'failed','signal':'SEGV'}]}", 139},
        {"{'jobs':[{'id':4,'state':'timed_out','signal':15}]}", 124},
        {"{'jobs':[{'id':4,'state':'canceled','signal':15}]}", 130},
        {"{'jobs':[{'id':4,'state':'skipped'}]}", 1},
        {"{'jobs':[{'id':4,'state':'failed','error':{'name':'interrupted'}}]}", 1},
        {"{'jobs':[{'id':5,'state':'failed','exit_code':9},{'id':4,'state':'failed',"
         "'exit_code':8}]}",
         8},
        {"{'jobs':[{'id':4,'state':'succeeded'},{'id':5,'state':'failed','exit_code':9}]}", 9},
        {NULL, 124},
    };

    wait_answer = cases[_i].answer;
    harness_start(answer_wait);
    ck_assert_int_eq(harness_ctl("wait", "4", "5"), cases[_i].status);
    harness_stop();
}

END_TEST

static void refuse_wait(struct peer *peer)
{
    peer_expect(peer, "wait");
    ck_assert_str_eq(json_string(param(peer, "timeout")), "5s");
    ck_assert_str_eq(json_string(param(peer, "mode")), "any");
    peer_error(peer, MESSAGE_NOT_FOUND, "job 5 not found", NULL);
}

START_TEST(refused_wait_is_125)
{
    harness_start(refuse_wait);
    ck_assert_int_eq(harness_ctl("wait", "--timeout", "5s", "--any", "5"), 125);
    harness_stop();
}

END_TEST

static void answer_cancel(struct peer *peer)
{
    peer_expect(peer, "cancel");
    ck_assert_uint_eq(json_count(param(peer, "ids")), 3);
    peer_result(peer, "{'canceled':[1],'not_cancelable':[2],'not_found':[3]}");
}

START_TEST(cancel_tells_each_job)
{
    harness_start(answer_cancel);
    ck_assert_int_eq(harness_ctl("cancel", "1", "2", "3"), 1);
    ck_assert_str_eq(harness_file("out"), "1 canceled\n2 has already ended\n3 not found\n");
    harness_stop();
}

END_TEST

static void hello(struct peer *peer, bool own)
{
    char text[100];
    peer_expect(peer, "hello");
    (void)snprintf(text, sizeof text, "{'protocol':1,'version':'x','uid':%u}",
                   own ? geteuid() : geteuid() + 1);
    peer_result(peer, text);
}

static void take_submit(struct peer *peer)
{
    int64_t number;
    char *cwd = getcwd(NULL, 0);
    hello(peer, true);
    peer_expect(peer, "submit");
    const struct json *args = param(peer, "args");
    const struct json *env = json_get(args, "env");
    ck_assert_str_eq(json_string(param(peer, "kind")), "exec");
    const struct json *argv = json_get(args, "argv");
    ck_assert_uint_eq(json_count(argv), 3);
    ck_assert_str_eq(json_string(json_next(json_first(argv))), "--flag");
    ck_assert_ptr_nonnull(cwd);
    ck_assert_str_eq(json_string(json_get(args, "cwd")), cwd);
    free(cwd);
    ck_assert_str_eq(json_string(json_get(env, "HARNESS")), "own");
    ck_assert_str_eq(json_string(json_get(env, "PATH")), "/replaced");
    ck_assert_ptr_null(json_get(env, "BAD"));
    ck_assert_str_eq(json_string(json_get(args, "stdin")), "typed\n");
    ck_assert_str_eq(json_string(param(peer, "name")), "a name");
    ck_assert_str_eq(json_string(param(peer, "queue")), "q");
    ck_assert(json_int(param(peer, "priority"), &number) && number == -3);
    ck_assert_str_eq(json_string(param(peer, "delay")), "5s");
    ck_assert(json_int(json_get(param(peer, "retry"), "max"), &number) && number == 2);
    ck_assert_str_eq(json_string(json_get(param(peer, "retry"), "backoff")), "1s");
    ck_assert_str_eq(json_string(json_get(param(peer, "labels"), "k")), "last");
    ck_assert_uint_eq(json_count(param(peer, "labels")), 1);
    peer_result(peer, "{'id':77,'state':'delayed','existing':false}");
}

START_TEST(submit_sends_what_the_options_say)
{
    harness_start(take_submit);
    harness_write("typed", "typed\n", 6);
    ck_assert_int_eq(setenv("HARNESS", "own", 1), 0);
    ck_assert_int_eq(setenv("BAD", "\xff", 1), 0);
    ck_assert_int_eq(harness_ctl("submit", "--queue", "q", "--priority=-3", "--delay", "5s",
                                 "--retry", "2", "--backoff", "1s", "--label", "k=v", "--label",
                                 "k=last", "--name", "a name", "--env", "PATH=/replaced", "--stdin",
                                 "typed", "--", "cmd", "--flag", "x"),
                     0);
    ck_assert_str_eq(harness_file("out"), "77\n");
    harness_stop();
}

END_TEST

static void take_submit_of_a_system_instance(struct peer *peer)
{
    hello(peer, false);
    peer_expect(peer, "submit");
    ck_assert_ptr_null(json_get(param(peer, "args"), "env"));
    peer_result(peer, "{'id':1,'state':'queued','existing':true}");
}

START_TEST(environment_stays_here_when_the_daemon_is_another_user)
{
    harness_start(take_submit_of_a_system_instance);
    ck_assert_int_eq(harness_ctl("submit", "--json", "true"), 0);
    ck_assert_str_eq(harness_file("out"), "{\"id\":1,\"existing\":true}\n");
    harness_stop();
}

END_TEST

static void take_clean_submit(struct peer *peer)
{
    peer_expect(peer, "submit"); /* no hello: nothing depends on it */
    const struct json *env = json_get(param(peer, "args"), "env");
    ck_assert_uint_eq(json_count(env), 1);
    ck_assert_str_eq(json_string(json_get(env, "A")), "");
    ck_assert_str_eq(json_string(json_get(param(peer, "args"), "cwd")), "/tmp");
    peer_result(peer, "{'id':1,'state':'queued','existing':false}");
    peer_expect(peer, "wait");
    peer_result(peer, "{'jobs':[{'id':1,'state':'failed','exit_code':4}]}");
}

START_TEST(submit_wait_exits_as_the_job)
{
    harness_start(take_clean_submit);
    ck_assert_int_eq(harness_ctl("submit", "--clean-env", "--env", "A=", "--cwd", "/tmp", "--wait",
                                 "--", "true"),
                     4);
    ck_assert_str_eq(harness_file("out"), "1\n1 failed (exit code 4)\n");
    harness_stop();
}

END_TEST

static void take_kind(struct peer *peer)
{
    int64_t number;
    peer_expect(peer, "submit");
    const struct json *args = param(peer, "args");
    ck_assert_str_eq(json_string(param(peer, "kind")), "hash");
    ck_assert_str_eq(json_string(json_get(args, "path")), "/x=y");
    ck_assert(json_int(json_get(args, "n"), &number) && number == 5);
    ck_assert_uint_eq(json_count(json_get(args, "list")), 2);
    ck_assert_str_eq(json_string(json_get(args, "text")), "5");
    ck_assert_ptr_null(json_get(args, "cwd"));
    peer_error(peer, MESSAGE_INVALID_PARAMS, "invalid parameters", "params.args.n");
}

START_TEST(arguments_of_a_kind_are_json_or_text)
{
    harness_start(take_kind);
    ck_assert_int_eq(harness_ctl("submit", "--kind", "hash", "--arg", "path=/x=y", "--arg", "n=5",
                                 "--arg", "list=[1,2]", "--arg", "text=\"5\""),
                     1);
    ck_assert_str_eq(harness_file("err"),
                     "coschedctl: cannot submit: invalid parameters: params.args.n\n");
    harness_stop();
}

END_TEST

static const char stats_answer[] =
    "{'daemon':{'version':'0.1.0','uptime_s':7500,'pid':42,'rss_bytes':14889779,'connections':3},"
    "'jobs':{'submitted':100,'started':90,'succeeded':80,'running':2},"
    "'queues':[{'name':'default','depth':10,'running':2,'parallel':4,'rate':null,'paused':false,"
    "'oldest_s':12}],"
    "'latency':{'submit_us':{'p50':850,'p90':1200,'p99':12300,'max':1500000},"
    "'run_us':{'p50':1,'p90':2,'p99':3,'max':4}},"
    "'scheduler':{'main':{'ready':0,'slices':12,'poll_gap_us':{'p50':5,'p99':900,'max':3000},"
    "'loop_idle_pct':98.25},'workers':[{'id':0,'deque':1,'slices':5,'busy_pct':50},{'id':1,"
    "'deque':0,'slices':7,'busy_pct':12.5}],'injector':{'depth':0},'timers':3,"
    "'long_slices':{'found':2},"
    "'blocking':{'threads':1,'queued':0}},'store':{'commits':12,'batch_avg':3.25,'wal_bytes':32768}"
    "}";

static void answer_stats(struct peer *peer)
{
    while (peer_read(peer)) {
        ck_assert_str_eq(peer->request.method, "stats");
        peer_result(peer, stats_answer);
    }
}

START_TEST(stats_are_a_page_with_units)
{
    harness_start(answer_stats);
    ck_assert_int_eq(harness_ctl("stats"), 0);
    const char *out = harness_file("out");
    ck_assert_contains(out, "uptime 2h05m");
    ck_assert_contains(out, "rss 14.2 MiB");
    ck_assert_contains(out, "submitted 100   started 90");
    ck_assert_contains(out, "WORKERS");
    ck_assert_contains(out, "50.0%");
    ck_assert_contains(out, "12.3ms");
    ck_assert_contains(out, "poll gap   p50 5us   p99 900us");
    ck_assert_contains(out, "batch avg 3.25   wal 32.0 KiB");
    ck_assert_contains(out, "timers 3");
    ck_assert_contains(out, "  long slices found 2");
    harness_stop();
}

END_TEST

START_TEST(stats_watch_repeats_plain_blocks_into_a_file)
{
    harness_start(answer_stats);
    ck_assert_int_eq(harness_ctl("stats", "--watch", "--interval", "1ms", "--count", "3"), 0);
    const char *out = harness_file("out");
    ck_assert_ptr_null(strchr(out, '\x1b'));
    size_t blocks = 0;
    for (const char *p = out; (p = strstr(p, "uptime")) != NULL; p++) {
        blocks++;
    }
    ck_assert_uint_eq(blocks, 3);
    ck_assert_contains(out, "0.0 submitted/s");
    harness_stop();
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_jobs");
    TCase *tc = tcase_create("ctl_jobs");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, list_is_a_table_without_control_characters);
    tcase_add_test(tc, list_as_json_is_one_array);
    tcase_add_test(tc, status_shows_every_job_that_exists);
    tcase_add_loop_test(tc, wait_exits_as_the_first_job_that_did_not_succeed, 0, 12);
    tcase_add_test(tc, refused_wait_is_125);
    tcase_add_test(tc, cancel_tells_each_job);
    tcase_add_test(tc, submit_sends_what_the_options_say);
    tcase_add_test(tc, environment_stays_here_when_the_daemon_is_another_user);
    tcase_add_test(tc, submit_wait_exits_as_the_job);
    tcase_add_test(tc, arguments_of_a_kind_are_json_or_text);
    tcase_add_test(tc, stats_are_a_page_with_units);
    tcase_add_test(tc, stats_watch_repeats_plain_blocks_into_a_file);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
