/* trace: what the scheduler does for a while, as a file for Perfetto (ui.perfetto.dev) or chrome://tracing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "output.h"
#include "wire/writer.h"

struct trace {
    const char *duration;
    const char *path; /* NULL: standard output */
    FILE *file;
    bool comma;
    int error; /* the first failure to write */
};

static int parse(struct ctl *ctl, struct trace *t, int argc, char **argv)
{
    static const struct option long_options[] = {{"for", required_argument, NULL, 'f'},
                                                 {"output", required_argument, NULL, 'o'},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    int option, status = 0;
    options_start(argv);
    while (status == 0 &&
           (option = getopt_long(argc, argv, OPTIONS_ANY "o:", long_options, NULL)) != -1) {
        switch (option) {
        case 'f': t->duration = optarg; break;
        case 'o': t->path = optarg; break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    if (status == 0 && !t->path && !ctl->json && isatty(STDOUT_FILENO)) {
        status = options_usage(ctl, "a trace is for a file: say -o FILE, or redirect the output");
    }
    return status;
}

static void put(struct trace *t, const char *text, size_t n)
{
    if (t->error == 0 && fwrite(text, 1, n, t->file) != n) {
        t->error = errno != 0 ? errno : EIO;
    }
}

static int take_events(struct ctl *ctl, struct trace *t, const struct json *events)
{
    struct buf text = BUF_INIT;
    struct writer w;
    for (const struct json *e = json_first(events); e && t->error == 0; e = json_next(e)) {
        buf_puts(&text, t->comma ? ",\n" : "\n");
        writer_init(&w, &text);
        writer_value(&w, e);
        t->comma = true;
    }
    if (text.failed) {
        buf_free(&text);
        return ctl_out_of_memory(ctl);
    }
    put(t, buf_text(&text), text.len);
    buf_free(&text);
    return 0;
}

/* One message; *ended: it was the answer, which the caller then owns if the status is 0. */
static int take(struct ctl *ctl, struct trace *t, struct response *message, int64_t request,
                bool *ended)
{
    int status = 0;
    if (message->kind == MESSAGE_EVENT) {
        status = t->file ? take_events(ctl, t, json_get(message->params, "events"))
                         : ctl->output->event(ctl, message->params);
    } else if (message->id.type == MESSAGE_ID_INT && message->id.number == request) {
        *ended = true;
        if (message->kind == MESSAGE_ERROR) {
            status = ctl_refused(ctl, "cannot trace", message);
        }
    }
    if (status != 0 || !*ended) {
        message_response_fini(message);
    }
    return status;
}

/* 0: the answer is there, which the caller ends. */
static int stream(struct ctl *ctl, struct trace *t, struct response *answer)
{
    struct writer w;
    int64_t request = client_begin(&ctl->client, &w, "trace");
    writer_object(&w);
    if (t->duration) {
        writer_member_string(&w, "for", t->duration);
    }
    writer_end_object(&w);
    client_end(&w);
    bool ended = false;
    int status = 0;
    while (status == 0 && !ended) {
        status = ctl_next(ctl, answer);
        if (status == -EINTR) {
            status = 0;
        } else if (status == 0) {
            status = take(ctl, t, answer, request, &ended);
        }
    }
    return status;
}

static int open_file(struct ctl *ctl, struct trace *t)
{
    static const char head[] = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    if (!t->path && ctl->json) {
        return 0; /* events as they come */
    }
    t->file = t->path ? fopen(t->path, "we") : stdout;
    if (!t->file) {
        return ctl_fail(ctl, CTL_REFUSED, "cannot write the trace", "%s: %s", t->path,
                        strerror(errno));
    }
    put(t, head, sizeof head - 1);
    return 0;
}

/* Also after a failure: what came is a whole file. */
static int close_file(const struct ctl *ctl, struct trace *t)
{
    static const char tail[] = "\n]}\n";
    if (!t->file) {
        return 0;
    }
    put(t, tail, sizeof tail - 1);
    errno = 0;
    if ((t->path ? fclose(t->file) : fflush(t->file)) != 0 && t->error == 0) {
        t->error = errno != 0 ? errno : EIO;
    }
    return t->error == 0 ? 0
                         : ctl_fail(ctl, CTL_REFUSED, "cannot write the trace", "%s: %s",
                                    t->path ? t->path : "standard output", strerror(t->error));
}

static int report(struct ctl *ctl, const struct trace *t, const struct response *answer)
{
    int64_t events = 0, lost = 0;
    char text[160];
    if (!t->path && t->file) {
        return 0; /* the trace itself went there */
    }
    (void)json_int(json_get(answer->result, "events"), &events);
    (void)json_int(json_get(answer->result, "lost"), &lost);
    int n = snprintf(text, sizeof text, "%lld events", (long long)events);
    if (lost > 0 && n > 0 && (size_t)n < sizeof text) {
        (void)snprintf(text + n, sizeof text - (size_t)n, "; %lld records were lost",
                       (long long)lost);
    }
    return ctl->output->answer(ctl, answer->result, text);
}

int command_trace(struct ctl *ctl, int argc, char **argv)
{
    struct trace t = {.duration = NULL};
    struct response answer;
    int status = parse(ctl, &t, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status == 0) {
        status = open_file(ctl, &t);
    }
    if (status != 0) {
        return status;
    }
    status = stream(ctl, &t, &answer);
    int closed = close_file(ctl, &t);
    if (status == 0) {
        status = closed != 0 ? closed : report(ctl, &t, &answer);
        message_response_fini(&answer);
    }
    return status;
}
