/* Between the files of store: what a request is, and how it gets to the store's thread and back. */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H
#include <cosched/cosched.h>

#include "store.h"
#include "store_sql.h"

/* A request lies in the frame of the task that asks, first in a struct with what it is about. */
struct store_request {
    struct store_request *next; /* in the store's line, under its lock */
    /* On the store's thread. May run more than once (when a batch failed as a whole), each time as
     * if for the first. */
    int (*run)(struct store_sql *sql, struct store_request *request);
    /* Takes back what a run has put into the answer; NULL: runs overwrite it all. */
    void (*reset)(struct store_request *request);
    bool writes;  /* false: nothing it does needs a commit */
    bool alone;   /* outside any transaction */
    bool inserts; /* reads nothing that insertions before it bring, or settles them itself */
    bool patient; /* others are about to ask, too: one commit for all of them */
    int result;
    cosched_event done;
};

/* Effects of a run that was rolled back never happened. */
void store_effects_cut(struct store_effects *effects, size_t length);

/* Waits for the answer, whatever happens to this task. */
int store_ask(struct store *store, struct store_request *request);
#endif
