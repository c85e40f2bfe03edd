/* What coschedctl says and how it exits when something is wrong. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "suite.h"

#define OK          0
#define REFUSED     1
#define USAGE       64
#define UNREACHABLE 69
#define DENIED      77
#define FAILED      125

static void no_environment(void)
{
    ck_assert_int_eq(unsetenv("COSCHED_SOCKET"), 0);
    ck_assert_int_eq(unsetenv("XDG_RUNTIME_DIR"), 0);
}

START_TEST(unreachable_socket_is_named)
{
    harness_start(NULL);
    ck_assert_int_eq(harness_ctl("ping"), UNREACHABLE);
    ck_assert_str_eq(harness_file("err"),
                     "coschedctl: cannot connect to s: No such file or directory\n");
    /* Where the status speaks for a job, 69 could be the job's own. */
    ck_assert_int_eq(harness_ctl("run", "--", "true"), FAILED);
    ck_assert_int_eq(harness_ctl("wait", "1"), FAILED);
    ck_assert_int_eq(harness_ctl("submit", "--wait", "--", "true"), FAILED);
    ck_assert_int_eq(harness_ctl("submit", "--", "true"), UNREACHABLE);
    harness_stop();
}

END_TEST

START_TEST(over_long_socket_path_is_refused_by_name)
{
    char path[200];
    harness_start(NULL);
    memset(path, 'p', sizeof path);
    path[108] = '\0';
    ck_assert_int_eq(harness_bare("--socket", path, "ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "longer than the 107 bytes");
    ck_assert_contains(harness_file("err"), path);
    path[107] = '\0';
    ck_assert_int_eq(harness_bare("--socket", path, "ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "No such file");
    harness_stop();
}

END_TEST

START_TEST(socket_is_looked_for_in_order)
{
    harness_start(NULL);
    no_environment();
    ck_assert_int_eq(harness_bare("--user", "ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "XDG_RUNTIME_DIR is not set");
    ck_assert_int_eq(setenv("XDG_RUNTIME_DIR", "runtime", 1), 0);
    ck_assert_int_eq(harness_bare("--user", "ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "runtime/cosched/cosched.sock");
    ck_assert_int_eq(setenv("COSCHED_SOCKET", "named", 1), 0);
    ck_assert_int_eq(harness_bare("ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "cannot connect to named:");
    ck_assert_int_eq(harness_bare("--user", "ping"), UNREACHABLE);
    ck_assert_lacks(harness_file("err"), "named");
    ck_assert_int_eq(harness_bare("--socket", "option", "ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "cannot connect to option:");
    harness_stop();
}

END_TEST

static void answer_ping(struct peer *peer)
{
    peer_expect(peer, "ping");
    peer_result(peer, "{'pong':true}");
}

START_TEST(environment_names_the_socket)
{
    harness_start(answer_ping);
    no_environment();
    ck_assert_int_eq(setenv("COSCHED_SOCKET", "s", 1), 0);
    ck_assert_int_eq(harness_bare("--json", "ping"), OK);
    ck_assert_str_eq(harness_file("out"), "{\"pong\":true}\n");
    harness_stop();
}

END_TEST

START_TEST(mistakes_on_the_command_line_are_usage)
{
    harness_start(NULL);
    ck_assert_int_eq(harness_bare("--frob", "ping"), USAGE);
    ck_assert_contains(harness_file("err"), "unknown option --frob");
    ck_assert_int_eq(harness_bare("frob"), USAGE);
    ck_assert_contains(harness_file("err"), "unknown command \"frob\"");
    ck_assert_int_eq(harness_bare("--json"), USAGE);
    ck_assert_int_eq(harness_bare("--system", "--user", "ping"), USAGE);
    ck_assert_int_eq(harness_ctl("ping", "x"), USAGE);
    ck_assert_int_eq(harness_ctl("status"), USAGE);
    ck_assert_int_eq(harness_ctl("status", "1x"), USAGE);
    ck_assert_int_eq(harness_ctl("status", "0"), USAGE);
    ck_assert_int_eq(harness_ctl("status", "9007199254740992"), USAGE);
    ck_assert_int_eq(harness_ctl("cancel", "-5"), USAGE);
    ck_assert_int_eq(harness_ctl("submit"), USAGE);
    ck_assert_int_eq(harness_ctl("submit", "--label", "nolabel", "--", "x"), USAGE);
    ck_assert_int_eq(harness_ctl("submit", "--priority", "101", "--", "x"), USAGE);
    ck_assert_int_eq(harness_ctl("submit", "--backoff", "1s", "--", "x"), USAGE);
    ck_assert_int_eq(harness_ctl("submit", "--kind", "hash", "--", "x"), USAGE);
    ck_assert_int_eq(harness_ctl("submit", "--spec", "f", "--queue", "q"), USAGE);
    ck_assert_int_eq(harness_ctl("logs"), USAGE);
    ck_assert_int_eq(harness_ctl("logs", "--stream", "in", "1"), USAGE);
    ck_assert_int_eq(harness_ctl("list", "--limit", "0"), USAGE);
    ck_assert_int_eq(harness_ctl("stats", "--interval", "5"), USAGE);
    ck_assert_int_eq(harness_ctl("run", "--queue"), FAILED);
    harness_stop();
}

END_TEST

START_TEST(help_needs_no_daemon)
{
    harness_start(NULL);
    ck_assert_int_eq(harness_bare("--help"), OK);
    ck_assert_contains(harness_file("out"), "submit");
    ck_assert_int_eq(harness_bare("--version"), OK);
    ck_assert_int_eq(harness_bare("submit", "--help"), OK);
    ck_assert_contains(harness_file("out"), "--clean-env");
    ck_assert_int_eq(harness_ctl("version"), OK);
    ck_assert_contains(harness_file("out"), "protocol 1");
    harness_stop();
}

END_TEST

static void refuse_not_found(struct peer *peer)
{
    peer_expect(peer, "get");
    peer_error(peer, MESSAGE_NOT_FOUND, "no such job", "params.id");
}

START_TEST(refused_request_is_1)
{
    harness_start(refuse_not_found);
    ck_assert_int_eq(harness_ctl("status", "7"), REFUSED);
    ck_assert_str_eq(harness_file("err"), "coschedctl: job 7: no such job: params.id\n");
    ck_assert_str_eq(harness_file("out"), "");
    harness_stop();
}

END_TEST

static void deny(struct peer *peer)
{
    peer_expect(peer, "shutdown");
    peer_error(peer, MESSAGE_NOT_PERMITTED, "admins only\x1b[31m\n", NULL);
}

START_TEST(not_permitted_is_77_and_text_of_the_daemon_is_harmless)
{
    harness_start(deny);
    ck_assert_int_eq(harness_ctl("shutdown"), DENIED);
    ck_assert_str_eq(harness_file("err"),
                     "coschedctl: cannot shut down: admins only\\x1b[31m\\n\n");
    harness_stop();
}

END_TEST

static void hang_up(struct peer *peer)
{
    peer_expect(peer, "ping");
}

START_TEST(hang_up_is_unreachable)
{
    harness_start(hang_up);
    ck_assert_int_eq(harness_ctl("ping"), UNREACHABLE);
    ck_assert_str_eq(harness_file("err"),
                     "coschedctl: lost the daemon at s: it closed the connection\n");
    harness_stop();
}

END_TEST

static void speak_http(struct peer *peer)
{
    peer_expect(peer, "ping");
    peer_send(peer, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
    peer_drain(peer);
}

START_TEST(another_protocol_is_told)
{
    harness_start(speak_http);
    ck_assert_int_eq(harness_ctl("ping"), UNREACHABLE);
    ck_assert_contains(harness_file("err"), "not protocol version 1");
    harness_stop();
}

END_TEST

static void error_with_null_id(struct peer *peer)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":3,\"message\":"
                               "\"too many connections\"}}\n";
    peer_expect(peer, "ping");
    peer_send(peer, line, sizeof line - 1);
    peer_drain(peer);
}

START_TEST(error_without_id_ends_the_wait)
{
    harness_start(error_with_null_id);
    ck_assert_int_eq(harness_ctl("ping"), REFUSED);
    ck_assert_contains(harness_file("err"), "too many connections");
    harness_stop();
}

END_TEST

static void answer_kinds(struct peer *peer)
{
    peer_expect(peer, "kinds");
    peer_result(peer, "{'kinds':[{'name':'hash','schema':{'required':['path'],"
                      "'properties':{'path':{},'algo':{}}}}]}");
}

START_TEST(full_disk_is_not_success)
{
    harness_start(answer_kinds);
    ck_assert_int_eq(symlink("/dev/full", "out"), 0);
    ck_assert_int_eq(harness_ctl("--json", "kinds"), REFUSED);
    ck_assert_contains(harness_file("err"), "cannot write");
    harness_stop();
}

END_TEST

START_TEST(kinds_show_required_and_optional_arguments)
{
    harness_start(answer_kinds);
    ck_assert_int_eq(harness_ctl("kinds"), OK);
    ck_assert_contains(harness_file("out"), "path [algo]");
    harness_stop();
}

END_TEST

SUITE_MAIN("ctl_errors", unreachable_socket_is_named, over_long_socket_path_is_refused_by_name,
           socket_is_looked_for_in_order, environment_names_the_socket,
           mistakes_on_the_command_line_are_usage, help_needs_no_daemon, refused_request_is_1,
           not_permitted_is_77_and_text_of_the_daemon_is_harmless, hang_up_is_unreachable,
           another_protocol_is_told, error_without_id_ends_the_wait, full_disk_is_not_success,
           kinds_show_required_and_optional_arguments)
