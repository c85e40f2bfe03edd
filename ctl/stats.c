/* stats: live metrics, once or again and again. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "output.h"
#include "show.h"
#include "wire/units.h"

enum { OPT_WATCH = 256, OPT_INTERVAL, OPT_COUNT };

struct watch {
    bool on;
    int64_t interval_ns;
    long count; /* blocks to show; 0: for ever */
};

static int parse(struct ctl *ctl, struct watch *watch, int argc, char **argv)
{
    static const struct option long_options[] = {{"watch", no_argument, NULL, OPT_WATCH},
                                                 {"interval", required_argument, NULL, OPT_INTERVAL},
                                                 {"count", required_argument, NULL, OPT_COUNT},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    int option, status = 0;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        switch (option) {
        case OPT_WATCH: watch->on = true; break;
        case OPT_INTERVAL:
            watch->on = true;
            if (units_parse_duration(optarg, &watch->interval_ns) < 0 || watch->interval_ns == 0) {
                status = options_usage(ctl, "--interval needs a duration such as 500ms");
            }
            break;
        case OPT_COUNT:
            watch->on = true;
            if (!options_integer(optarg, 1, 1000000000, &watch->count)) {
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

static void pause_for(int64_t ns)
{
    struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

/* On a terminal each block replaces the last; elsewhere they follow each other. */
static void separate(const struct ctl *ctl, bool first)
{
    if (ctl->json) {
        return;
    }
    if (isatty(STDOUT_FILENO) == 1) {
        (void)fputs("\x1b[H\x1b[2J", stdout);
    } else if (!first) {
        (void)fputc('\n', stdout);
    }
}

int command_stats(struct ctl *ctl, int argc, char **argv)
{
    struct watch watch = {.on = false, .interval_ns = INT64_C(1000000000)};
    struct response before = {.root = NULL};
    int64_t then_us = 0;
    int status = parse(ctl, &watch, argc, argv);
    for (long shown = 0; status == 0;) {
        struct response answer;
        status = ctl_call(ctl, "cannot read the metrics", "stats", &answer);
        if (status != 0) {
            break;
        }
        int64_t now_us = show_now_us();
        if (watch.on) {
            separate(ctl, shown == 0);
        }
        status =
            ctl->output->stats(ctl, answer.result, before.result, (double)(now_us - then_us) / 1e6);
        message_response_fini(&before);
        before = answer;
        then_us = now_us;
        shown++;
        if (!watch.on || status != 0 || shown == watch.count) {
            break;
        }
        pause_for(watch.interval_ns);
    }
    message_response_fini(&before);
    return status;
}
