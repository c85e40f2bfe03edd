/* logs: the output of a job, whole, its end, or as it comes. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "options.h"
#include "output.h"
#include "wire/writer.h"

/* The protocol counts bytes, --tail counts lines: the end is asked for in a growing piece. */
#define TAIL_BYTES_FIRST (INT64_C(64) * 1024)
#define TAIL_BYTES_MAX   (INT64_C(64) * 1024 * 1024)

enum { OPT_TAIL = 256, OPT_ATTEMPT, OPT_STREAM };

struct logs {
    int64_t job;
    const char *stream;
    long attempt; /* 0: the last */
    long tail;    /* lines; −1: all */
    bool follow;
};

static int parse(struct ctl *ctl, struct logs *l, int argc, char **argv)
{
    static const struct option long_options[] = {{"follow", no_argument, NULL, 'f'},
                                                 {"tail", required_argument, NULL, OPT_TAIL},
                                                 {"attempt", required_argument, NULL, OPT_ATTEMPT},
                                                 {"stream", required_argument, NULL, OPT_STREAM},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    int option, status = 0;
    options_start(argv);
    while (status == 0 &&
           (option = getopt_long(argc, argv, OPTIONS_ANY "f", long_options, NULL)) != -1) {
        switch (option) {
        case 'f': l->follow = true; break;
        case OPT_TAIL:
            if (!options_integer(optarg, 0, 1000000, &l->tail)) {
                status = options_usage(ctl, "--tail needs a number of lines");
            }
            break;
        case OPT_ATTEMPT:
            if (!options_integer(optarg, 1, 1000000, &l->attempt)) {
                status = options_usage(ctl, "--attempt needs a number from 1 on");
            }
            break;
        case OPT_STREAM:
            l->stream = optarg;
            if (strcmp(optarg, "stdout") != 0 && strcmp(optarg, "stderr") != 0 &&
                strcmp(optarg, "both") != 0) {
                status = options_usage(ctl, "--stream is stdout, stderr or both");
            }
            break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status == 0 && argc - optind != 1) {
        status = options_usage(ctl, "exactly one job is needed");
    }
    if (status == 0 && !options_id(argv[optind], &l->job)) {
        status = options_usage(ctl, "\"%s\" is not a job id", argv[optind]);
    }
    return status;
}

/* One stream of the tail: where what was seen lies, and where the stream ended. */
struct tail {
    struct buf bytes;
    int64_t end; /* offset behind the last byte seen */
    bool from_start;
};

/* offsets NULL: from the start. [0] stdout, [1] stderr. */
static int64_t ask(struct ctl *ctl, const struct logs *l, bool follow, const int64_t *offsets)
{
    struct writer w;
    int64_t id = client_begin(&ctl->client, &w, "logs");
    writer_object(&w);
    writer_member_int(&w, "id", l->job);
    writer_member_string(&w, "stream", l->stream);
    writer_member_bool(&w, "follow", follow);
    if (l->attempt > 0) {
        writer_member_int(&w, "attempt", l->attempt);
    }
    if (offsets && strcmp(l->stream, "both") == 0) {
        writer_member_object(&w, "offset");
        writer_member_int(&w, "stdout", offsets[0]);
        writer_member_int(&w, "stderr", offsets[1]);
        writer_end_object(&w);
    } else if (offsets) {
        writer_member_int(&w, "offset", offsets[strcmp(l->stream, "stderr") == 0]);
    }
    writer_end_object(&w);
    client_end(&w);
    return id;
}

static void take_event(struct tail *tails, const struct json *event)
{
    int64_t offset;
    struct buf bytes = BUF_INIT;
    const char *type = json_string(json_get(event, "type"));
    const char *stream = json_string(json_get(event, "stream"));
    struct tail *t = &tails[stream && strcmp(stream, "stderr") == 0];
    if (type && strcmp(type, "log") == 0 && json_int(json_get(event, "offset"), &offset) &&
        output_event_bytes(&bytes, event)) {
        t->from_start |= offset == 0;
        t->end = offset + (int64_t)bytes.len;
        buf_append(&t->bytes, bytes.data, bytes.len);
    }
    buf_free(&bytes);
}

/* Collects the last `bytes` of each stream. 0 or an exit status. */
static int collect(struct ctl *ctl, const struct logs *l, int64_t bytes, struct tail *tails)
{
    const int64_t offsets[2] = {-bytes, -bytes};
    int64_t id = ask(ctl, l, false, offsets);
    for (;;) {
        struct response message;
        int status = ctl_next(ctl, &message);
        if (status == -EINTR) {
            continue;
        }
        if (status != 0) {
            return status;
        }
        bool ended = message.kind != MESSAGE_EVENT && message.id.number == id;
        if (message.kind == MESSAGE_EVENT) {
            take_event(tails, message.params);
        } else if (ended && message.kind == MESSAGE_ERROR) {
            status = ctl_refused(ctl, "cannot read the output", &message);
        }
        message_response_fini(&message);
        if (status == 0 && (tails[0].bytes.failed || tails[1].bytes.failed)) {
            status = ctl_out_of_memory(ctl);
        }
        if (ended || status != 0) {
            return status;
        }
    }
}

/* Where the last n lines begin; a last line without an end counts. *enough: they are all there. */
static size_t tail_begin(const struct tail *t, long n, bool *enough)
{
    size_t at = t->bytes.len;
    const char *data = buf_text(&t->bytes);
    *enough = true;
    if (n == 0) {
        return at;
    }
    if (at > 0 && data[at - 1] == '\n') {
        at--;
    }
    for (; at > 0; at--) {
        if (data[at - 1] == '\n' && --n == 0) {
            return at;
        }
    }
    *enough = t->from_start || t->bytes.len == 0;
    return 0;
}

/* As an event of our own, so that text and JSON print it as they print any other. */
static int print_tail(struct ctl *ctl, const struct tail *t, size_t begin, bool err)
{
    struct buf text = BUF_INIT;
    struct json_error error;
    struct writer w;
    size_t n = t->bytes.len - begin;
    if (n == 0) {
        return 0;
    }
    writer_init(&w, &text);
    writer_object(&w);
    writer_member_string(&w, "type", "log");
    writer_member_string(&w, "stream", err ? "stderr" : "stdout");
    writer_member_int(&w, "offset", t->end - (int64_t)n);
    writer_key(&w, "data");
    const char *enc = writer_bytes(&w, t->bytes.data + begin, n);
    writer_member_string(&w, "enc", enc);
    writer_end_object(&w);
    struct json *event = text.failed ? NULL : json_parse(text.data, text.len, &error);
    int status = event ? ctl->output->event(ctl, event) : ctl_out_of_memory(ctl);
    json_free(event);
    buf_free(&text);
    return status;
}

static int show_tail(struct ctl *ctl, const struct logs *l, int64_t *ends)
{
    struct tail tails[2];
    size_t begins[2];
    bool enough = false;
    int status = 0;
    for (int64_t bytes = TAIL_BYTES_FIRST;; bytes *= 8) {
        bool enough_of[2];
        memset(tails, 0, sizeof tails);
        status = collect(ctl, l, bytes, tails);
        for (int i = 0; i < 2; i++) {
            begins[i] = tail_begin(&tails[i], l->tail, &enough_of[i]);
            ends[i] = tails[i].end;
        }
        enough = enough_of[0] && enough_of[1];
        if (enough || status != 0 || bytes >= TAIL_BYTES_MAX) {
            break;
        }
        buf_free(&tails[0].bytes);
        buf_free(&tails[1].bytes);
    }
    for (int i = 0; i < 2; i++) {
        if (status == 0) {
            status = print_tail(ctl, &tails[i], begins[i], i == 1);
        }
        buf_free(&tails[i].bytes);
    }
    return status;
}

int command_logs(struct ctl *ctl, int argc, char **argv)
{
    struct logs l = {.stream = "both", .tail = -1};
    int64_t ends[2] = {0, 0};
    int status = parse(ctl, &l, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status == 0 && l.tail >= 0) {
        status = show_tail(ctl, &l, ends);
        if (status != 0 || !l.follow) {
            return status;
        }
        return follow_logs(ctl, ask(ctl, &l, true, ends), NULL, NULL);
    }
    if (status != 0) {
        return status;
    }
    return follow_logs(ctl, ask(ctl, &l, l.follow, NULL), NULL, NULL);
}
