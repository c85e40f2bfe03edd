/* conn.c - see conn.h.
 *
 * The task of the connection is the reader: it takes one line after the other and carries each request out, so requests
 * take effect in order. Three kinds of verbs (command.h): most are carried out by the reader itself, after everything
 * before them is done; submissions are checked by the reader and committed by small tasks side by side, whose answers
 * wait in a list for their turn; waiting verbs get a task of their own and answer whenever they are ready.
 *
 * Memory is bounded: past `answer_bytes` of unread answers the reader stops reading and waiting verbs stop sending;
 * at most PENDING_MAX submissions with PENDING_BYTES of text are open; a line is at most 1 MiB. Lines are read with plain read(2), so descriptors
 * that a client sends along are closed by the kernel.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "conn_private.h"
#include "log.h"
#include "wire/message.h"

#define PENDING_MAX   1024
#define PENDING_BYTES ((size_t)4 << 20)
#define ANSWER_MAX    ((size_t)16 << 20)
#define HANGUP_MS     250

int conn_spawn(struct conn *c, cosched_fn fn, void *arg, const char *name)
{
    const cosched_attr attr = {.struct_size = sizeof attr, .name = name, .affinity = COSCHED_MAIN};
    return cosched_group_spawn(&c->group, fn, arg, &attr);
}

struct conn_standing *conn_standing(struct conn *c)
{
    return &c->standing;
}

int conn_spawn_standing(struct conn *c, cosched_fn fn, void *arg, const char *name)
{
    int rc = conn_spawn(c, fn, arg, name);
    c->standing.count += rc == 0;
    return rc;
}

void conn_standing_end(struct conn *c)
{
    c->standing.count--;
    bell_ring(&c->write_bell);
    bell_ring(&c->read_bell);
}

/* An answer that would be longer than a client takes becomes an error; a notification has none. */
static void trim_answer(struct call *call)
{
    if (call->id.type == MESSAGE_ID_NONE) {
        buf_reset(call->out);
    } else if (call->out->len > ANSWER_MAX) {
        buf_reset(call->out);
        message_error(call->out, &call->id, MESSAGE_LIMIT, NULL, NULL, "the answer is too large",
                      "\"limit\":\"answer\"");
    }
}

/* A request that waits: it owns its parameters. */
struct errand {
    struct conn *conn;
    const struct command *command;
    struct request request; /* owned */
    struct call call;
    struct buf out;
};

static int64_t errand_task(void *arg)
{
    struct errand *e = arg;
    struct conn *c = e->conn;
    e->call.out = &e->out;
    e->command->run(&e->call);
    trim_answer(&e->call);
    (void)conn_send(c, &e->out);
    buf_free(&e->out);
    message_request_fini(&e->request);
    free(e);
    c->waiting--;
    bell_ring(&c->write_bell);
    bell_ring(&c->read_bell);
    return 0;
}

static void start_errand(struct conn *c, const struct command *command, struct call *call,
                         struct request *request)
{
    if (c->waiting >= c->surface->config->waits) {
        call_error_limit(call, "waits", 1000);
        return;
    }
    struct errand *e = calloc(1, sizeof *e);
    if (!e) {
        call_error_store(call, -ENOMEM, 0);
        return;
    }
    e->conn = c;
    e->command = command;
    e->call = *call;
    e->request = *request;
    c->waiting++;
    int rc = conn_spawn(c, errand_task, e, command->name);
    if (rc == 0) {
        *request = (struct request){.root = NULL}; /* the errand's now */
        return;
    }
    c->waiting--;
    free(e);
    call_error_limit(call, "tasks", 100);
}

/* Everything before has taken effect. False: the connection ends. */
static bool wait_for_pending(struct conn *c, unsigned most)
{
    if (c->pending > most || c->pending_bytes > PENDING_BYTES) {
        conn_commit_flight(c);
    }
    while ((c->pending > most || (c->pending > 0 && c->pending_bytes > PENDING_BYTES)) &&
           !c->broken) {
        if (bell_wait(&c->read_bell, COSCHED_NEVER) < 0) {
            return false;
        }
    }
    return !c->broken;
}

/* False: the connection ends. */
static bool carry_out(struct conn *c, struct request *request, struct buf *line)
{
    struct call call = {.surface = c->surface,
                        .conn = c,
                        .uid = c->uid,
                        .admin = c->admin,
                        .id = request->id,
                        .params = request->params,
                        .out = line};
    const struct command *command = command_find(request->method);
    unsigned most = command && command->mode == COMMAND_SUBMIT ? PENDING_MAX - 1 : 0;
    if (!wait_for_pending(c, most)) {
        return false;
    }
    if (!command) {
        call_error(&call, MESSAGE_UNKNOWN_METHOD, NULL, NULL);
    } else if (command->admin && !c->admin) {
        call_error(&call, MESSAGE_NOT_PERMITTED, NULL, "for admins");
    } else if (command->mode == COMMAND_WAITING) {
        start_errand(c, command, &call, request);
    } else {
        command->run(&call);
    }
    trim_answer(&call);
    if (line->len == 0) {
        return true;
    }
    conn_commit_flight(c);
    return conn_send_line(c, line);
}

