/* list, status, wait, cancel, retry, rm, signal. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "follow.h"
#include "options.h"
#include "output.h"
#include "wire/writer.h"

/* --- list ------------------------------------------------------------------------------------------ */

enum { OPT_STATE = 256, OPT_QUEUE, OPT_LABEL, OPT_KIND, OPT_NAME, OPT_LIMIT, OPT_BEFORE };

static const struct option list_options[] = {
    {"state", required_argument, NULL, OPT_STATE},
    {"queue", required_argument, NULL, OPT_QUEUE},
    {"label", required_argument, NULL, OPT_LABEL},
    {"kind", required_argument, NULL, OPT_KIND},
    {"name", required_argument, NULL, OPT_NAME},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"before", required_argument, NULL, OPT_BEFORE},
    OPTIONS_COMMON,
    {NULL, 0, NULL, 0},
};

/* Labels and states are kept apart as objects and arrays of their own: options may alternate. */
struct list_filter {
    struct buf states;
    struct buf labels;
    struct writer state_writer;
    struct writer label_writer;
    const char *queue;
    const char *kind;
    const char *name;
    long limit;
    int64_t before;
};

static void add_states(struct list_filter *f, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        if (n > 0) {
            writer_string_n(&f->state_writer, text, n);
        }
        text += n + (text[n] == ',');
    }
}

static int list_option(struct ctl *ctl, struct list_filter *f, int option)
{
    char *value;
    switch (option) {
    case OPT_STATE: add_states(f, optarg); return 0;
    case OPT_QUEUE: f->queue = optarg; return 0;
    case OPT_KIND: f->kind = optarg; return 0;
    case OPT_NAME: f->name = optarg; return 0;
    case OPT_LABEL:
        value = strchr(optarg, '=');
        if (!value || value == optarg) {
            return options_usage(ctl, "\"%s\" is not KEY=VALUE", optarg);
        }
        *value = '\0';
        writer_member_string(&f->label_writer, optarg, value + 1);
        return 0;
    case OPT_LIMIT:
        return options_integer(optarg, 1, 1000000, &f->limit)
                   ? 0
                   : options_usage(ctl, "--limit must be a number from 1 on");
    case OPT_BEFORE:
        return options_id(optarg, &f->before) ? 0 : options_usage(ctl, "--before needs a job id");
    default: return options_common(ctl, option);
    }
}

static void write_filter(struct list_filter *f, struct writer *w)
{
    writer_object(w);
    if (f->states.len > 0) {
        writer_member_array(w, "state");
        writer_raw(w, f->states.data, f->states.len);
        writer_end_array(w);
    }
    if (f->labels.len > 0) {
        writer_member_object(w, "label");
        writer_raw(w, f->labels.data, f->labels.len);
        writer_end_object(w);
    }
    if (f->queue) {
        writer_member_string(w, "queue", f->queue);
    }
    if (f->kind) {
        writer_member_string(w, "kind", f->kind);
    }
    if (f->name) {
        writer_member_string(w, "name", f->name);
    }
    if (f->limit > 0) {
        writer_member_int(w, "limit", f->limit);
    }
    if (f->before > 0) {
        writer_member_int(w, "before", f->before);
    }
    writer_end_object(w);
}

static int list(struct ctl *ctl, struct list_filter *f)
{
    struct writer w;
    struct response answer;
    int status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "list");
    write_filter(f, &w);
    client_end(&w);
    status = ctl_answer(ctl, "cannot list", request, &answer);
    if (status == 0) {
        status = ctl->output->list(ctl, json_get(answer.result, "jobs"),
                                   json_bool(json_get(answer.result, "more")));
        message_response_fini(&answer);
    }
    return status;
}

int command_list(struct ctl *ctl, int argc, char **argv)
{
    struct list_filter f = {.limit = 0};
    int option, status = 0;
    writer_init(&f.state_writer, &f.states);
    writer_init(&f.label_writer, &f.labels);
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, list_options, NULL)) != -1) {
        status = list_option(ctl, &f, option);
    }
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    if (status == 0 && (f.states.failed || f.labels.failed)) {
        status = ctl_out_of_memory(ctl);
    }
    if (status == 0) {
        status = list(ctl, &f);
    }
    buf_free(&f.states);
    buf_free(&f.labels);
    return status;
}

/* --- status, and verbs over ids ------------------------------------------------------------------------------ */

/* Common options, then ids. */
static int parse_ids(struct ctl *ctl, int argc, char **argv, int64_t **ids, size_t *count)
{
    *ids = NULL;
    *count = 0;
    int status = options_only_common(ctl, argc, argv);
    return status != 0 ? status : options_ids(ctl, argc, argv, ids, count);
}

