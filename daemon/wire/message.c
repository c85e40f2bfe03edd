/* JSON-RPC 2.0, protocol version 1: the shape of a message, never what a verb means. conn.c (the
 * daemon, MAIN) and the client call it. Pure.
 *
 * What cannot be a request is answered with id null, whatever id it seemed to have: a client may
 * rely on an answer with its id being the answer to a request that was understood. */
#include "wire/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void message_error_set(struct message_error *err, int code, const char *path, const char *reason,
                       const char *format, ...)
{
    va_list args;
    err->code = code;
    (void)snprintf(err->path, sizeof err->path, "%s", path ? path : "");
    (void)snprintf(err->reason, sizeof err->reason, "%s", reason ? reason : "");
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
}

/* --- requests ------------------------------------------------------------------------------------- */

static bool read_id(const struct json *value, struct message_id *id)
{
    const char *string = json_string(value);
    if (string) {
        size_t len = strlen(string);
        if (len > MESSAGE_ID_MAX) {
            return false;
        }
        id->type = MESSAGE_ID_STRING;
        memcpy(id->string, string, len + 1);
        return true;
    }
    id->type = MESSAGE_ID_INT;
    return json_int(value, &id->number);
}

/* The members of a request by name; anything else is refused. */
struct members {
    const struct json *jsonrpc;
    const struct json *id;
    const struct json *method;
    const struct json *params;
};

static bool read_members(const struct json *root, struct members *m, struct message_error *err)
{
    for (const struct json *member = json_first(root); member; member = json_next(member)) {
        const char *key = json_key(member);
        if (strcmp(key, "jsonrpc") == 0) {
            m->jsonrpc = member;
        } else if (strcmp(key, "id") == 0) {
            m->id = member;
        } else if (strcmp(key, "method") == 0) {
            m->method = member;
        } else if (strcmp(key, "params") == 0) {
            m->params = member;
        } else {
            message_error_set(err, MESSAGE_INVALID_REQUEST, key, "unknown member",
                              "invalid request: unknown member \"%.64s\"", key);
            return false;
        }
    }
    return true;
}

static bool invalid(struct message_error *err, const char *path, const char *reason)
{
    message_error_set(err, MESSAGE_INVALID_REQUEST, path, reason, "invalid request: %s%s%s",
                      path ? path : "", path ? " " : "", reason);
    return false;
}

/* The shape only. *id is set last: it stays null until the request as such is understood. */
static bool read_request(const struct json *root, struct request *out, struct message_error *err)
{
    struct members m = {NULL, NULL, NULL, NULL};
    struct message_id id = {.type = MESSAGE_ID_NONE};
    if (json_is(root, JSON_ARRAY)) {
        return invalid(err, NULL, "batch arrays are not supported");
    }
    if (!json_is(root, JSON_OBJECT)) {
        return invalid(err, NULL, "must be an object");
    }
    if (!read_members(root, &m, err)) {
        return false;
    }
    const char *version = json_string(m.jsonrpc);
    if (!version || strcmp(version, "2.0") != 0) {
        return invalid(err, "jsonrpc", "must be \"2.0\"");
    }
    if (!json_is(m.method, JSON_STRING)) {
        return invalid(err, "method", "must be a string");
    }
    if (m.id && !read_id(m.id, &id)) {
        return invalid(err, "id", "must be a string of at most 128 bytes or an integer below 2^53");
    }
    if (m.params && !json_is(m.params, JSON_OBJECT) && !json_is(m.params, JSON_ARRAY)) {
        return invalid(err, "params", "must be an object");
    }
    out->id = id;
    if (json_is(m.params, JSON_ARRAY)) {
        message_error_set(err, MESSAGE_INVALID_PARAMS, "params", "must be an object",
                          "invalid parameters: params must be an object");
        return false;
    }
    out->method = json_string(m.method);
    out->params = m.params;
    return true;
}

static void parse_error(struct message_error *err, const struct json_error *why)
{
    char reason[sizeof err->reason];
    if (why->out_of_memory) {
        message_error_set(err, MESSAGE_INTERNAL, NULL, "out of memory", "out of memory");
        return;
    }
    (void)snprintf(reason, sizeof reason, "%s at byte %zu", why->reason, why->offset);
    message_error_set(err, MESSAGE_PARSE_ERROR, NULL, reason, "parse error: %s", reason);
}

int message_parse_request(const char *line, size_t len, struct request *out,
                          struct message_error *err)
{
    struct json_error why;
    out->id.type = MESSAGE_ID_NULL;
    out->method = NULL;
    out->params = NULL;
    out->root = json_parse(line, len, &why);
    if (!out->root) {
        parse_error(err, &why);
        return -1;
    }
    if (!read_request(out->root, out, err)) {
        out->method = NULL;
        message_request_fini(out);
        return -1;
    }
    return 0;
}

void message_request_fini(struct request *request)
{
    if (!request) {
        return;
    }
    json_free(request->root);
    request->root = NULL;
    request->method = NULL;
    request->params = NULL;
}

/* --- answers -------------------------------------------------------------------------------------- */

