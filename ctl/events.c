/* events: what happens, a line each, until interrupted. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "show.h"
#include "terminal.h"
#include "wire/writer.h"

enum { OPT_FROM_SEQ = 256, OPT_TYPE, OPT_INTERVAL, OPT_QUEUE, OPT_STATE, OPT_COUNT };

struct wish {
    int64_t from_seq; /* −1: from now on */
    const char *types, *interval, *queue, *states;
    long count; /* 0: for ever */
};

static const struct option long_options[] = {{"from-seq", required_argument, NULL, OPT_FROM_SEQ},
                                             {"type", required_argument, NULL, OPT_TYPE},
                                             {"interval", required_argument, NULL, OPT_INTERVAL},
                                             {"queue", required_argument, NULL, OPT_QUEUE},
                                             {"state", required_argument, NULL, OPT_STATE},
                                             {"count", required_argument, NULL, OPT_COUNT},
                                             OPTIONS_COMMON,
                                             {NULL, 0, NULL, 0}};

static int parse(struct ctl *ctl, struct wish *wish, int argc, char **argv)
{
    int option, status = 0;
    long number = 0;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        switch (option) {
        case OPT_FROM_SEQ:
            if (!options_integer(optarg, 0, JSON_INT_MAX, &number)) {
                status = options_usage(ctl, "--from-seq needs the number of an event");
            }
            wish->from_seq = number;
            break;
        case OPT_TYPE: wish->types = optarg; break;
        case OPT_INTERVAL: wish->interval = optarg; break;
        case OPT_QUEUE: wish->queue = optarg; break;
        case OPT_STATE: wish->states = optarg; break;
        case OPT_COUNT:
            if (!options_integer(optarg, 1, 1000000000, &wish->count)) {
                status = options_usage(ctl, "--count needs a number from 1 on");
            }
            break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    return status;
}

static void write_words(struct writer *w, const char *key, const char *words)
{
    writer_member_array(w, key);
    while (*words) {
        size_t n = strcspn(words, ",");
        writer_string_n(w, words, n);
        words += n + (words[n] == ',');
    }
    writer_end_array(w);
}

static int64_t ask(struct ctl *ctl, const struct wish *wish)
{
    struct writer w;
    int64_t id = client_begin(&ctl->client, &w, "subscribe");
    writer_object(&w);
    write_words(&w, "events", wish->types);
    if (wish->from_seq >= 0) {
        writer_member_int(&w, "from_seq", wish->from_seq);
    }
    if (wish->interval) {
        writer_member_string(&w, "interval", wish->interval);
    }
    if (wish->queue || wish->states) {
        writer_member_object(&w, "filter");
        if (wish->queue) {
            writer_member_string(&w, "queue", wish->queue);
        }
        if (wish->states) {
            write_words(&w, "state", wish->states);
        }
        writer_end_object(&w);
    }
    writer_end_object(&w);
    client_end(&w);
    return id;
}

int command_events(struct ctl *ctl, int argc, char **argv)
{
    struct wish wish = {.from_seq = -1, .types = "job"};
    struct response message;
    int status = parse(ctl, &wish, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status == 0) {
        status = ctl_answer(ctl, "cannot follow the events", ask(ctl, &wish), &message);
    }
    if (status != 0) {
        return status;
    }
    message_response_fini(&message);
    for (long shown = 0; status == 0 && (wish.count == 0 || shown < wish.count);) {
        status = ctl_next(ctl, &message);
        if (status == -EINTR) {
            status = 0;
            continue;
        }
        if (status != 0) {
            break;
        }
        if (message.kind == MESSAGE_EVENT) {
            status = ctl->output->happened(ctl, message.params);
            shown++;
        }
        message_response_fini(&message);
    }
    return status;
}

/* --- as text ------------------------------------------------------------------------------------- */

static void put(struct buf *text, const struct json *object, const char *name)
{
    const struct json *value = json_get(object, name);
    if (value && json_type(value) != JSON_NULL) {
        show_value(text, name, value);
    } else {
        buf_putc(text, '-');
    }
}

static void put_job(struct buf *text, const struct json *event)
{
    put(text, event, "at");
    buf_literal(text, "  job ");
    put(text, event, "id");
    buf_putc(text, ' ');
    put(text, event, "state");
    int64_t attempt = 0;
    if (json_int(json_get(event, "attempt"), &attempt) && attempt > 1) {
        buf_printf(text, " (attempt %lld)", (long long)attempt);
    }
    buf_literal(text, "  ");
    put(text, event, "queue");
    buf_putc(text, ' ');
    put(text, event, "kind");
    if (json_string(json_get(event, "name"))) {
        buf_putc(text, ' ');
        put(text, event, "name");
    }
}

static void put_queue(struct buf *text, const struct json *queue)
{
    buf_literal(text, "queue ");
    put(text, queue, "name");
    if (json_bool(json_get(queue, "deleted"))) {
        buf_literal(text, " deleted");
        return;
    }
    buf_literal(text, "  depth ");
    put(text, queue, "depth");
    buf_literal(text, "  running ");
    put(text, queue, "running");
    buf_literal(text, " of ");
    put(text, queue, "parallel");
    if (json_bool(json_get(queue, "paused"))) {
        buf_literal(text, "  paused");
    }
}

static void put_stats(struct buf *text, const struct json *stats)
{
    static const char *const names[] = {"running", "queued",    "delayed",
                                        "blocked", "succeeded", "failed"};
    const struct json *jobs = json_get(stats, "jobs");
    buf_literal(text, "stats");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        buf_printf(text, "  %s ", names[i]);
        put(text, jobs, names[i]);
    }
}

int text_happened(struct ctl *ctl, const struct json *event)
{
    struct buf text = BUF_INIT;
    const char *type = json_string(json_get(event, "type"));
    put(&text, event, "seq");
    buf_literal(&text, "  ");
    if (type && strcmp(type, "job") == 0) {
        put_job(&text, event);
    } else if (type && strcmp(type, "queue") == 0) {
        put_queue(&text, json_get(event, "queue"));
    } else if (type && strcmp(type, "stats") == 0) {
        put_stats(&text, json_get(event, "stats"));
    } else if (type && strcmp(type, "gap") == 0) {
        buf_literal(&text, "events ");
        put(&text, event, "from");
        buf_literal(&text, " to ");
        put(&text, event, "to");
        buf_literal(&text, " are lost");
    } else {
        put(&text, event, "type");
    }
    buf_putc(&text, '\n');
    int status = output_buf(ctl, &text);
    (void)fflush(stdout); /* followed live */
    return status;
}
