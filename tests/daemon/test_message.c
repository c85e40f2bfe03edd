/* JSON-RPC 2.0: which lines are requests, what the others are answered, answers read back. */
#include <stdio.h>
#include <string.h>

#include "suite.h"
#include "wire/message.h"

static struct request request;
static struct message_error error;

static int parse(const char *line)
{
    memset(&error, 0, sizeof error);
    return message_parse_request(line, strlen(line), &request, &error);
}

static void refused(const char *line, int code, enum message_id_type id, const char *path)
{
    ck_assert_msg(parse(line) == -1, "accepted: %s", line);
    ck_assert_msg(error.code == code, "%s: %d", line, error.code);
    ck_assert_msg(request.id.type == id, "%s: id type %d", line, (int)request.id.type);
    ck_assert_str_eq(error.path, path);
    ck_assert_ptr_null(request.root);
}

START_TEST(requests_with_each_kind_of_id_are_read)
{
    ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"), 0);
    ck_assert_int_eq(request.id.type, MESSAGE_ID_INT);
    ck_assert_int_eq(request.id.number, 1);
    ck_assert_str_eq(request.method, "ping");
    ck_assert_ptr_null(request.params);
    message_request_fini(&request);
    ck_assert_int_eq(
        parse("{\"params\":{\"a\":1},\"method\":\"x\",\"id\":\"\",\"jsonrpc\":\"2.0\"}"), 0);
    ck_assert_int_eq(request.id.type, MESSAGE_ID_STRING);
    ck_assert_str_eq(request.id.string, "");
    ck_assert_uint_eq(json_count(request.params), 1);
    message_request_fini(&request);
    ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{}}"), 0);
    ck_assert_int_eq(request.id.type, MESSAGE_ID_NONE);
    message_request_fini(&request);
    message_request_fini(&request);
    message_request_fini(NULL);
}

END_TEST

START_TEST(ids_at_and_beyond_their_limits)
{
    char line[400], id[MESSAGE_ID_MAX + 2];
    for (size_t n = MESSAGE_ID_MAX; n <= MESSAGE_ID_MAX + 1; n++) {
        memset(id, 'i', n);
        id[n] = '\0';
        (void)snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"m\"}",
                       id);
        ck_assert_int_eq(parse(line), n == MESSAGE_ID_MAX ? 0 : -1);
        message_request_fini(&request);
    }
    ck_assert_int_eq(parse("{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"method\":\"m\"}"), 0);
    message_request_fini(&request);
    static const char *const bad[] = {"9007199254740992", "1.5", "null", "true", "[]", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}",
                       bad[i]);
        refused(line, MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "id");
    }
}

END_TEST

START_TEST(what_is_not_a_request_is_answered_with_id_null)
{
    refused("{", MESSAGE_PARSE_ERROR, MESSAGE_ID_NULL, "");
    ck_assert_str_eq(error.reason, "a member name is expected at byte 1");
    refused("{\"a\":1,\"a\":1}", MESSAGE_PARSE_ERROR, MESSAGE_ID_NULL, "");
    refused("7", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "");
    refused("[]", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "");
    refused("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", MESSAGE_INVALID_REQUEST,
            MESSAGE_ID_NULL, "");
    ck_assert_str_eq(error.reason, "batch arrays are not supported");
    refused("{}", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "jsonrpc");
    refused("{\"id\":1,\"method\":\"m\"}", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "jsonrpc");
    refused("{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL,
            "jsonrpc");
    refused("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}", MESSAGE_INVALID_REQUEST,
            MESSAGE_ID_NULL, "jsonrpc");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1}", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "method");
    refused("{\"jsonrpc\":\"2.0\",\"method\":1}", MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL,
            "method");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":3}", MESSAGE_INVALID_REQUEST,
            MESSAGE_ID_NULL, "params");
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":null}",
            MESSAGE_INVALID_REQUEST, MESSAGE_ID_NULL, "params");
}

END_TEST

START_TEST(unknown_members_are_refused_by_name)
{
    refused("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"trace\":1}", MESSAGE_INVALID_REQUEST,
            MESSAGE_ID_NULL, "trace");
    ck_assert_str_eq(error.text, "invalid request: unknown member \"trace\"");
    refused("{\"jsonrpc\":\"2.0\",\"ID\":1,\"method\":\"m\"}", MESSAGE_INVALID_REQUEST,
            MESSAGE_ID_NULL, "ID");
}

END_TEST

START_TEST(positional_params_are_invalid_params)
{
    refused("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"m\",\"params\":[1]}",
            MESSAGE_INVALID_PARAMS, MESSAGE_ID_INT, "params");
    ck_assert_int_eq(request.id.number, 5);
    /* Without an id nobody waits for the answer. */
    refused("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1]}", MESSAGE_INVALID_PARAMS,
            MESSAGE_ID_NONE, "params");
}

END_TEST

