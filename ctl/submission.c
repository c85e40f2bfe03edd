/* The options of run and submit. The daemon judges values (durations, queues, arguments of a kind)
 * and says so with a path; here only what cannot be meant together is refused. The specification
 * is written by submission_spec.c. */
#include "submission.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

const char submission_details[] =
    "  --queue Q          named queue\n"
    "  --priority N       -100 to 100, higher first\n"
    "  --delay D          run after a duration (5s, 1h30m)\n"
    "  --at TIME          run at a time (RFC 3339)\n"
    "  --after ID,ID      run when these have succeeded\n"
    "  --timeout D        limit on one attempt\n"
    "  --deadline D|TIME  limit on the whole job\n"
    "  --retry N          up to N more runs when it fails or times out\n"
    "  --backoff D        wait before the first retry\n"
    "  --key KEY          idempotency key: the same job is not made twice\n"
    "  --label K=V        may be repeated\n"
    "  --name NAME        for people\n"
    "  --cwd DIR          working directory (the present one)\n"
    "  --env K=V          may be repeated\n"
    "  --clean-env        do not send the environment\n"
    "  --stdin FILE       standard input of the command, at most 64 KiB\n"
    "  --kind K           another kind of job than a command\n"
    "  --arg K=V          argument of the kind; V is JSON or plain text; may be repeated\n";

enum {
    OPT_QUEUE = 256,
    OPT_PRIORITY,
    OPT_DELAY,
    OPT_AT,
    OPT_AFTER,
    OPT_TIMEOUT,
    OPT_DEADLINE,
    OPT_RETRY,
    OPT_BACKOFF,
    OPT_KEY,
    OPT_LABEL,
    OPT_NAME,
    OPT_CWD,
    OPT_ENV,
    OPT_CLEAN_ENV,
    OPT_STDIN,
    OPT_KIND,
    OPT_ARG,
    OPT_WAIT,
    OPT_DETACH,
    OPT_SPEC,
};

static const struct option long_options[] = {
    {"queue", required_argument, NULL, OPT_QUEUE},
    {"priority", required_argument, NULL, OPT_PRIORITY},
    {"delay", required_argument, NULL, OPT_DELAY},
    {"at", required_argument, NULL, OPT_AT},
    {"after", required_argument, NULL, OPT_AFTER},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"deadline", required_argument, NULL, OPT_DEADLINE},
    {"retry", required_argument, NULL, OPT_RETRY},
    {"backoff", required_argument, NULL, OPT_BACKOFF},
    {"key", required_argument, NULL, OPT_KEY},
    {"label", required_argument, NULL, OPT_LABEL},
    {"name", required_argument, NULL, OPT_NAME},
    {"cwd", required_argument, NULL, OPT_CWD},
    {"env", required_argument, NULL, OPT_ENV},
    {"clean-env", no_argument, NULL, OPT_CLEAN_ENV},
    {"stdin", required_argument, NULL, OPT_STDIN},
    {"kind", required_argument, NULL, OPT_KIND},
    {"arg", required_argument, NULL, OPT_ARG},
    {"wait", no_argument, NULL, OPT_WAIT},
    {"detach", no_argument, NULL, OPT_DETACH},
    {"spec", required_argument, NULL, OPT_SPEC},
    OPTIONS_COMMON,
    {NULL, 0, NULL, 0},
};

size_t pairs_key_length(const char *pair)
{
    return (size_t)(strchrnul(pair, '=') - pair);
}

bool pairs_overridden(const struct pairs *pairs, size_t i)
{
    size_t n = pairs_key_length(pairs->items[i]);
    for (size_t k = i + 1; k < pairs->count; k++) {
        if (pairs_key_length(pairs->items[k]) == n &&
            memcmp(pairs->items[k], pairs->items[i], n) == 0) {
            return true;
        }
    }
    return false;
}

bool submission_next_id(const char **text, int64_t *id)
{
    char copy[24];
    size_t n = strcspn(*text, ",");
    if (n >= sizeof copy) {
        return false;
    }
    memcpy(copy, *text, n);
    copy[n] = '\0';
    *text += n + ((*text)[n] == ',');
    return options_id(copy, id);
}

static void pairs_add(struct pairs *pairs, char *text)
{
    pairs->items[pairs->count++] = text;
}

