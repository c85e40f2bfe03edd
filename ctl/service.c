/* Commands about the daemon itself: kinds, metrics, ping, reload, drain, shutdown,
 * version. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "output.h"
#include "show.h"
#include "terminal.h"

static int64_t monotonic_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int command_kinds(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status == 0) {
        status = ctl_call(ctl, "cannot list the kinds", "kinds", &answer);
    }
    if (status == 0) {
        status = ctl->output->kinds(ctl, answer.result);
        message_response_fini(&answer);
    }
    return status;
}

/* The page as it is: names and numbers of the daemon's own, made for a pipe. */
int command_metrics(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status == 0) {
        status = ctl_call(ctl, "cannot read the metrics", "metrics", &answer);
    }
    if (status == 0) {
        struct buf text = BUF_INIT;
        const char *page = json_string(json_get(answer.result, "text"));
        buf_puts(&text, page ? page : "");
        buf_truncate(&text,
                     text.len - (text.len > 0)); /* it ends with a line end, and so do answers */
        status = ctl->output->answer(ctl, answer.result, buf_text(&text));
        buf_free(&text);
        message_response_fini(&answer);
    }
    return status;
}

int command_ping(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    int64_t begin = monotonic_us();
    if (status == 0) {
        status = ctl_call(ctl, "cannot ping", "ping", &answer);
    }
    if (status == 0) {
        struct buf text = BUF_INIT;
        buf_literal(&text, "pong from ");
        terminal_clean(&text, ctl->client.path, strlen(ctl->client.path));
        buf_literal(&text, " in ");
        show_duration_us(&text, (double)(monotonic_us() - begin));
        status = ctl->output->answer(ctl, answer.result, buf_text(&text));
        buf_free(&text);
        message_response_fini(&answer);
    }
    return status;
}

int command_reload(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status == 0) {
        status = ctl_call(ctl, "cannot reload", "reload", &answer);
    }
    if (status == 0) {
        struct buf text = BUF_INIT;
        const struct json *restart = json_get(answer.result, "needs_restart");
        buf_puts(&text, json_first(restart) ? "reloaded; a restart is needed for" : "reloaded");
        for (const struct json *key = json_first(restart); key; key = json_next(key)) {
            buf_putc(&text, ' ');
            show_value(&text, NULL, key);
        }
        status = ctl->output->answer(ctl, answer.result, buf_text(&text));
        buf_free(&text);
        message_response_fini(&answer);
    }
    return status;
}

int command_drain(struct ctl *ctl, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"undo", no_argument, NULL, 'u'}, OPTIONS_COMMON, {NULL, 0, NULL, 0}};
    struct response answer;
    struct writer w;
    bool undo = false;
    int option, status = 0;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        undo |= option == 'u';
        status = option == 'u' ? 0 : options_common(ctl, option);
    }
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "drain");
    writer_object(&w);
    if (undo) {
        writer_member_bool(&w, "undo", true);
    }
    writer_end_object(&w);
    client_end(&w);
    status = ctl_answer(ctl, "cannot drain", request, &answer);
    if (status == 0) {
        bool drained = json_bool(json_get(answer.result, "drained"));
        status = ctl->output->answer(ctl, answer.result,
                                     drained ? "drained: nothing runs" : "accepting jobs");
        message_response_fini(&answer);
    }
    return status;
}

int command_shutdown(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status == 0) {
        status = ctl_call(ctl, "cannot shut down", "shutdown", &answer);
    }
    if (status == 0) {
        status = ctl->output->answer(ctl, answer.result, "shutting down");
        message_response_fini(&answer);
    }
    return status;
}

/* Our version, and the daemon's where one answers: that none does is no failure here. */
int command_version(struct ctl *ctl, int argc, char **argv)
{
    struct response answer;
    int status = options_none(ctl, argc, argv);
    if (status != 0) {
        return status;
    }
    if (!ctl->json) {
        (void)printf("coschedctl " COSCHED_VERSION_TEXT ", protocol %d\n", MESSAGE_PROTOCOL);
        (void)fflush(stdout);
    }
    status = ctl_call(ctl, "cannot greet the daemon", "hello", &answer);
    if (status != 0) {
        return ctl->json ? status : 0;
    }
    struct buf text = BUF_INIT;
    buf_literal(&text, "coschedd ");
    show_value(&text, NULL, json_get(answer.result, "version"));
    buf_literal(&text, ", protocol ");
    show_value(&text, NULL, json_get(answer.result, "protocol"));
    buf_literal(&text, ", at ");
    terminal_clean(&text, ctl->client.path, strlen(ctl->client.path));
    status = ctl->output->answer(ctl, answer.result, buf_text(&text));
    buf_free(&text);
    message_response_fini(&answer);
    return status;
}
