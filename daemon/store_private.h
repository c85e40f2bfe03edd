/* Between the files of store: what a request is, and how it gets to the store's thread and back. */
#ifndef STORE_PRIVATE_H
#define STORE_PRIVATE_H
#include <cosched/cosched.h>

#include "store.h"
#include "store_sql.h"

/* Requests that are asked together: their asker is woken once. */
struct store_group {
    size_t left; /* without an answer; the store's thread only, once they stand in line */
    cosched_event done;
};

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
    struct store_group *group; /* NULL: by itself */
    cosched_event done;        /* by itself */
};

/* Effects of a run that was rolled back never happened. */
void store_effects_cut(struct store_effects *effects, size_t length);

/* Waits for the answer, whatever happens to this task. */
int store_ask(struct store *store, struct store_request *request);
/* Several, linked by next from first to last, with their group set: each is decided by itself, as if
 * it had been asked alone, in this order. Waits for all the answers. -ESHUTDOWN: none was asked. */
int store_ask_all(struct store *store, struct store_request *first, struct store_request *last);
#endif
