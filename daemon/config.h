/* config.h - the daemon's settings: built-in values, then coschedd.conf, then conf.d/ in order of names, then the command
 * line.
 *
 * Blocking and single-threaded: used before the runtime exists and, for a reload, on a blocking thread. Every error names
 * what is wrong and where (file and line, or the option) in one line.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "log.h"

/* Exit codes of coschedd (sysexits.h has the numbers). */
enum config_exit {
    CONFIG_EXIT_OK = 0,
    CONFIG_EXIT_INTERNAL = 70,
    CONFIG_EXIT_BUSY = 75,       /* state or socket held by a live daemon */
    CONFIG_EXIT_PERMISSION = 77, /* root without allow_root, or a folder that is not ours */
    CONFIG_EXIT_CONFIG = 78
};

#define CONFIG_QUEUES_MAX   64
#define CONFIG_NAME_MAX     64
/* Bounds of a queue's settings, in files and at run time. */
#define CONFIG_PARALLEL_MAX 10000
#define CONFIG_RATE_MIN     0.001 /* or 0 */
#define CONFIG_RATE_MAX     1e6
#define CONFIG_WEIGHT_MAX   1000

struct config_queue {
    char name[CONFIG_NAME_MAX + 1];
    int64_t parallel; /* jobs at once; 0 holds the queue */
    bool paused;
    double rate; /* starts a second; 0: no limit */
    int64_t weight;
};

struct config {
    /* what runs where; strings are owned, never NULL after config_load unless said */
    bool user_instance;
    bool check_only;
    char *config_path;
    bool config_given; /* by --config: then the file must exist */
    char *socket_path;
    char *state_dir;

    /* [daemon] */
    bool allow_root;
    int64_t workers;   /* -1: from the CPUs */
    int64_t main_help; /* cosched_help */
    int64_t log_level;
    char *admin_group; /* "" : none */
    int64_t drain_timeout_ns;
    int64_t slice_main_ns, slice_worker_ns; /* 0: not watched */
    /* [store] */
    int64_t keep_ns;
    int64_t keep_count;
    int64_t keep_bytes;
    /* [exec] */
    char *exec_path;
    char *exec_env; /* K=V separated by blanks */
    int64_t exec_grace_ns;
    int64_t exec_output_max;
    int64_t exec_nice;
    /* [queue NAME]; the first is "default" */
    struct config_queue queues[CONFIG_QUEUES_MAX];
    size_t queue_count;
    /* [limits] */
    int64_t connections;
    int64_t connections_per_user;
    int64_t jobs_waiting;
    int64_t jobs_per_user;
    int64_t waits;
    int64_t subscriptions;
    int64_t answer_bytes;
};

/* Everything: the command line, the files it leads to, and the paths. Answers -1 when the daemon should go on, else the
 * exit code (--help, --version and --check-config print to `out`; errors go to `err`). *config is to be freed with
 * config_fini in any case. */
int config_load(struct config *config, int argc, char *const *argv, FILE *out, FILE *err);
void config_fini(struct config *config);

/* --- parts, for config_load and the tests --- */

/* Built-in values. -ENOMEM. */
int config_init(struct config *config);

/* Where a setting came from, for error messages: "file:line: " or "--set: ". */
struct config_place {
    const char *name;
    int line; /* 0: none */
};

/* One setting. 0, or -EINVAL with the reason, without the place, in why. */
int config_set(struct config *config, const char *section, const char *key, const char *value,
               char why[static 256]);
/* A file; every error in it is printed. 0, -EINVAL after errors, -ENOENT. */
int config_read_file(struct config *config, const char *path, FILE *err);
/* `folder`/[*].conf in order of names. A missing folder is fine. */
int config_read_folder(struct config *config, const char *folder, FILE *err);
/* 1 to 64 letters, digits, '_', '.' or '-'. */
bool config_queue_name_valid(const char *name);
/* What a queue is that nobody configured. */
void config_queue_default(struct config_queue *queue, const char *name);
/* true: a section of this name can appear in a file. */
bool config_section_known(const char *section);

/* The keys of *now that differ from *next and that a running daemon cannot take over, comma-separated. 0: none. */
int config_needs_restart(const struct config *now, const struct config *next, char *out,
                         size_t size);
/* Copies what a running daemon takes over at once: log level, limits, queues, retention, admin_group. -ENOMEM: nothing
 * was changed. */
int config_take_over(struct config *now, const struct config *next);

#endif
