/* edit: change a job that has not started. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "submission.h"
#include "wire/writer.h"

enum {
    OPT_QUEUE = 256,
    OPT_PRIORITY,
    OPT_AFTER,
    OPT_AT,
    OPT_DELAY,
    OPT_TIMEOUT,
    OPT_DEADLINE,
    OPT_NAME,
    OPT_LABEL,
    OPT_CLEAR
};

static const struct option long_options[] = {{"queue", required_argument, NULL, OPT_QUEUE},
                                             {"priority", required_argument, NULL, OPT_PRIORITY},
                                             {"after", required_argument, NULL, OPT_AFTER},
                                             {"at", required_argument, NULL, OPT_AT},
                                             {"delay", required_argument, NULL, OPT_DELAY},
                                             {"timeout", required_argument, NULL, OPT_TIMEOUT},
                                             {"deadline", required_argument, NULL, OPT_DEADLINE},
                                             {"name", required_argument, NULL, OPT_NAME},
                                             {"label", required_argument, NULL, OPT_LABEL},
                                             {"clear", required_argument, NULL, OPT_CLEAR},
                                             OPTIONS_COMMON,
                                             {NULL, 0, NULL, 0}};

/* Members are written as the options come; the daemon refuses what is named twice. Labels are one member: they have a
 * writer of their own. */
struct edit {
    struct buf set, labels;
    struct writer set_writer, label_writer;
    int count;
};

static int write_after(struct ctl *ctl, struct edit *e, const char *text)
{
    writer_member_array(&e->set_writer, "after");
    while (*text) {
        int64_t id;
        if (!submission_next_id(&text, &id)) {
            return options_usage(ctl, "--after needs ids, separated by commas");
        }
        writer_int(&e->set_writer, id);
    }
    writer_end_array(&e->set_writer);
    return 0;
}

static int write_clear(struct ctl *ctl, struct edit *e, const char *name)
{
    static const char *const members[] = {"queue",   "priority", "after",  "at",  "delay",
                                          "timeout", "deadline", "labels", "name"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (strcmp(members[i], name) == 0) {
            writer_member_null(&e->set_writer, name);
            return 0;
        }
    }
    return options_usage(ctl, "--clear does not know %s", name);
}

static int take_option(struct ctl *ctl, struct edit *e, int option)
{
    long number;
    if (option < OPT_QUEUE || option > OPT_CLEAR) {
        return options_common(ctl, option);
    }
    e->count++;
    switch (option) {
    case OPT_PRIORITY:
        if (!options_integer(optarg, -100, 100, &number)) {
            return options_usage(ctl, "--priority needs a number from -100 to 100");
        }
        writer_member_int(&e->set_writer, "priority", number);
        return 0;
    case OPT_AFTER: return write_after(ctl, e, optarg);
    case OPT_CLEAR: return write_clear(ctl, e, optarg);
    case OPT_LABEL: {
        size_t length = pairs_key_length(optarg);
        if (length == 0 || optarg[length] != '=') {
            return options_usage(ctl, "--label needs NAME=VALUE");
        }
        char *value = optarg + length + 1;
        optarg[length] = '\0';
        writer_member_string(&e->label_writer, optarg, value);
        optarg[length] = '=';
        return 0;
    }
    default:
        writer_member_string(&e->set_writer, long_options[option - OPT_QUEUE].name, optarg);
        return 0;
    }
}

static int parse(struct ctl *ctl, struct edit *e, int argc, char **argv, int64_t *id)
{
    int option, status = 0;
    writer_init(&e->set_writer, &e->set);
    writer_init(&e->label_writer, &e->labels);
    writer_object(&e->set_writer);
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        status = take_option(ctl, e, option);
    }
    if (status != 0) {
        return status;
    }
    if (e->labels.len > 0) {
        writer_member_object(&e->set_writer, "labels");
        buf_append(&e->set, e->labels.data, e->labels.len);
        writer_end_object(&e->set_writer);
    }
    writer_end_object(&e->set_writer);
    if (argc - optind != 1) {
        return options_usage(ctl, "exactly one job is needed");
    }
    if (!options_id(argv[optind], id)) {
        return options_usage(ctl, "\"%s\" is not a job id", argv[optind]);
    }
    return e->count > 0 ? 0 : options_usage(ctl, "nothing to change");
}

static int ask(struct ctl *ctl, const struct edit *e, int64_t id)
{
    struct writer w;
    struct response answer;
    char text[64];
    if (e->set.failed || e->labels.failed) {
        return ctl_out_of_memory(ctl);
    }
    int status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t request = client_begin(&ctl->client, &w, "edit");
    writer_object(&w);
    writer_member_int(&w, "id", id);
    writer_member_raw(&w, "set", e->set.data, e->set.len);
    writer_end_object(&w);
    client_end(&w);
    status = ctl_answer(ctl, "cannot edit the job", request, &answer);
    if (status == 0) {
        const char *state = json_string(json_get(answer.result, "state"));
        (void)snprintf(text, sizeof text, "%lld edited, now %s", (long long)id, state ? state : "?");
        status = ctl->output->answer(ctl, answer.result, text);
        message_response_fini(&answer);
    }
    return status;
}

int command_edit(struct ctl *ctl, int argc, char **argv)
{
    struct edit e = {.count = 0};
    int64_t id = 0;
    int status = parse(ctl, &e, argc, argv, &id);
    if (status == 0) {
        status = ask(ctl, &e, id);
    }
    buf_free(&e.set);
    buf_free(&e.labels);
    return status;
}