int command_status(struct ctl *ctl, int argc, char **argv)
{
    int64_t *ids;
    size_t count;
    int result = 0;
    bool first = true;
    int status = parse_ids(ctl, argc, argv, &ids, &count);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    /* One by one: the answers are printed in order, and a page of text is for a few jobs. */
    for (size_t i = 0; status == 0 && i < count; i++) {
        struct response answer;
        char what[48];
        struct writer w;
        (void)snprintf(what, sizeof what, "job %lld", (long long)ids[i]);
        int64_t request = client_begin(&ctl->client, &w, "get");
        writer_object(&w);
        writer_member_int(&w, "id", ids[i]);
        writer_end_object(&w);
        client_end(&w);
        int one = ctl_answer(ctl, what, request, &answer);
        if (one == 0) {
            status = ctl->output->job(ctl, answer.result, first);
            first = false;
            message_response_fini(&answer);
        } else if (one == CTL_UNREACHABLE) {
            status = one;
        } else if (result == 0) {
            result = one; /* the others are still worth showing */
        }
    }
    free(ids);
    return status != 0 ? status : result;
}

/* One request for all ids; some may be done and others refused. */
static int change(struct ctl *ctl, int argc, char **argv, const struct change *verb)
{
    int64_t *ids;
    size_t count;
    struct writer w;
    struct response answer;
    char what[32];
    int status = parse_ids(ctl, argc, argv, &ids, &count);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status != 0) {
        free(ids);
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, verb->method);
    writer_object(&w);
    writer_member_array(&w, "ids");
    for (size_t i = 0; i < count; i++) {
        writer_int(&w, ids[i]);
    }
    writer_end_array(&w);
    writer_end_object(&w);
    client_end(&w);
    free(ids);
    (void)snprintf(what, sizeof what, "cannot %s", verb->method);
    status = ctl_answer(ctl, what, request, &answer);
    if (status == 0) {
        status = ctl->output->changed(ctl, answer.result, verb);
        bool all = json_count(json_get(answer.result, verb->refused)) == 0 &&
                   json_count(json_get(answer.result, "not_found")) == 0;
        message_response_fini(&answer);
        status = status == 0 && !all ? CTL_REFUSED : status;
    }
    return status;
}

int command_cancel(struct ctl *ctl, int argc, char **argv)
{
    static const struct change verb = {"cancel", "canceled", "not_cancelable", "canceled",
                                       "has already ended"};
    return change(ctl, argc, argv, &verb);
}

int command_retry(struct ctl *ctl, int argc, char **argv)
{
    static const struct change verb = {"retry", "retried", "not_retryable", "queued again",
                                       "succeeded or has not ended"};
    return change(ctl, argc, argv, &verb);
}

int command_rm(struct ctl *ctl, int argc, char **argv)
{
    static const struct change verb = {"remove", "removed", "not_removable", "removed",
                                       "has not ended"};
    return change(ctl, argc, argv, &verb);
}

int command_signal(struct ctl *ctl, int argc, char **argv)
{
    struct writer w;
    struct response answer;
    int64_t id;
    char text[96];
    int status = options_only_common(ctl, argc, argv);
    if (status != 0) {
        return status;
    }
    if (argc - optind != 2 || !options_id(argv[optind], &id)) {
        return options_usage(ctl, "a job id and the name of a signal are needed");
    }
    const char *name = argv[optind + 1];
    status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "signal");
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_member_string(&w, "signal", name);
    writer_end_object(&w);
    client_end(&w);
    status = ctl_answer(ctl, "cannot signal", request, &answer);
    if (status == 0) {
        (void)snprintf(text, sizeof text, "%lld signaled", (long long)id);
        status = ctl->output->answer(ctl, answer.result, text);
        message_response_fini(&answer);
    }
    return status;
}

/* --- wait ------------------------------------------------------------------------------------------- */

enum { OPT_TIMEOUT = 256, OPT_WAIT_ANY };

int command_wait(struct ctl *ctl, int argc, char **argv)
{
    static const struct option long_options[] = {{"timeout", required_argument, NULL, OPT_TIMEOUT},
                                                 {"any", no_argument, NULL, OPT_WAIT_ANY},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    const char *timeout = NULL, *mode = NULL;
    int64_t *ids;
    size_t count;
    int option, status = 0;
    ctl->speaks_for_job = true;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        switch (option) {
        case OPT_TIMEOUT: timeout = optarg; break;
        case OPT_WAIT_ANY: mode = "any"; break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status != 0) {
        return status;
    }
    status = options_ids(ctl, argc, argv, &ids, &count);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status == 0 && mode && count > 1000) {
        status = options_usage(ctl, "--any takes at most 1000 jobs");
    }
    if (status == 0) {
        status = follow_wait(ctl, ids, count, mode, timeout);
    }
    free(ids);
    return status;
}
