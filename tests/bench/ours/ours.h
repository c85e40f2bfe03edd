/* The workloads of libcosched: public API only. Each is the first task of a runtime of its own, on MAIN. */
#ifndef OURS_H
#define OURS_H
#include <cosched/cosched.h>

#include "../figure.h"

/* The parameters of the command: how many, and how many workers; what else it takes. */
struct load {
    long count;
    int workers;
    long extra;
};

/* A task that ends at once. */
int64_t leaf(void *arg);

/* spawn.c */
int64_t run_call(void *load);
int64_t run_await(void *load);
int64_t run_bunch(void *load);
int64_t run_yield(void *load);
/* tree.c */
int64_t run_fib(void *load);
int64_t run_fib_await(void *load);
int64_t run_skynet(void *load);
int64_t run_skynet_await(void *load);
/* hop.c */
int64_t run_hop(void *load);
int64_t run_hops(void *load);
int64_t run_hop_tail(void *load);
/* channel.c */
int64_t run_channel(void *load);
int64_t run_channel_across(void *load);
/* many.c */
int64_t run_suspended(void *load);
int64_t run_queued(void *load);
int64_t run_memory_back(void *load);
/* time.c */
int64_t run_sleepers(void *load);
int64_t run_idle(void *load);
/* look.c */
int64_t run_look(void *load);
#endif