const char *message_error_name(int code)
{
    switch ((enum message_code)code) {
    case MESSAGE_PARSE_ERROR: return "parse_error";
    case MESSAGE_INVALID_REQUEST: return "invalid_request";
    case MESSAGE_UNKNOWN_METHOD: return "unknown_method";
    case MESSAGE_INVALID_PARAMS: return "invalid_params";
    case MESSAGE_INTERNAL: return "internal";
    case MESSAGE_NOT_FOUND: return "not_found";
    case MESSAGE_NOT_PERMITTED: return "not_permitted";
    case MESSAGE_LIMIT: return "limit";
    case MESSAGE_CONFLICT: return "conflict";
    case MESSAGE_SHUTTING_DOWN: return "shutting_down";
    case MESSAGE_STORAGE: return "storage";
    case MESSAGE_TIMEOUT: return "timeout";
    }
    return "unknown";
}

void message_write_id(struct writer *w, const char *key, const struct message_id *id)
{
    writer_key(w, key);
    switch (id->type) {
    case MESSAGE_ID_NONE:
    case MESSAGE_ID_NULL: writer_null(w); break;
    case MESSAGE_ID_INT: writer_int(w, id->number); break;
    case MESSAGE_ID_STRING: writer_string(w, id->string); break;
    }
}

/* Every message begins so; the caller goes on inside the object. */
static void message_begin(struct writer *w, struct buf *out)
{
    writer_init(w, out);
    buf_literal(out, "{\"jsonrpc\":\"2.0\"");
    w->comma = true;
}

void message_result_begin(struct writer *w, struct buf *out, const struct message_id *id)
{
    message_begin(w, out);
    message_write_id(w, "id", id);
    writer_key(w, "result");
}

void message_result_end(struct writer *w)
{
    buf_literal(w->out, "}\n");
}

void message_error(struct buf *out, const struct message_id *id, int code, const char *text,
                   const char *path, const char *reason, const char *extra)
{
    struct writer w;
    message_begin(&w, out);
    message_write_id(&w, "id", id);
    writer_member_object(&w, "error");
    writer_member_int(&w, "code", code);
    writer_member_string(&w, "message", text ? text : message_error_name(code));
    writer_member_object(&w, "data");
    writer_member_string(&w, "name", message_error_name(code));
    if (path && *path) {
        writer_member_string(&w, "path", path);
    }
    if (reason && *reason) {
        writer_member_string(&w, "reason", reason);
    }
    if (extra && *extra) {
        buf_putc(out, ',');
        buf_puts(out, extra);
    }
    writer_end_object(&w);
    writer_end_object(&w);
    buf_literal(out, "}\n");
}

void message_error_from(struct buf *out, const struct message_id *id,
                        const struct message_error *error)
{
    message_error(out, id, error->code, error->text, error->path, error->reason, NULL);
}

void message_event_begin(struct writer *w, struct buf *out, const char *type)
{
    message_begin(w, out);
    writer_member_string(w, "method", "event");
    writer_member_object(w, "params");
    writer_member_string(w, "type", type);
}

void message_event_end(struct writer *w)
{
    buf_literal(w->out, "}}\n");
}

/* --- the client's side ---------------------------------------------------------------------------- */

void message_request_begin(struct writer *w, struct buf *out, int64_t id, const char *method)
{
    message_begin(w, out);
    writer_member_int(w, "id", id);
    writer_member_string(w, "method", method);
    writer_key(w, "params");
}

void message_request_end(struct writer *w)
{
    buf_literal(w->out, "}\n");
}

static bool read_error(const struct json *error, struct response *out)
{
    int64_t code;
    out->kind = MESSAGE_ERROR;
    out->text = json_string(json_get(error, "message"));
    out->data = json_get(error, "data");
    if (!json_is(out->data, JSON_OBJECT)) {
        out->data = NULL;
    }
    if (!out->text || !json_int(json_get(error, "code"), &code) || code < INT32_MIN ||
        code > INT32_MAX) {
        return false;
    }
    out->code = (int)code;
    return true;
}

/* Members that this client does not know are ignored: the daemon may be newer. */
static bool read_response(const struct json *root, struct response *out)
{
    const char *version = json_string(json_get(root, "jsonrpc"));
    if (!version || strcmp(version, "2.0") != 0) {
        return false;
    }
    if (json_get(root, "method")) {
        out->kind = MESSAGE_EVENT;
        out->params = json_get(root, "params");
        out->type = json_string(json_get(out->params, "type"));
        return out->type != NULL;
    }
    const struct json *id = json_get(root, "id");
    if (json_is(id, JSON_NULL)) {
        out->id.type = MESSAGE_ID_NULL;
    } else if (!read_id(id, &out->id)) {
        return false;
    }
    const struct json *error = json_get(root, "error");
    if (error) {
        return read_error(error, out);
    }
    out->kind = MESSAGE_RESULT;
    out->result = json_get(root, "result");
    return out->result != NULL && out->id.type != MESSAGE_ID_NULL;
}

int message_parse_response(const char *line, size_t len, struct response *out,
                           struct message_error *err)
{
    struct json_error why;
    *out = (struct response){.kind = MESSAGE_RESULT};
    out->root = json_parse(line, len, &why);
    if (!out->root) {
        parse_error(err, &why);
        return -1;
    }
    if (!read_response(out->root, out)) {
        message_error_set(err, MESSAGE_INVALID_REQUEST, NULL, NULL,
                          "not an answer of protocol version %d", MESSAGE_PROTOCOL);
        message_response_fini(out);
        return -1;
    }
    return 0;
}

void message_response_fini(struct response *response)
{
    if (!response) {
        return;
    }
    json_free(response->root);
    *response = (struct response){.kind = MESSAGE_RESULT};
}
