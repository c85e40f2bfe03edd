/* Options of coschedctl: one getopt_long loop per command, the common part here. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **loop_argv; /* of the present getopt_long loop, to name what it refuses */

void options_start(char **argv)
{
    loop_argv = argv;
    optind = 0; /* glibc: begin again, and forget the state of an earlier loop */
    opterr = 0;
}

int options_usage(const struct ctl *ctl, const char *why, ...)
{
    va_list args;
    char text[400];
    va_start(args, why);
    (void)vsnprintf(text, sizeof text, why, args);
    va_end(args);
    const char *what = *ctl->command ? ctl->command : "command line";
    int status = ctl_fail(ctl, CTL_USAGE, what, "%s", text);
    (void)fprintf(stderr, "Try: coschedctl %s%s--help\n", ctl->command, *ctl->command ? " " : "");
    return status;
}

static void show_help(const struct ctl *ctl)
{
    const struct command *command = command_find(ctl->command);
    if (!command) {
        return;
    }
    (void)printf("Usage: coschedctl [--json] %s %s\n%s.\n", command->name, command->arguments,
                 command->summary);
    if (command->details) {
        (void)printf("\n%s", command->details);
    }
}

int options_common(struct ctl *ctl, int option)
{
    switch (option) {
    case OPTION_SOCKET: ctl->socket = optarg; break;
    case OPTION_SYSTEM: ctl->system = true; break;
    case OPTION_USER: ctl->user = true; break;
    case OPTION_JSON: ctl->json = true; break;
    case OPTION_NO_COLOR: ctl->no_color = true; break;
    case OPTION_HELP: show_help(ctl); return OPTIONS_HELP_SHOWN;
    case ':': return options_usage(ctl, "%s needs a value", loop_argv[optind - 1]);
    default:
        if (optopt > ' ' && optopt < 127) {
            return options_usage(ctl, "unknown option -%c", optopt);
        }
        return options_usage(ctl, "unknown option %s", loop_argv[optind - 1]);
    }
    if (ctl->system && ctl->user) {
        return options_usage(ctl, "--system and --user exclude each other");
    }
    return 0;
}

bool options_integer(const char *text, long min, long max, long *value)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end || number < min || number > max || *text == ' ' ||
        *text == '+') {
        return false;
    }
    *value = number;
    return true;
}

bool options_id(const char *text, int64_t *id)
{
    int64_t value = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') {
            return false;
        }
        value = value * 10 + (*p - '0');
        if (value > JSON_INT_MAX) {
            return false;
        }
    }
    *id = value;
    return value > 0;
}

int options_ids(struct ctl *ctl, int argc, char **argv, int64_t **ids, size_t *count)
{
    *ids = NULL;
    *count = 0;
    if (optind >= argc) {
        return options_usage(ctl, "no job given");
    }
    int64_t *list = malloc((size_t)(argc - optind) * sizeof *list);
    if (!list) {
        return ctl_out_of_memory(ctl);
    }
    for (int i = optind; i < argc; i++) {
        if (!options_id(argv[i], &list[*count])) {
            free(list);
            return options_usage(ctl, "\"%s\" is not a job id", argv[i]);
        }
        ++*count;
    }
    *ids = list;
    return 0;
}

int options_only_common(struct ctl *ctl, int argc, char **argv)
{
    static const struct option long_options[] = {OPTIONS_COMMON, {NULL, 0, NULL, 0}};
    int option;
    options_start(argv);
    while ((option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        int status = options_common(ctl, option);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int options_none(struct ctl *ctl, int argc, char **argv)
{
    int status = options_only_common(ctl, argc, argv);
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    return status;
}
