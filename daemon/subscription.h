/* subscription.h - one client's subscription, from its request to its end (subscription.c tells how it works). On MAIN. */
#ifndef DAEMON_SUBSCRIPTION_H
#define DAEMON_SUBSCRIPTION_H
#include "command.h"

#define SUBSCRIPTION_EVENTS 64 /* of jobs, read at once */

struct told;

struct subscription {
    struct subscription *next;
    struct call call; /* whose it is; without params and out */
    int64_t number;
    bool jobs, queues, stats, stop;
    int64_t interval_ns, due_ns;
    struct json *params; /* owned: the filter's texts point into it */
    struct spec_label *labels;
    struct store_filter filter;
    int64_t seq; /* job events are looked at up to here */
    struct bell bell;
    struct watch_node node;
    struct told *told; /* owned */
    size_t told_count;
    struct buf lines;
    struct store_event events[SUBSCRIPTION_EVENTS];
};

/* Its task, which owns it: tells until it is stopped or the client is gone. */
int64_t subscription_task(void *subscription);
/* Of one whose task never began: in no list, its bell is made, watched or not. */
void subscription_free(struct subscription *s);

#endif
