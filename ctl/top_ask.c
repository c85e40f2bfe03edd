/* Requests of top, and what their answers change. See top.h. */
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "show.h"
#include "terminal.h"
#include "top.h"
#include "top_detail.h"
#include "wire/writer.h"

#define LIST_LIMIT   200  /* of each half: more than a screen has rows */
#define FILTER_LIMIT 1000 /* with a filter, of which a part is kept */

static void ask_list(struct top *top, enum top_ask ask, enum top_part part)
{
    struct writer w;
    top->asked[ask] = client_begin(&top->ctl->client, &w, "list");
    top_jobs_params(&top->jobs, part, top->jobs.filter[0] ? FILTER_LIMIT : LIST_LIMIT, &w);
    client_end(&w);
}

static int64_t ask_job(struct top *top, const char *method, int64_t id, const char *field)
{
    struct writer w;
    int64_t request = client_begin(&top->ctl->client, &w, method);
    writer_object(&w);
    writer_member_int(&w, "id", id);
    if (field) {
        writer_member_array(&w, "fields");
        writer_string(&w, field);
        writer_end_array(&w);
    }
    writer_end_object(&w);
    client_end(&w);
    return request;
}

static bool is_round_open(const struct top *top)
{
    for (size_t i = 0; i < TOP_ASK_ROUND; i++) {
        if (top->asked[i] != 0) {
            return true;
        }
    }
    return false;
}

void top_ask_round(struct top *top)
{
    struct writer w;
    if (is_round_open(top)) {
        return;
    }
    top->sent_ns = top_clock_ns();
    top->asked[TOP_ASK_STATS] = client_begin(&top->ctl->client, &w, "stats");
    writer_object(&w);
    writer_end_object(&w);
    client_end(&w);
    if (!top->ctl->json) {
        ask_list(top, TOP_ASK_RUNNING, TOP_PART_RUNNING);
        ask_list(top, TOP_ASK_WAITING, TOP_PART_WAITING);
    }
    if (top->ui.mode == TOP_DETAIL) {
        top_ask_detail(top);
    }
}

void top_ask_cancel(struct top *top, int64_t id)
{
    struct writer w;
    top->asked[TOP_ASK_CANCEL] = client_begin(&top->ctl->client, &w, "cancel");
    writer_object(&w);
    writer_member_array(&w, "ids");
    writer_int(&w, id);
    writer_end_array(&w);
    writer_end_object(&w);
    client_end(&w);
}

void top_ask_detail(struct top *top)
{
    if (top->asked[TOP_ASK_JOB] == 0 && top->asked[TOP_ASK_WHY] == 0) {
        top->asked[TOP_ASK_JOB] = ask_job(top, "get", top->ui.detail, NULL);
        top->asked[TOP_ASK_WHY] = ask_job(top, "why", top->ui.detail, NULL);
    }
}

/* One at a time: the answer asks for the next. */
static void ask_name(struct top *top)
{
    int64_t id = top_jobs_nameless(&top->jobs, top_page(top));
    if (id != 0 && top->asked[TOP_ASK_NAME] == 0) {
        top->name_of = id;
        top->asked[TOP_ASK_NAME] = ask_job(top, "get", id, "spec");
    }
}

void top_ask_forget(struct top *top)
{
    memset(top->asked, 0, sizeof top->asked);
    buf_reset(&top->fresh);
}

/* "what: why" for the foot. */
static void say(struct top *top, const char *what, const struct response *message)
{
    char text[300];
    const char *reason = json_string(json_get(message->data, "reason"));
    (void)snprintf(text, sizeof text, "%s: %s%s%s", what, message->text ? message->text : "refused",
                   reason ? ": " : "", reason ? reason : "");
    top_text(top->ui.message, sizeof top->ui.message, text);
}