static const char **text_option(struct submission *s, int option)
{
    switch (option) {
    case OPT_QUEUE: return &s->queue;
    case OPT_PRIORITY: return &s->priority;
    case OPT_DELAY: return &s->delay;
    case OPT_AT: return &s->at;
    case OPT_AFTER: return &s->after;
    case OPT_TIMEOUT: return &s->timeout;
    case OPT_DEADLINE: return &s->deadline;
    case OPT_RETRY: return &s->retry;
    case OPT_BACKOFF: return &s->backoff;
    case OPT_KEY: return &s->key;
    case OPT_NAME: return &s->name;
    case OPT_CWD: return &s->cwd;
    case OPT_STDIN: return &s->stdin_file;
    case OPT_KIND: return &s->kind;
    case OPT_SPEC: return &s->spec_file;
    default: return NULL;
    }
}

static int take_option(struct ctl *ctl, struct submission *s, int option, char *value)
{
    const char **text = text_option(s, option);
    if (text) {
        *text = value;
        return 0;
    }
    struct pairs *pairs = option == OPT_LABEL ? &s->labels
                          : option == OPT_ENV ? &s->env
                          : option == OPT_ARG ? &s->args
                                              : NULL;
    if (pairs) {
        if (!strchr(value, '=') || *value == '=') {
            return options_usage(ctl, "\"%s\" is not KEY=VALUE", value);
        }
        pairs_add(pairs, value);
        return 0;
    }
    switch (option) {
    case OPT_CLEAN_ENV: s->clean_env = true; break;
    case OPT_WAIT:
        s->wait = true;
        ctl->speaks_for_job = true;
        break;
    case OPT_DETACH: s->detach = true; break;
    default: return options_common(ctl, option);
    }
    return 0;
}

static bool ids_are_valid(const char *text)
{
    int64_t id;
    bool valid = *text != '\0';
    while (valid && *text) {
        valid = submission_next_id(&text, &id);
    }
    return valid;
}

/* What cannot be meant together. */
static int check(struct ctl *ctl, const struct submission *s, bool run)
{
    long number;
    bool exec = !s->kind || strcmp(s->kind, "exec") == 0;
    if (run && s->wait) {
        return options_usage(ctl, "--wait is what run does");
    }
    if (run && s->spec_file) {
        return options_usage(ctl, "--spec belongs to submit");
    }
    if (!run && s->detach) {
        return options_usage(ctl, "--detach belongs to run");
    }
    if (s->spec_file) {
        bool alone = !s->queue && !s->priority && !s->delay && !s->at && !s->after && !s->timeout &&
                     !s->deadline && !s->retry && !s->backoff && !s->key && !s->name && !s->cwd &&
                     !s->stdin_file && !s->kind && !s->labels.count && !s->env.count &&
                     !s->args.count && s->argc == 0;
        return alone ? 0 : options_usage(ctl, "--spec says everything: only --wait goes with it");
    }
    if (s->argc == 0 && exec && s->args.count == 0) {
        return options_usage(ctl, "no command given");
    }
    if (s->argc > 0 && !exec) {
        return options_usage(ctl, "a command and --kind %s exclude each other", s->kind);
    }
    if (!exec && (s->cwd || s->env.count || s->stdin_file)) {
        return options_usage(ctl, "--cwd, --env and --stdin belong to commands");
    }
    if (s->backoff && !s->retry) {
        return options_usage(ctl, "--backoff needs --retry");
    }
    if (s->after && !ids_are_valid(s->after)) {
        return options_usage(ctl, "--after needs job ids: ID,ID");
    }
    if (s->priority && !options_integer(s->priority, -100, 100, &number)) {
        return options_usage(ctl, "--priority must be a number from -100 to 100");
    }
    if (s->retry && !options_integer(s->retry, 0, 1000000, &number)) {
        return options_usage(ctl, "--retry must be a number");
    }
    return 0;
}

int submission_parse(struct ctl *ctl, struct submission *s, int argc, char **argv, bool run)
{
    int option, status;
    size_t room = (size_t)argc * sizeof(char *);
    *s = (struct submission){.detach = false};
    s->labels.items = malloc(room);
    s->env.items = malloc(room);
    s->args.items = malloc(room);
    if (!s->labels.items || !s->env.items || !s->args.items) {
        return ctl_out_of_memory(ctl);
    }
    options_start(argv);
    while ((option = getopt_long(argc, argv, OPTIONS_STOP, long_options, NULL)) != -1) {
        status = take_option(ctl, s, option, optarg);
        if (status != 0) {
            return status;
        }
    }
    s->argv = argv + optind;
    s->argc = argc - optind;
    return check(ctl, s, run);
}

void submission_fini(struct submission *s)
{
    free(s->labels.items);
    free(s->env.items);
    free(s->args.items);
    *s = (struct submission){.detach = false};
}
