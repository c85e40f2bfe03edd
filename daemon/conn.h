/* conn.h - one connection: a reader that carries out requests in order, a writer that sends what is answered.
 *
 * The verbs (command*.c) see a connection through the functions below. Everything on MAIN.
 */
#ifndef DAEMON_CONN_H
#define DAEMON_CONN_H
#include <cosched/io.h>

#include <stdbool.h>
#include <stddef.h>

#include "command.h"
#include "wire/buf.h"

struct conn;

struct conn_config {
    struct surface *surface; /* borrowed */
    cosched_stream *stream;  /* borrowed */
    uint32_t uid;
    bool admin;
};

/* The whole conversation; returns when it is over and every task of it has ended. Cancelling the task ends it. */
int64_t conn_run(const struct conn_config *config);

/* --- for verbs ---------------------------------------------------------------------------------------- */

/* An answer that keeps its place among those of its connection while it is worked on. Owned by the connection. */
struct answer {
    struct answer *next;
    struct conn *conn;
    struct buf text;   /* whole lines; may stay empty */
    unsigned requests; /* that it answers */
    size_t cost;       /* their bytes */
    bool done;
};

/* Takes the next place in order. NULL: out of memory. */
struct answer *conn_answer_begin(struct conn *c);
/* It answers the request that is being carried out, too. */
void conn_answer_more(struct answer *answer);
/* The text is sent when its turn comes; *answer is the connection's again. */
void conn_answer_end(struct answer *answer);
/* Submissions that were read one behind the other, on their way to command_submit_commit: at the latest before anything
 * else is answered or waited for. NULL: none. */
struct flight **conn_flight(struct conn *c);
/* A task of the connection. 0 or a negative errno. */
int conn_spawn(struct conn *c, cosched_fn fn, void *arg, const char *name);

/* What goes on until it is told to end, or the client is gone: subscriptions (subscription.c has the list). */
struct conn_standing {
    struct subscription *first;
    unsigned count; /* tasks */
    int64_t last_number;
};

struct conn_standing *conn_standing(struct conn *c);
/* As conn_spawn; the task's last act is conn_standing_end. */
int conn_spawn_standing(struct conn *c, cosched_fn fn, void *arg, const char *name);
void conn_standing_end(struct conn *c);
/* Whole lines from a waiting verb, sent after what is there; waits while the client does not read. *lines is empty
 * afterwards. 0, -ECANCELED, -EPIPE (the client is gone). */
int conn_send(struct conn *c, struct buf *lines);

#endif
