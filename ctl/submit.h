/* Submitting, from options (submit.c) and from files (submit_file.c). */
#ifndef CTL_SUBMIT_H
#define CTL_SUBMIT_H

#include "submission.h"

/* Connects, submits what the options say. 0 and the id, or an exit status. */
int submit_one(struct ctl *ctl, const struct submission *s, int64_t *id, bool *existing);

/* The ids of accepted jobs, kept for --wait. */
struct accepted {
    int64_t *ids; /* owned */
    size_t count;
    size_t cap;
};

/* Submits the specifications in a file ("-": standard input) and prints their ids. */
int submit_file(struct ctl *ctl, const char *path, struct accepted *accepted);

/* An answer of submit: its id, printed and kept. 0 or an exit status. */
int submit_accepted(struct ctl *ctl, struct accepted *accepted, const struct json *id,
                    const struct json *existing);

#endif