START_TEST(answers_are_lines_and_read_back)
{
    struct buf b = BUF_INIT;
    struct writer w;
    struct response r;
    struct message_id id = {.type = MESSAGE_ID_INT, .number = INT64_C(9007199254740991)};
    message_result_begin(&w, &b, &id);
    writer_object(&w);
    writer_member_bool(&w, "pong", true);
    writer_end_object(&w);
    message_result_end(&w);
    ck_assert_str_eq(b.data,
                     "{\"jsonrpc\":\"2.0\",\"id\":9007199254740991,\"result\":{\"pong\":true}}\n");
    ck_assert_int_eq(message_parse_response(b.data, b.len, &r, &error), 0);
    ck_assert_int_eq(r.kind, MESSAGE_RESULT);
    ck_assert_int_eq(r.id.number, INT64_C(9007199254740991));
    ck_assert(json_bool(json_get(r.result, "pong")));
    message_response_fini(&r);
    buf_reset(&b);
    id = (struct message_id){.type = MESSAGE_ID_STRING, .string = "a\"b"};
    message_error(&b, &id, MESSAGE_LIMIT, NULL, "params.queue", "full",
                  "\"limit\":\"jobs_waiting\",\"retry_after_ms\":100");
    ck_assert_str_eq(b.data, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"error\":{\"code\":3,"
                             "\"message\":\"limit\",\"data\":{\"name\":\"limit\","
                             "\"path\":\"params.queue\",\"reason\":\"full\","
                             "\"limit\":\"jobs_waiting\",\"retry_after_ms\":100}}}\n");
    ck_assert_int_eq(message_parse_response(b.data, b.len, &r, &error), 0);
    ck_assert_int_eq(r.kind, MESSAGE_ERROR);
    ck_assert_int_eq(r.code, MESSAGE_LIMIT);
    ck_assert_str_eq(r.text, "limit");
    ck_assert_str_eq(r.id.string, "a\"b");
    ck_assert_str_eq(json_string(json_get(r.data, "path")), "params.queue");
    message_response_fini(&r);
    buf_free(&b);
}

END_TEST

START_TEST(refused_request_becomes_its_answer)
{
    struct buf b = BUF_INIT;
    ck_assert_int_eq(parse("nonsense"), -1);
    message_error_from(&b, &request.id, &error);
    ck_assert_str_eq(b.data, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
                             "\"message\":\"parse error: unexpected text at byte 0\","
                             "\"data\":{\"name\":\"parse_error\","
                             "\"reason\":\"unexpected text at byte 0\"}}}\n");
    buf_free(&b);
}

END_TEST

START_TEST(events_name_their_request)
{
    struct buf b = BUF_INIT;
    struct writer w;
    struct response r;
    struct message_id id = {.type = MESSAGE_ID_INT, .number = 3};
    message_event_begin(&w, &b, "log");
    message_write_id(&w, "request", &id);
    writer_member_string(&w, "data", "x");
    message_event_end(&w);
    ck_assert_str_eq(b.data,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"type\":\"log\","
                     "\"request\":3,\"data\":\"x\"}}\n");
    ck_assert_int_eq(message_parse_response(b.data, b.len, &r, &error), 0);
    ck_assert_int_eq(r.kind, MESSAGE_EVENT);
    ck_assert_str_eq(r.type, "log");
    ck_assert_str_eq(json_string(json_get(r.params, "data")), "x");
    message_response_fini(&r);
    buf_free(&b);
}

END_TEST

START_TEST(requests_written_are_read)
{
    struct buf b = BUF_INIT;
    struct writer w;
    message_request_begin(&w, &b, 12, "list");
    writer_object(&w);
    writer_member_int(&w, "limit", 5);
    writer_end_object(&w);
    message_request_end(&w);
    ck_assert_int_eq(message_parse_request(b.data, b.len, &request, &error), 0);
    ck_assert_str_eq(request.method, "list");
    ck_assert_int_eq(request.id.number, 12);
    ck_assert_uint_eq(json_count(request.params), 1);
    message_request_fini(&request);
    buf_free(&b);
}

END_TEST

START_TEST(answers_of_something_else_are_refused)
{
    static const char *const bad[] = {
        "HTTP/1.1 400 Bad Request",
        "{}",
        "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"event\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{}}",
    };
    struct response r;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(message_parse_response(bad[i], strlen(bad[i]), &r, &error) == -1, "%s",
                      bad[i]);
        ck_assert_ptr_null(r.root);
    }
    message_response_fini(NULL);
}

END_TEST

START_TEST(every_code_has_a_name)
{
    ck_assert_str_eq(message_error_name(MESSAGE_NOT_FOUND), "not_found");
    ck_assert_str_eq(message_error_name(MESSAGE_NOT_PERMITTED), "not_permitted");
    ck_assert_str_eq(message_error_name(MESSAGE_CONFLICT), "conflict");
    ck_assert_str_eq(message_error_name(MESSAGE_SHUTTING_DOWN), "shutting_down");
    ck_assert_str_eq(message_error_name(MESSAGE_STORAGE), "storage");
    ck_assert_str_eq(message_error_name(MESSAGE_TIMEOUT), "timeout");
    ck_assert_str_eq(message_error_name(MESSAGE_INVALID_PARAMS), "invalid_params");
    ck_assert_str_eq(message_error_name(99), "unknown");
}

END_TEST

SUITE_MAIN("message", requests_with_each_kind_of_id_are_read, ids_at_and_beyond_their_limits,
           what_is_not_a_request_is_answered_with_id_null, unknown_members_are_refused_by_name,
           positional_params_are_invalid_params, answers_are_lines_and_read_back,
           refused_request_becomes_its_answer, events_name_their_request, requests_written_are_read,
           answers_of_something_else_are_refused, every_code_has_a_name)
