/* conn_private.h - shared by conn.c (the reader) and conn_send.c (answers in order, and the writer), and nobody else. */
#ifndef DAEMON_CONN_PRIVATE_H
#define DAEMON_CONN_PRIVATE_H
#include "conn.h"
#include "wire/frame.h"

/* Somebody waits for the client to read. */
struct patient {
    struct patient *next;
    struct bell bell;
};

struct conn {
    struct surface *surface; /* borrowed */
    cosched_stream *stream;  /* borrowed */
    uint32_t uid;
    bool admin;
    bool broken; /* the client is gone: nothing is sent any more */
    bool reading_over;
    cosched_group group;
    struct frame frame;
    struct answer *first, **last; /* in order of requests */
    struct flight *flight; /* submissions that are not on their way yet; has the last answer */
    unsigned pending;      /* requests behind that list */
    size_t pending_bytes;  /* of the requests behind them */
    size_t line_bytes;     /* of the request being carried out */
    unsigned waiting;      /* tasks of waiting verbs */
    struct conn_standing standing;
    struct buf out; /* to be sent */
    size_t sending; /* bytes that the writer is writing */
    struct bell write_bell, read_bell;
    struct patient *patients;
};

/* The client has as much unread as it may: the reader stops. */
bool conn_full(const struct conn *c);
/* Submissions that were read go on their way. */
void conn_commit_flight(struct conn *c);
/* A whole line, in its turn: behind the answers that are still worked on. False: out of memory. */
bool conn_send_line(struct conn *c, struct buf *line);
/* The client is gone. */
void conn_break_off(struct conn *c);
/* Tasks that may still have something to say. */
bool conn_somebody_talks(const struct conn *c);
/* Sends what there is until nobody has more to say. */
int64_t conn_writer_task(void *conn);
#endif
