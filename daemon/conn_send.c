/* conn_send.c - what a connection sends: answers in the order of their requests, lines of waiting verbs, and the task that writes
 * them. See conn.h. */
#include <errno.h>
#include <stdlib.h>

#include "conn_private.h"

static size_t unread(const struct conn *c)
{
    return c->out.len + c->sending;
}

bool conn_full(const struct conn *c)
{
    return unread(c) >= (size_t)c->surface->config->answer_bytes;
}

static void has_room(struct conn *c)
{
    bell_ring(&c->read_bell);
    for (struct patient *p = c->patients; p; p = p->next) {
        bell_ring(&p->bell);
    }
}

/* Answers from the head of the list on that are done go to the writer. */
static void flush_answers(struct conn *c)
{
    while (c->first && c->first->done) {
        struct answer *answer = c->first;
        c->first = answer->next;
        if (!c->first) {
            c->last = &c->first;
        }
        if (!c->broken) {
            buf_append(&c->out, buf_text(&answer->text), answer->text.len);
        }
        buf_free(&answer->text);
        c->pending -= answer->requests;
        c->pending_bytes -= answer->cost;
        free(answer);
    }
    bell_ring(&c->write_bell);
    bell_ring(&c->read_bell);
}

struct answer *conn_answer_begin(struct conn *c)
{
    struct answer *answer = calloc(1, sizeof *answer);
    if (!answer) {
        return NULL;
    }
    answer->conn = c;
    *c->last = answer;
    c->last = &answer->next;
    conn_answer_more(answer);
    return answer;
}

void conn_answer_more(struct answer *answer)
{
    struct conn *c = answer->conn;
    answer->requests++;
    answer->cost += c->line_bytes;
    c->pending++;
    c->pending_bytes += c->line_bytes;
}

struct flight **conn_flight(struct conn *c)
{
    return &c->flight;
}

void conn_commit_flight(struct conn *c)
{
    struct flight *flight = c->flight;
    c->flight = NULL;
    if (flight) {
        command_submit_commit(flight);
    }
}

void conn_answer_end(struct answer *answer)
{
    answer->done = true;
    flush_answers(answer->conn);
}

bool conn_send_line(struct conn *c, struct buf *line)
{
    if (!c->first) {
        if (!c->broken) {
            buf_append(&c->out, buf_text(line), line->len);
        }
        bell_ring(&c->write_bell);
        return !c->out.failed;
    }
    struct answer *answer = conn_answer_begin(c);
    if (!answer) {
        return false;
    }
    buf_append(&answer->text, buf_text(line), line->len);
    conn_answer_end(answer);
    return true;
}

int conn_send(struct conn *c, struct buf *lines)
{
    struct patient patient = {.next = NULL};
    int rc = 0;
    if (lines->len == 0) {
        return c->broken ? -EPIPE : 0;
    }
    if (conn_full(c) && !c->broken) {
        rc = bell_init(&patient.bell);
        if (rc < 0) {
            return rc;
        }
        patient.next = c->patients;
        c->patients = &patient;
        while (rc == 0 && conn_full(c) && !c->broken) {
            rc = bell_wait(&patient.bell, COSCHED_NEVER);
        }
        struct patient **link = &c->patients;
        while (*link != &patient) {
            link = &(*link)->next;
        }
        *link = patient.next;
        bell_fini(&patient.bell);
    }
    if (rc == 0 && c->broken) {
        rc = -EPIPE;
    }
    if (rc == 0) {
        buf_append(&c->out, lines->data, lines->len);
    }
    buf_reset(lines);
    bell_ring(&c->write_bell);
    return rc == 0 && c->out.failed ? -ENOMEM : rc;
}

void conn_break_off(struct conn *c)
{
    c->broken = true;
    cosched_stream_shut(c->stream);
    has_room(c);
    bell_ring(&c->write_bell);
}

bool conn_somebody_talks(const struct conn *c)
{
    return c->waiting > 0 || c->standing.count > 0;
}

int64_t conn_writer_task(void *arg)
{
    struct conn *c = arg;
    struct buf sending = BUF_INIT;
    int64_t rc = 0;
    while (rc >= 0) {
        if (c->out.len == 0) {
            if (c->reading_over && c->pending == 0 && !conn_somebody_talks(c)) {
                break;
            }
            rc = bell_wait(&c->write_bell, COSCHED_NEVER);
            continue;
        }
        if (c->out.failed) {
            break;
        }
        buf_free(&sending);
        sending = c->out;
        c->out = BUF_INIT;
        c->sending = sending.len;
        rc = cosched_write(c->stream, sending.data, sending.len, COSCHED_NEVER);
        c->sending = 0;
        has_room(c);
    }
    buf_free(&sending);
    if (rc < 0 || c->out.failed) {
        conn_break_off(c);
    }
    return 0;
}
