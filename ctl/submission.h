/* A job as the command line describes it: options of run and submit, and their specification. */
#ifndef CTL_SUBMISSION_H
#define CTL_SUBMISSION_H

#include <stdbool.h>
#include <stddef.h>

#include "ctl.h"
#include "wire/writer.h"

/* "k=v" texts of an option that may be repeated; borrowed from argv. */
struct pairs {
    char **items; /* owned array */
    size_t count;
};

struct submission {
    const char *queue;
    const char *priority;
    const char *delay;
    const char *at;
    const char *timeout;
    const char *deadline;
    const char *retry;
    const char *backoff;
    const char *key;
    const char *name;
    const char *cwd;
    const char *stdin_file;
    const char *kind;
    const char *spec_file;
    const char *after; /* "ID,ID" */
    struct pairs labels;
    struct pairs env;
    struct pairs args;
    bool clean_env;
    bool wait;
    bool detach;
    char **argv; /* the command behind "--"; borrowed */
    int argc;
};

/* 0, or an exit status after a failure that was printed. End with submission_fini either way. */
int submission_parse(struct ctl *ctl, struct submission *s, int argc, char **argv, bool run);
void submission_fini(struct submission *s);
/* The whole specification as one object. with_env: send our environment along. 0 or a status. */
int submission_write(struct ctl *ctl, const struct submission *s, struct writer *w, bool with_env);
/* Our environment belongs to the job: the daemon runs as us and --clean-env was not given. Asks
 * the daemon (hello). 0 or a status. */
int submission_wants_env(struct ctl *ctl, const struct submission *s, bool *with_env);

/* Of "k=v": the length of k. */
size_t pairs_key_length(const char *pair);
/* The last of several values for one key counts: is there another behind item i? */
bool pairs_overridden(const struct pairs *pairs, size_t i);
/* The next id of "ID,ID"; *text moves behind it and its comma. False: not an id. */
bool submission_next_id(const char **text, int64_t *id);

extern const char submission_details[]; /* the options, for --help */

#endif
