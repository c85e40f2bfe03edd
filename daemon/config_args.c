/* config_args.c - the command line of coschedd, and where things lie: CONTRACT §1.
 *
 * A system instance lives in /etc, /run and /var/lib (or the folder that systemd made: $STATE_DIRECTORY), a user
 * instance in the XDG folders. What the command line names wins over both.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "wire/buf.h"

#ifndef COSCHED_VERSION_TEXT
#define COSCHED_VERSION_TEXT "0.1.0"
#endif

enum option_code {
    OPT_CONFIG = 1,
    OPT_SOCKET,
    OPT_STATE,
    OPT_USER,
    OPT_WORKERS,
    OPT_SET,
    OPT_CHECK,
    OPT_LEVEL,
    OPT_VERSION,
    OPT_HELP
};

static const struct option options[] = {
    {"config", required_argument, NULL, OPT_CONFIG},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"state-dir", required_argument, NULL, OPT_STATE},
    {"user", no_argument, NULL, OPT_USER},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"set", required_argument, NULL, OPT_SET},
    {"check-config", no_argument, NULL, OPT_CHECK},
    {"log-level", required_argument, NULL, OPT_LEVEL},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "usage: coschedd [OPTION]...\n"
    "Runs jobs submitted over a Unix socket; stays in the foreground and logs to stderr.\n"
    "\n"
    "  --config FILE              settings (default: coschedd.conf, see coschedd(8))\n"
    "  --socket PATH              where to listen\n"
    "  --state-dir DIR            where jobs and their output are kept\n"
    "  --user                     run as this user's own instance, with XDG folders\n"
    "  --workers N                worker threads, 0 to 64, or auto\n"
    "  --set SECTION.KEY=VALUE    one setting; may be repeated\n"
    "  --check-config             check the settings and exit\n"
    "  --log-level LEVEL          error, warning, info or debug\n"
    "  --version, --help\n"
    "\n"
    "Exit status: 0, 70 internal error, 75 another daemon holds the state or the socket,\n"
    "77 root or permission, 78 configuration.\n";

static int replace(char **place, char *owned)
{
    if (!owned) {
        return -ENOMEM;
    }
    free(*place);
    *place = owned;
    return 0;
}

static char *joined(const char *folder, const char *tail)
{
    struct buf path = BUF_INIT;
    buf_puts(&path, folder);
    buf_puts(&path, tail);
    return buf_take(&path);
}

/* --- paths ------------------------------------------------------------------------------------------- */

/* $variable/tail, or $HOME/fallback/tail. Relative values are ignored, as the XDG specification says. */
static char *xdg_path(const char *variable, const char *fallback, const char *tail)
{
    const char *folder = getenv(variable);
    if (folder && folder[0] == '/') {
        return joined(folder, tail);
    }
    const char *home = getenv("HOME");
    if (!fallback || !home || home[0] != '/') {
        return NULL;
    }
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s%s", home, fallback, tail);
    return buf_take(&path);
}

static int missing(FILE *err, const char *what, const char *variable, const char *option)
{
    fprintf(err, "coschedd: %s: %s is not set; give %s\n", what, variable, option);
    return -EINVAL;
}

static int set_user_paths(struct config *config, FILE *err)
{
    if (!config->config_path) {
        config->config_path = xdg_path("XDG_CONFIG_HOME", ".config", "/cosched/coschedd.conf");
    }
    if (!config->config_path) {
        return missing(err, "configuration", "HOME", "--config FILE");
    }
    if (!config->socket_path) {
        config->socket_path = xdg_path("XDG_RUNTIME_DIR", NULL, "/cosched/cosched.sock");
    }
    if (!config->socket_path) {
        return missing(err, "socket", "XDG_RUNTIME_DIR", "--socket PATH");
    }
    if (!config->state_dir) {
        config->state_dir = xdg_path("XDG_STATE_HOME", ".local/state", "/cosched");
    }
    if (!config->state_dir) {
        return missing(err, "state folder", "HOME", "--state-dir DIR");
    }
    return 0;
}

/* The first of the folders that the manager made; it joins several with colons. */
static char *managed_state_dir(void)
{
    const char *folders = getenv("STATE_DIRECTORY");
    return folders && folders[0] == '/' ? strndup(folders, strcspn(folders, ":")) : NULL;
}

static int set_paths(struct config *config, FILE *err)
{
    if (!config->state_dir) {
        config->state_dir = managed_state_dir();
    }
    if (config->user_instance) {
        return set_user_paths(config, err);
    }
    if (!config->config_path) {
        config->config_path = strdup("/etc/cosched/coschedd.conf");
    }
    if (!config->socket_path) {
        config->socket_path = strdup("/run/cosched/cosched.sock");
    }
    if (!config->state_dir) {
        config->state_dir = strdup("/var/lib/cosched");
    }
    return config->config_path && config->socket_path && config->state_dir ? 0 : -ENOMEM;
}

/* --- files ------------------------------------------------------------------------------------------- */

