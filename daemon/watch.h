/* watch.h - who wants to hear of a job: tasks that wait for its end, followers of its output.
 *
 * Everything on MAIN. News is published after the commit that made it; a watcher that must not miss any first adds its
 * node, then looks at the present state. Nodes are the watcher's memory (usually its stack) and never outlive it.
 */
#ifndef DAEMON_WATCH_H
#define DAEMON_WATCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bell.h"
#include "job.h"

enum watch_news {
    WATCH_ENDED = 1,   /* the job is final */
    WATCH_STARTED = 2, /* an attempt runs */
    WATCH_OUTPUT = 4,  /* there is more to read */
    WATCH_IDLE = 8,    /* id WATCH_DAEMON: no job runs any more */
    WATCH_NEWS = 16    /* id WATCH_JOBS: something happened to some job */
};

/* No job has these ids. */
#define WATCH_DAEMON INT64_C(0)
#define WATCH_JOBS   INT64_C(-1)

struct watch_node {
    struct watch_node *next, **link; /* link NULL: not in */
    struct bell *bell;               /* borrowed; rung when something of `interest` happened */
    int64_t id;
    unsigned interest;
    unsigned seen;        /* what happened since the node's owner cleared it */
    enum job_state state; /* with WATCH_ENDED */
};

struct watch {
    struct watch_node **buckets; /* owned */
    size_t size;                 /* a power of two, or 0 */
    size_t count;
};

void watch_init(struct watch *watch);
void watch_fini(struct watch *watch);
/* 0, or -ENOMEM. The node starts with nothing seen. */
int watch_add(struct watch *watch, struct watch_node *node, int64_t id, unsigned interest,
              struct bell *bell);
void watch_remove(struct watch *watch, struct watch_node *node); /* twice is fine */
void watch_publish(struct watch *watch, int64_t id, enum watch_news news, enum job_state state);

#endif
