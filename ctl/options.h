/* Options: the global ones, which are also understood behind a command, and their mistakes. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"

/* getopt_long's short options: "+" stops at the first argument (what follows is a command of the
 * user's), OPTIONS_ANY lets options stand behind arguments; ":" tells a missing value apart. */
#define OPTIONS_STOP "+:"
#define OPTIONS_ANY  ":"

enum {
    OPTION_SOCKET = 1000,
    OPTION_SYSTEM,
    OPTION_USER,
    OPTION_JSON,
    OPTION_NO_COLOR,
    OPTION_HELP,
    OPTION_VERSION,
};

#define OPTIONS_COMMON                                                                              \
    {"socket", required_argument, NULL, OPTION_SOCKET},                                             \
        {"system", no_argument, NULL, OPTION_SYSTEM}, {"user", no_argument, NULL, OPTION_USER},     \
        {"json", no_argument, NULL, OPTION_JSON}, {"no-color", no_argument, NULL, OPTION_NO_COLOR}, \
    {                                                                                               \
        "help", no_argument, NULL, OPTION_HELP                                                      \
    }

#define OPTIONS_HELP_SHOWN (-1)

/* Before each getopt_long loop: it has global state. */
void options_start(char **argv);
/* An option that the command does not know itself: a common one, or a mistake. 0, an exit status
 * after a message, or OPTIONS_HELP_SHOWN: end with success. */
int options_common(struct ctl *ctl, int option);
/* Prints the mistake and how to get help. The exit status. */
int options_usage(const struct ctl *ctl, const char *why, ...) __attribute__((format(printf, 2, 3)));

bool options_integer(const char *text, long min, long max, long *value);
/* A job id: 1 … 2^53 − 1. */
bool options_id(const char *text, int64_t *id);
/* The arguments from argv[optind] on as ids, at least one. 0, or an exit status. *ids is owned by
 * the caller, also after a failure (NULL then). */
int options_ids(struct ctl *ctl, int argc, char **argv, int64_t **ids, size_t *count);
/* The loop of commands that have arguments but no options of their own. 0 or an exit status. */
int options_only_common(struct ctl *ctl, int argc, char **argv);
/* For commands without options or arguments of their own. 0 or an exit status. */
int options_none(struct ctl *ctl, int argc, char **argv);

#endif
