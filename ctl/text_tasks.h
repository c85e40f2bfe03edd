/* Tasks of the daemon, kept until all have come, and shown as a tree. */
#ifndef CTL_TEXT_TASKS_H
#define CTL_TEXT_TASKS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/buf.h"
#include "wire/json.h"

struct task_node {
    char *task, *parent; /* owned; parent NULL: none */
    struct buf text;     /* owned: its lines, the first without an end */
    size_t order;        /* as they came */
    size_t up;           /* place of the parent; its own: a root */
    unsigned depth;
};

struct task_list {
    struct task_node *at; /* owned */
    size_t count, room;
    bool failed; /* out of memory */
};

void task_list_fini(struct task_list *list);
/* From the event of one task. */
void task_list_add(struct task_list *list, const struct json *event);
/* The whole tree: children below their parent. */
void task_list_show(struct task_list *list, struct buf *out);

#endif
