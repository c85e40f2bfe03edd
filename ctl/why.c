/* why: what a job waits for, as a sentence. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "show.h"
#include "terminal.h"
#include "wire/units.h"
#include "wire/writer.h"

static const char *text_of(const struct json *object, const char *name)
{
    const char *text = json_string(json_get(object, name));
    return text ? text : "?";
}

static void put(struct buf *text, const char *from_daemon)
{
    terminal_clean(text, from_daemon, strlen(from_daemon));
}

static void put_number(struct buf *text, const struct json *object, const char *name)
{
    show_value(text, NULL, json_get(object, name));
}

/* "2030-… (in 3m05s)"; of what has begun "(for 3m05s)". */
static void put_time(struct buf *text, const struct json *time)
{
    int64_t at_us = 0;
    const char *stamp = json_string(time);
    if (!stamp || units_parse_time(stamp, &at_us) < 0) {
        buf_literal(text, "a time");
        return;
    }
    int64_t away_us = at_us - show_now_us();
    put(text, stamp);
    buf_puts(text, away_us < 0 ? " (for " : " (in ");
    show_duration_us(text, (double)(away_us < 0 ? -away_us : away_us));
    buf_putc(text, ')');
}

static void put_wait(struct buf *text, const struct json *wait)
{
    const char *type = text_of(wait, "type");
    if (strcmp(type, "dependency") == 0 && json_get(wait, "others")) {
        put_number(text, wait, "others");
        buf_literal(text, " jobs of others have to end");
    } else if (strcmp(type, "dependency") == 0) {
        buf_literal(text, "job ");
        put_number(text, wait, "id");
        buf_literal(text, " has to end (now ");
        put(text, text_of(wait, "state"));
        buf_putc(text, ')');
    } else if (strcmp(type, "time") == 0 || strcmp(type, "backoff") == 0) {
        buf_puts(text, type[0] == 't' ? "it is to run at " : "it is to be tried again at ");
        put_time(text, json_get(wait, "until"));
    } else if (strcmp(type, "queue_limit") == 0) {
        buf_literal(text, "queue ");
        put(text, text_of(wait, "queue"));
        buf_literal(text, " has ");
        put_number(text, wait, "running");
        buf_literal(text, " of ");
        put_number(text, wait, "parallel");
        buf_literal(text, " jobs running");
    } else if (strcmp(type, "rate") == 0) {
        buf_literal(text, "queue ");
        put(text, text_of(wait, "queue"));
        buf_literal(text, " by its rate starts the next one at ");
        put_time(text, json_get(wait, "until"));
    } else if (strcmp(type, "paused") == 0) {
        buf_literal(text, "queue ");
        put(text, text_of(wait, "queue"));
        buf_literal(text, " is paused");
    } else if (strcmp(type, "drain") == 0) {
        buf_literal(text, "the daemon drains and starts nothing");
    } else {
        put(text, type); /* of a newer daemon */
    }
}

/* What the last of the chain waits for. */
static void put_awaits(struct buf *text, const struct json *chain)
{
    const struct json *last = NULL;
    for (const struct json *task = json_first(chain); task; task = json_next(task)) {
        last = task;
    }
    const char *what = json_string(json_get(json_get(last, "waits_for"), "what"));
    if (what) {
        buf_literal(text, ", waiting for: ");
        put(text, what);
    }
}

static void sentence(struct buf *text, const struct json *why)
{
    const char *state = text_of(why, "state");
    const struct json *waits = json_get(why, "waits_for"), *running = json_get(why, "running");
    buf_literal(text, "job ");
    put_number(text, why, "id");
    buf_literal(text, " is ");
    put(text, state);
    if (running) {
        buf_literal(text, " since ");
        put_time(text, json_get(running, "since"));
        if (json_is(json_get(running, "pid"), JSON_NUMBER)) {
            buf_literal(text, ", as process ");
            put_number(text, running, "pid");
        }
        put_awaits(text, json_get(running, "awaits"));
        if (json_bool(json_get(running, "cancel_requested"))) {
            buf_literal(text, ", and is being canceled");
        }
    }
    if (json_is(json_get(why, "position"), JSON_NUMBER)) {
        buf_literal(text, ", number ");
        put_number(text, why, "position");
        buf_literal(text, " in line of queue ");
        put(text, text_of(why, "queue"));
    }
    for (const struct json *wait = json_first(waits); wait; wait = json_next(wait)) {
        buf_puts(text, wait == json_first(waits) ? ": " : "; ");
        put_wait(text, wait);
    }
    if (!running && !json_first(waits) &&
        (strcmp(state, "queued") == 0 || strcmp(state, "delayed") == 0)) {
        buf_literal(text, ": it is about to start");
    }
}

int command_why(struct ctl *ctl, int argc, char **argv)
{
    struct writer w;
    struct response answer;
    int64_t id;
    int status = options_only_common(ctl, argc, argv);
    if (status != 0) {
        return status;
    }
    if (argc - optind != 1 || !options_id(argv[optind], &id)) {
        return options_usage(ctl, "exactly one job is needed");
    }
    status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "why");
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_end_object(&w);
    client_end(&w);
    status = ctl_answer(ctl, "cannot tell why", request, &answer);
    if (status == 0) {
        struct buf text = BUF_INIT;
        sentence(&text, answer.result);
        status = ctl->output->answer(ctl, answer.result, buf_text(&text));
        buf_free(&text);
        message_response_fini(&answer);
    }
    return status;
}
