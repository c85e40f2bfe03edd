/* coschedctl: global options, then one command. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "options.h"
#include "output.h"

static void show_help(void)
{
    (void)printf("Usage: coschedctl [--socket PATH] [--system|--user] [--json] [--no-color] "
                 "COMMAND ...\n\nCommands:\n");
    for (const struct command *c = command_table; c->name; c++) {
        (void)printf("  %-9s %s\n", c->name, c->summary);
    }
    (void)printf("\n\"coschedctl COMMAND --help\" shows the options of a command.\n");
}

/* The global options in front of the command. 0, an exit status, or OPTIONS_HELP_SHOWN. */
static int parse_global(struct ctl *ctl, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"version", no_argument, NULL, OPTION_VERSION},
        OPTIONS_COMMON,
        {NULL, 0, NULL, 0},
    };
    int option;
    options_start(argv);
    while ((option = getopt_long(argc, argv, OPTIONS_STOP "h", long_options, NULL)) != -1) {
        if (option == OPTION_HELP || option == 'h') {
            show_help();
            return OPTIONS_HELP_SHOWN;
        }
        if (option == OPTION_VERSION) {
            (void)puts("coschedctl " COSCHED_VERSION_TEXT);
            return OPTIONS_HELP_SHOWN;
        }
        int status = options_common(ctl, option);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int run(struct ctl *ctl, int argc, char **argv)
{
    int status = parse_global(ctl, argc, argv);
    if (status != 0) {
        return status;
    }
    if (optind >= argc) {
        return options_usage(ctl, "no command given");
    }
    const struct command *command = command_find(argv[optind]);
    if (!command) {
        return options_usage(ctl, "unknown command \"%s\"", argv[optind]);
    }
    ctl->command = command->name;
    int first = optind;
    return command->run(ctl, argc - first, argv + first);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.command = ""};
    (void)setlocale(LC_CTYPE, ""); /* widths of characters in tables; numbers stay as they are */
    client_init(&ctl.client);
    int status = run(&ctl, argc, argv);
    client_close(&ctl.client);
    /* A full disk behind a pipe or a file shows at the end: it must not look like success. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        status = ctl_fail(&ctl, CTL_REFUSED, "cannot write", "%s", strerror(errno));
    }
    return status == OPTIONS_HELP_SHOWN ? EXIT_SUCCESS : status;
}
