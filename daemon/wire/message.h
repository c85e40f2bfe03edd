/* JSON-RPC 2.0 over lines, protocol version 1: what a request, an answer and an event look like,
 * for both ends. Pure: text in, values out, and back. */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buf.h"
#include "wire/json.h"
#include "wire/writer.h"

#define MESSAGE_PROTOCOL 1
#define MESSAGE_ID_MAX   128 /* bytes of a string id */

enum message_code {
    MESSAGE_PARSE_ERROR = -32700,
    MESSAGE_INVALID_REQUEST = -32600,
    MESSAGE_UNKNOWN_METHOD = -32601,
    MESSAGE_INVALID_PARAMS = -32602,
    MESSAGE_INTERNAL = -32603,
    MESSAGE_NOT_FOUND = 1,
    MESSAGE_NOT_PERMITTED = 2,
    MESSAGE_LIMIT = 3,
    MESSAGE_CONFLICT = 4,
    MESSAGE_SHUTTING_DOWN = 5,
    MESSAGE_STORAGE = 6,
    MESSAGE_TIMEOUT = 7,
};

enum message_id_type {
    MESSAGE_ID_NONE, /* a notification */
    MESSAGE_ID_NULL, /* only in answers to what could not be read */
    MESSAGE_ID_INT,
    MESSAGE_ID_STRING,
};

/* A value of its own: it outlives the request, for answers that come late. */
struct message_id {
    enum message_id_type type;
    int64_t number;
    char string[MESSAGE_ID_MAX + 1];
};

struct message_error {
    int code;         /* enum message_code */
    char text[160];   /* error.message */
    char path[128];   /* data.path; empty: none */
    char reason[160]; /* data.reason; empty: none */
};

struct request {
    struct message_id id;      /* MESSAGE_ID_NONE: carry it out and do not answer */
    const char *method;        /* borrowed from root */
    const struct json *params; /* borrowed from root; an object, or NULL when absent */
    struct json *root;         /* owned; message_request_fini frees it */
};

/* 0: *out is filled, the caller ends it with message_request_fini. -1: refused; *err says why and
 * *out holds only the id to answer with (MESSAGE_ID_NONE: a notification, do not answer).
 * MESSAGE_INTERNAL: out of memory. */
int message_parse_request(const char *line, size_t len, struct request *out,
                          struct message_error *err);
void message_request_fini(struct request *request);

/* "parse_error", "invalid_params", …, "not_found", …: data.name of an error. */
const char *message_error_name(int code);

/* `{"jsonrpc":"2.0","id":…,"result":`; the caller writes one value and calls the end, which closes
 * the line. Several answers may stand in one buf. */
void message_result_begin(struct writer *w, struct buf *out, const struct message_id *id);
void message_result_end(struct writer *w);
/* A whole error line. text NULL: the name of the code. path and reason go to data and may be NULL
 * (path "params.queue"). extra: more members of data as JSON text without braces
 * (`"retry_after_ms":100`), or NULL. */
void message_error(struct buf *out, const struct message_id *id, int code, const char *text,
                   const char *path, const char *reason, const char *extra);
/* The same from a refused request. */
void message_error_from(struct buf *out, const struct message_id *id,
                        const struct message_error *error);
/* Fills *err; text is formatted. */
void message_error_set(struct message_error *err, int code, const char *path, const char *reason,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

/* `{"jsonrpc":"2.0","method":"event","params":{"type":TYPE`; the caller adds members. */
void message_event_begin(struct writer *w, struct buf *out, const char *type);
void message_event_end(struct writer *w);
/* The member by which an event names the request that it belongs to ("request" of a log event). */
void message_write_id(struct writer *w, const char *key, const struct message_id *id);

/* ---- the client's side ---- */

enum message_kind {
    MESSAGE_RESULT,
    MESSAGE_ERROR,
    MESSAGE_EVENT,
};

struct response {
    enum message_kind kind;
    struct message_id id;      /* of a result or an error */
    const struct json *result; /* MESSAGE_RESULT */
    int code;                  /* MESSAGE_ERROR */
    const char *text;          /* error.message */
    const struct json *data;   /* error.data, an object or NULL */
    const char *type;          /* MESSAGE_EVENT: params.type */
    const struct json *params; /* MESSAGE_EVENT */
    struct json *root;         /* owned; the others point into it */
};

/* `{"jsonrpc":"2.0","id":ID,"method":METHOD,"params":`; the caller writes one object. */
void message_request_begin(struct writer *w, struct buf *out, int64_t id, const char *method);
void message_request_end(struct writer *w);
/* 0: the caller ends *out with message_response_fini. -1: not a message of this protocol. */
int message_parse_response(const char *line, size_t len, struct response *out,
                           struct message_error *err);
void message_response_fini(struct response *response);

#endif
