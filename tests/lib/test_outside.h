/* The world in which every public call is asked what it answers outside a task. */
#ifndef TEST_OUTSIDE_H
#define TEST_OUTSIDE_H
#include <cosched/io.h>

#include "run.h"

enum place { HOST, FOREIGN, BLOCKING };

struct world {
    cosched_runtime *rt;
    enum place place;
    cosched_listener *listener;
    cosched_stream *stream, *peer;
    cosched_udp *udp;
    cosched_signals *signals;
    cosched_changes *changes;
    cosched_process *process;
    cosched_token token;
    cosched_group *group; /* of a task that waits in join */
    cosched_event group_is_open, end_group;
    char dir[32], path[48];
};

#define ANSWERS(answer, call) EXPECT_EQ(call, answer)

/* The table for io.h (test_outside_io.c). */
void outside_io(struct world *w);

#endif
