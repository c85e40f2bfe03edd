/* What every command of coschedctl has in hand: global options, the connection, the output, and
 * the meaning of the exit status (CONTRACT §4). */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "wire/json.h"
#include "wire/message.h"

enum ctl_status {
    CTL_OK = 0,
    CTL_REFUSED = 1,
    CTL_USAGE = 64,
    CTL_UNREACHABLE = 69,
    CTL_NOT_PERMITTED = 77,
    CTL_TIMED_OUT = 124,
    CTL_FAILED = 125, /* in place of the four above where the status speaks for a job */
    CTL_CANCELED = 130,
};

struct output;

struct ctl {
    const char *command; /* for messages: "submit" */
    const char *socket;  /* --socket, borrowed from argv; NULL: look for one */
    bool system;
    bool user;
    bool json;
    bool no_color;
    bool speaks_for_job; /* run, wait, submit --wait: our own failures are CTL_FAILED */
    struct client client;
    const struct output *output;
};

struct command {
    const char *name;
    const char *arguments; /* for the usage line */
    const char *summary;
    int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is the command */
    const char *details;                                /* its options; NULL: none of its own */
};

/* The table ends with a NULL name. */
extern const struct command command_table[];
const struct command *command_find(const char *name);

int command_run(struct ctl *ctl, int argc, char **argv);
int command_submit(struct ctl *ctl, int argc, char **argv);
int command_list(struct ctl *ctl, int argc, char **argv);
int command_status(struct ctl *ctl, int argc, char **argv);
int command_edit(struct ctl *ctl, int argc, char **argv);
int command_events(struct ctl *ctl, int argc, char **argv);
int command_why(struct ctl *ctl, int argc, char **argv);
int command_wait(struct ctl *ctl, int argc, char **argv);
int command_logs(struct ctl *ctl, int argc, char **argv);
int command_cancel(struct ctl *ctl, int argc, char **argv);
int command_retry(struct ctl *ctl, int argc, char **argv);
int command_rm(struct ctl *ctl, int argc, char **argv);
int command_signal(struct ctl *ctl, int argc, char **argv);
int command_queue(struct ctl *ctl, int argc, char **argv);
int command_reload(struct ctl *ctl, int argc, char **argv);
int command_drain(struct ctl *ctl, int argc, char **argv);
int command_stats(struct ctl *ctl, int argc, char **argv);
int command_metrics(struct ctl *ctl, int argc, char **argv);
int command_trace(struct ctl *ctl, int argc, char **argv);
int command_tasks(struct ctl *ctl, int argc, char **argv);
int command_kinds(struct ctl *ctl, int argc, char **argv);
int command_ping(struct ctl *ctl, int argc, char **argv);
int command_shutdown(struct ctl *ctl, int argc, char **argv);
int command_top(struct ctl *ctl, int argc, char **argv);
int command_version(struct ctl *ctl, int argc, char **argv);

/* Prints "coschedctl: what: why" and gives the exit status that `status` means here. */
int ctl_fail(const struct ctl *ctl, int status, const char *what, const char *why, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for an error answer; text from the daemon is made harmless. */
int ctl_refused(const struct ctl *ctl, const char *what, const struct response *answer);
int ctl_out_of_memory(const struct ctl *ctl);

/* Connects as the options say. 0, or the exit status of a failure that was printed. */
int ctl_connect(struct ctl *ctl);
/* The next message; 0, or an exit status after a failure that was printed. -EINTR passes through:
 * a signal came. */
int ctl_next(struct ctl *ctl, struct response *message);
/* The connection failed with a negative errno of client_next: says so. */
int ctl_lost(const struct ctl *ctl, int error);
/* Waits for the answer to request `id`; other messages are dropped. 0: *answer is a result, which
 * the caller ends. Else an exit status; the failure was printed. */
int ctl_answer(struct ctl *ctl, const char *what, int64_t id, struct response *answer);
/* A request without parameters, and its answer. */
int ctl_call(struct ctl *ctl, const char *what, const char *method, struct response *answer);

/* Exit status that a finished job means: its exit code, 124, 128+N, 130 or 1. */
int ctl_job_status(const struct json *job);

#endif