static bool handle_line(struct conn *c, const char *text, size_t length)
{
    struct request request;
    struct message_error error;
    struct buf line = BUF_INIT;
    bool going = true;
    c->line_bytes = length;
    if (message_parse_request(text, length, &request, &error) == 0) {
        going = carry_out(c, &request, &line);
        message_request_fini(&request);
    } else if (request.id.type != MESSAGE_ID_NONE) {
        message_error_from(&line, &request.id, &error);
        conn_commit_flight(c);
        going = conn_send_line(c, &line);
    }
    buf_free(&line);
    return going;
}

static bool say_too_long(struct conn *c)
{
    static const struct message_id nobody = {.type = MESSAGE_ID_NULL};
    struct buf line = BUF_INIT;
    message_error(&line, &nobody, MESSAGE_INVALID_REQUEST, NULL, NULL, "line longer than 1 MiB",
                  NULL);
    conn_commit_flight(c);
    bool going = conn_send_line(c, &line);
    buf_free(&line);
    return going;
}

/* The client reads what it was sent. False: the connection ends. */
static bool wait_for_room(struct conn *c)
{
    if (conn_full(c)) {
        conn_commit_flight(c);
    }
    while (conn_full(c) && !c->broken) {
        if (bell_wait(&c->read_bell, COSCHED_NEVER) < 0) {
            return false;
        }
    }
    return !c->broken;
}

/* The lines that are there. False: the connection ends. */
static bool handle_lines(struct conn *c)
{
    char *line = NULL;
    size_t length = 0;
    for (;;) {
        if (!wait_for_room(c)) {
            return false;
        }
        bool going = false;
        switch (frame_next(&c->frame, &line, &length)) {
        case FRAME_LINE: going = handle_line(c, line, length); break;
        case FRAME_TOO_LONG: going = say_too_long(c); break;
        case FRAME_MORE: return true;
        case FRAME_OOM: return false;
        }
        if (!going) {
            return false;
        }
    }
}

static void read_requests(struct conn *c)
{
    for (;;) {
        bool going = handle_lines(c);
        conn_commit_flight(c);
        if (!going) {
            return;
        }
        size_t room = 0;
        char *space = frame_space(&c->frame, &room);
        if (!space) {
            return;
        }
        int64_t n = cosched_read(c->stream, space, room, COSCHED_NEVER);
        if (n <= 0) {
            return; /* half a line that was cut off is nothing */
        }
        frame_added(&c->frame, (size_t)n);
    }
}

static bool hung_up(const struct conn *c)
{
    struct pollfd pfd = {.fd = cosched_stream_fileno(c->stream), .events = POLLOUT};
    return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLERR));
}

/* The client said its last. What it asked for is still answered, unless it is gone altogether: then what waits is given
 * up. (It may have closed one direction only, as `nc` does at the end of its input; nothing tells us of the other one
 * but looking.) */
static void finish(struct conn *c)
{
    c->reading_over = true;
    bell_ring(&c->write_bell);
    while ((c->pending > 0 || conn_somebody_talks(c)) && !c->broken) {
        if (conn_somebody_talks(c) && hung_up(c)) {
            conn_break_off(c);
        }
        int64_t look_ns = conn_somebody_talks(c) ? cosched_in_ms(HANGUP_MS) : COSCHED_NEVER;
        int rc = bell_wait(&c->read_bell, look_ns);
        if (rc < 0 && rc != -ETIMEDOUT) {
            conn_break_off(c);
        }
    }
    if (c->broken) {
        cosched_group_cancel(&c->group);
    }
    cosched_group_join(&c->group, COSCHED_NEVER);
}

static int conn_init(struct conn *c, const struct conn_config *config)
{
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    *c = (struct conn){.surface = config->surface,
                       .stream = config->stream,
                       .uid = config->uid,
                       .admin = config->admin};
    c->last = &c->first;
    frame_init(&c->frame, FRAME_LINE_MAX);
    int rc = bell_init(&c->write_bell);
    if (rc == 0) {
        rc = bell_init(&c->read_bell);
    }
    if (rc == 0) {
        rc = cosched_group_init(&c->group, &collect);
    }
    return rc;
}

static void conn_fini(struct conn *c)
{
    while (c->first) { /* of tasks that were cancelled before they began */
        struct answer *answer = c->first;
        c->first = answer->next;
        buf_free(&answer->text);
        free(answer);
    }
    frame_fini(&c->frame);
    buf_free(&c->out);
    bell_fini(&c->write_bell);
    bell_fini(&c->read_bell);
    free(c);
}

int64_t conn_run(const struct conn_config *config)
{
    struct conn *c = malloc(sizeof *c);
    if (!c) {
        return -ENOMEM;
    }
    int rc = conn_init(c, config);
    if (rc == 0) {
        rc = conn_spawn(c, conn_writer_task, c, "writer");
        if (rc == 0) {
            read_requests(c);
        } else {
            c->broken = true;
        }
        finish(c);
    }
    conn_fini(c);
    return rc;
}
