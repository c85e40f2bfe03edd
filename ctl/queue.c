/* queue: list, set, pause, resume, reset, delete. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "output.h"
#include "wire/writer.h"

enum { OPT_PARALLEL = 256, OPT_RATE, OPT_WEIGHT, OPT_MOVE_TO };

struct verb {
    const char *name, *method;
    const char *done; /* "queue NAME is …" */
    int first, last;  /* options it takes; 0: none */
};

static const struct verb verbs[] = {
    {"set", "queue.set", "set", OPT_PARALLEL, OPT_WEIGHT},
    {"pause", "queue.pause", "paused: what runs goes on", 0, 0},
    {"resume", "queue.resume", "resumed", 0, 0},
    {"reset", "queue.reset", "as configured again", 0, 0},
    {"delete", "queue.delete", "deleted", OPT_MOVE_TO, OPT_MOVE_TO},
};

struct steering {
    const struct verb *verb; /* NULL: list */
    const char *queue;
    const char *move_to;
    long parallel, weight; /* −1, 0: not given */
    double rate;           /* negative: not given */
};

static const struct option long_options[] = {{"parallel", required_argument, NULL, OPT_PARALLEL},
                                             {"rate", required_argument, NULL, OPT_RATE},
                                             {"weight", required_argument, NULL, OPT_WEIGHT},
                                             {"move-to", required_argument, NULL, OPT_MOVE_TO},
                                             OPTIONS_COMMON,
                                             {NULL, 0, NULL, 0}};

static bool read_rate(const char *text, double *rate)
{
    char *end;
    if (strspn(text, "0123456789.") != strlen(text) || *text == '\0') {
        return false;
    }
    *rate = strtod(text, &end);
    return *end == '\0';
}

static int take_option(struct ctl *ctl, struct steering *r, int option)
{
    switch (option) {
    case OPT_PARALLEL:
        return options_integer(optarg, 0, 1000000, &r->parallel)
                   ? 0
                   : options_usage(ctl, "--parallel needs a number of jobs");
    case OPT_WEIGHT:
        return options_integer(optarg, 1, 1000000, &r->weight)
                   ? 0
                   : options_usage(ctl, "--weight needs a number from 1 on");
    case OPT_RATE:
        return read_rate(optarg, &r->rate)
                   ? 0
                   : options_usage(ctl, "--rate needs a number of starts per second");
    case OPT_MOVE_TO: r->move_to = optarg; return 0;
    default: return options_common(ctl, option);
    }
}

static int parse(struct ctl *ctl, struct steering *r, int argc, char **argv)
{
    int option, status = 0, given[4] = {0};
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        status = take_option(ctl, r, option);
        if (option >= OPT_PARALLEL && option <= OPT_MOVE_TO) {
            given[option - OPT_PARALLEL] = 1;
        }
    }
    if (status != 0) {
        return status;
    }
    const char *word = optind < argc ? argv[optind] : "";
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i].name) == 0) {
            r->verb = &verbs[i];
        }
    }
    if (!r->verb && strcmp(word, "list") != 0) {
        return options_usage(ctl, "needs list, set, pause, resume, reset or delete");
    }
    if (argc - optind != (r->verb ? 2 : 1)) {
        return options_usage(ctl, r->verb ? "%s needs the name of one queue" : "%s takes no names",
                             word);
    }
    for (int i = 0; i < 4; i++) {
        int value = OPT_PARALLEL + i;
        if (given[i] && !(r->verb && value >= r->verb->first && value <= r->verb->last)) {
            return options_usage(ctl, "--%s is not for %s", long_options[i].name, word);
        }
    }
    r->queue = r->verb ? argv[optind + 1] : NULL;
    return 0;
}

static int ask(struct ctl *ctl, const struct steering *r, struct response *answer)
{
    char what[48];
    struct writer w;
    int status = ctl_connect(ctl);
    if (status != 0) {
        return status;
    }
    int64_t id = client_begin(&ctl->client, &w, r->verb->method);
    writer_object(&w);
    writer_member_string(&w, "name", r->queue);
    if (r->parallel >= 0) {
        writer_member_int(&w, "parallel", r->parallel);
    }
    if (r->rate >= 0) {
        writer_member_double(&w, "rate", r->rate);
    }
    if (r->weight > 0) {
        writer_member_int(&w, "weight", r->weight);
    }
    if (r->move_to) {
        writer_member_string(&w, "move_to", r->move_to);
    }
    writer_end_object(&w);
    client_end(&w);
    (void)snprintf(what, sizeof what, "cannot %s the queue", r->verb->name);
    return ctl_answer(ctl, what, id, answer);
}

static int show(struct ctl *ctl, const struct steering *r, const struct response *answer)
{
    int64_t moved = 0;
    struct buf text = BUF_INIT;
    if (!r->verb) {
        return ctl->output->queues(ctl, json_get(answer->result, "queues"));
    }
    buf_printf(&text, "queue %s: %s", r->queue, r->verb->done);
    if (json_int(json_get(answer->result, "moved"), &moved) && moved > 0) {
        buf_printf(&text, ", %lld jobs moved to %s", (long long)moved, r->move_to);
    }
    int status = ctl->output->answer(ctl, answer->result, buf_text(&text));
    buf_free(&text);
    return status;
}

int command_queue(struct ctl *ctl, int argc, char **argv)
{
    struct steering r = {.parallel = -1, .rate = -1};
    struct response answer;
    int status = parse(ctl, &r, argc, argv);
    if (status == 0 && r.verb) {
        status = ask(ctl, &r, &answer);
    } else if (status == 0) {
        status = ctl_call(ctl, "cannot list the queues", "queues", &answer);
    }
    if (status == 0) {
        status = show(ctl, &r, &answer);
        message_response_fini(&answer);
    }
    return status;
}