static int read_files(struct config *config, FILE *err)
{
    int rc = config_read_file(config, config->config_path, err);
    if (rc < 0 && rc != -EINVAL && (rc != -ENOENT || config->config_given)) {
        fprintf(err, "coschedd: %s: %s\n", config->config_path, strerror(-rc));
        return -EINVAL;
    }
    int result = rc == -EINVAL ? -EINVAL : 0;
    const char *slash = strrchr(config->config_path, '/');
    size_t length = slash ? (size_t)(slash - config->config_path) + 1 : 0;
    struct buf folder = BUF_INIT;
    buf_append(&folder, config->config_path, length);
    buf_puts(&folder, "conf.d");
    if (folder.failed || config_read_folder(config, folder.data, err) < 0) {
        result = -EINVAL;
    }
    buf_free(&folder);
    return result;
}

/* --- the command line ---------------------------------------------------------------------------------- */

static int set_and_say(struct config *config, const char *option, const char *section,
                       const char *key, const char *value, FILE *err)
{
    char why[256] = "";
    int rc = config_set(config, section, key, value, why);
    if (rc < 0) {
        fprintf(err, "coschedd: %s: %s.%s: %s\n", option, section, key,
                *why ? why : "out of memory");
    }
    return rc;
}

/* SECTION.KEY=VALUE; a queue is "queue NAME.KEY=VALUE", and its name may have dots. */
static int apply_set(struct config *config, const char *text, FILE *err)
{
    const char *equals = strchr(text, '=');
    const char *dot = equals ? memrchr(text, '.', (size_t)(equals - text)) : NULL;
    if (!dot || dot == text || dot + 1 == equals) {
        fprintf(err, "coschedd: --set %s: must be SECTION.KEY=VALUE\n", text);
        return -EINVAL;
    }
    char *section = strndup(text, (size_t)(dot - text));
    char *key = strndup(dot + 1, (size_t)(equals - dot - 1));
    int rc = section && key ? set_and_say(config, "--set", section, key, equals + 1, err) : -ENOMEM;
    free(section);
    free(key);
    return rc;
}

/* First pass: what decides which files are read. */
static int apply_path_option(struct config *config, int code, const char *value)
{
    switch ((enum option_code)code) {
    case OPT_CONFIG:
        config->config_given = true;
        return replace(&config->config_path, strdup(value));
    case OPT_SOCKET: return replace(&config->socket_path, strdup(value));
    case OPT_STATE: return replace(&config->state_dir, strdup(value));
    case OPT_USER: config->user_instance = true; return 0;
    case OPT_CHECK: config->check_only = true; return 0;
    case OPT_WORKERS:
    case OPT_SET:
    case OPT_LEVEL:
    case OPT_VERSION:
    case OPT_HELP: return 0;
    }
    return -EINVAL;
}

/* Second pass: what wins over the files. */
static int apply_setting_option(struct config *config, int code, const char *value, FILE *err)
{
    if (code == OPT_WORKERS) {
        return set_and_say(config, "--workers", "daemon", "workers", value, err);
    }
    if (code == OPT_LEVEL) {
        return set_and_say(config, "--log-level", "daemon", "log_level", value, err);
    }
    return code == OPT_SET ? apply_set(config, value, err) : 0;
}

/* getopt_long says what is wrong on stderr and permutes argv; both are kept away from the caller. */
static int each_option(struct config *config, int argc, char *const *argv, bool settings, FILE *err,
                       int *exit_early)
{
    char **args = calloc((size_t)argc + 1, sizeof *args);
    if (!args) {
        return -ENOMEM;
    }
    memcpy(args, argv, (size_t)argc * sizeof *args);
    int code, rc = 0;
    optind = 0; /* glibc: starts afresh */
    opterr = 0;
    while (rc == 0 && (code = getopt_long(argc, args, ":", options, NULL)) != -1) {
        const char *word = optind > 0 ? args[optind - 1] : "";
        if (code == '?' || code == ':') {
            fprintf(err, "coschedd: %s: %s (--help lists the options)\n", word,
                    code == '?' ? "unknown option" : "needs a value");
            rc = -EINVAL;
        } else if (code == OPT_VERSION || code == OPT_HELP) {
            *exit_early = code;
        } else {
            rc = settings ? apply_setting_option(config, code, optarg, err)
                          : apply_path_option(config, code, optarg);
        }
    }
    if (rc == 0 && optind < argc) {
        fprintf(err, "coschedd: %s: unexpected argument\n", args[optind]);
        rc = -EINVAL;
    }
    free(args);
    return rc;
}

int config_load(struct config *config, int argc, char *const *argv, FILE *out, FILE *err)
{
    int early = 0;
    int rc = config_init(config);
    if (rc == 0) {
        rc = each_option(config, argc, argv, false, err, &early);
    }
    if (rc == 0 && early) {
        fputs(early == OPT_VERSION ? "coschedd " COSCHED_VERSION_TEXT "\n" : help_text, out);
        return CONFIG_EXIT_OK;
    }
    if (rc == 0) {
        rc = set_paths(config, err);
    }
    if (rc == 0) {
        /* A fault in the files does not hide one on the command line: both are said. */
        int files = read_files(config, err);
        rc = each_option(config, argc, argv, true, err, &early);
        rc = files < 0 ? files : rc;
    }
    if (rc == -ENOMEM) {
        fputs("coschedd: out of memory\n", err);
        return CONFIG_EXIT_INTERNAL;
    }
    if (rc < 0) {
        return CONFIG_EXIT_CONFIG;
    }
    if (config->check_only) {
        fprintf(out, "coschedd: configuration is good: %s\n", config->config_path);
        return CONFIG_EXIT_OK;
    }
    return -1;
}