static void take_cancel(struct top *top, const struct response *message)
{
    char text[80];
    long long id = (long long)top->ui.confirm;
    if (message->kind == MESSAGE_ERROR) {
        say(top, "cannot cancel", message);
        return;
    }
    if (json_count(json_get(message->result, "canceled")) > 0) {
        (void)snprintf(text, sizeof text, "job %lld is canceled", id);
    } else if (json_count(json_get(message->result, "not_cancelable")) > 0) {
        (void)snprintf(text, sizeof text, "job %lld has already ended", id);
    } else {
        (void)snprintf(text, sizeof text, "no job %lld", id);
    }
    top_text(top->ui.message, sizeof top->ui.message, text);
}

static void take_detail(struct top *top, enum top_ask ask, const struct response *message)
{
    static const char *const told[] = {"id", "state", "attempt", "queue", NULL}; /* by get */
    char title[48] = "\nWhat it waits for";
    if (ask == TOP_ASK_JOB) {
        (void)snprintf(title, sizeof title, "Job %lld", (long long)top->ui.detail);
    }
    if (message->kind == MESSAGE_RESULT) {
        top_detail(&top->fresh, title, message->result, ask == TOP_ASK_WHY ? told : NULL);
    } else if (ask == TOP_ASK_WHY && message->code == MESSAGE_UNKNOWN_METHOD) {
        buf_literal(&top->fresh, "\nThis daemon does not tell what a job waits for.\n");
    } else {
        buf_printf(&top->fresh, "%s\n  ", title);
        terminal_clean(&top->fresh, message->text ? message->text : "",
                       message->text ? strlen(message->text) : 0);
        buf_putc(&top->fresh, '\n');
    }
    if (ask == TOP_ASK_WHY) { /* the second of the two: all is there */
        buf_free(&top->ui.lines);
        top->ui.lines = top->fresh;
        top->fresh = BUF_INIT;
    }
}

static void take_stats(struct top *top, const struct json *stats)
{
    int64_t now_ns = top_clock_ns();
    top->now_us = show_now_us();
    top->trouble[0] = '\0';
    top->said_lost = false;
    top_model_stats(&top->model, stats, now_ns / 1000);
    if (top->ctl->json) {
        top->status = top->ctl->output->stats(top->ctl, stats, NULL, 0);
        top->quit |= top->status != 0;
    }
}

static void take_list(struct top *top, enum top_part part, const struct response *message)
{
    if (message->kind == MESSAGE_ERROR) {
        say(top, "cannot list", message);
        return;
    }
    top_jobs_take(&top->jobs, part, message->result);
    top_jobs_arrange(&top->jobs);
    if (!top->plain) {
        ask_name(top);
    }
}

static void take(struct top *top, enum top_ask ask, const struct response *message)
{
    switch (ask) {
    case TOP_ASK_STATS:
        if (message->kind == MESSAGE_RESULT) {
            take_stats(top, message->result);
        } else {
            say(top, "cannot read the metrics", message);
        }
        break;
    case TOP_ASK_RUNNING: take_list(top, TOP_PART_RUNNING, message); break;
    case TOP_ASK_WAITING: take_list(top, TOP_PART_WAITING, message); break;
    case TOP_ASK_CANCEL:
        take_cancel(top, message);
        top_ask_round(top);
        break;
    case TOP_ASK_JOB:
    case TOP_ASK_WHY: take_detail(top, ask, message); break;
    case TOP_ASK_NAME:
        top_jobs_name(&top->jobs, top->name_of,
                      message->kind == MESSAGE_RESULT ? message->result : NULL);
        top_jobs_arrange(&top->jobs);
        ask_name(top);
        break;
    case TOP_ASKS: break;
    }
}

void top_take_answer(struct top *top, const struct response *message)
{
    if (message->kind == MESSAGE_ERROR && message->id.type == MESSAGE_ID_NULL) {
        say(top, "the daemon", message); /* of the connection itself, most likely its last words */
        return;
    }
    if (message->kind == MESSAGE_EVENT || message->id.type != MESSAGE_ID_INT) {
        return;
    }
    for (size_t i = 0; i < TOP_ASKS; i++) {
        if (top->asked[i] == message->id.number) {
            top->asked[i] = 0;
            take(top, (enum top_ask)i, message);
            top->round_done = i < TOP_ASK_ROUND && !is_round_open(top);
            return;
        }
    }
}
