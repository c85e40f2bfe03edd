/* What the commands have to say, in two forms: text for people and the protocol's JSON. Commands
 * call through the table and never ask which one it is. Each function gives 0 or an exit status
 * after a failure that was printed. */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"

/* A verb over ids: where its answer has them, and how to say it. */
struct change {
    const char *method;
    const char *done;         /* member of the answer */
    const char *refused;      /* member of the answer */
    const char *done_text;    /* "canceled" */
    const char *refused_text; /* "has already ended" */
};

struct task_list; /* text_tasks.h */

struct output {
    int (*submitted)(struct ctl *ctl, int64_t id, bool existing);
    int (*list)(struct ctl *ctl, const struct json *jobs, bool more);
    int (*waited)(struct ctl *ctl, const struct json *jobs);
    int (*job)(struct ctl *ctl, const struct json *job, bool first);
    int (*changed)(struct ctl *ctl, const struct json *answer, const struct change *change);
    int (*event)(struct ctl *ctl, const struct json *event);    /* log or gap */
    int (*happened)(struct ctl *ctl, const struct json *event); /* of a subscription */
    int (*stats)(struct ctl *ctl, const struct json *stats, const struct json *before, double s);
    int (*kinds)(struct ctl *ctl, const struct json *answer);
    int (*queues)(struct ctl *ctl, const struct json *queues);
    int (*task)(struct ctl *ctl, const struct json *event, struct task_list *list);
    int (*tasks)(struct ctl *ctl, const struct json *answer, struct task_list *list); /* the end */
    /* An answer that text tells in one sentence. */
    int (*answer)(struct ctl *ctl, const struct json *answer, const char *text);
};

extern const struct output output_text;
extern const struct output output_json;

/* Text of the larger answers (text_*.c). */
int text_list(struct ctl *ctl, const struct json *jobs, bool more);
int text_job(struct ctl *ctl, const struct json *job, bool first);
int text_kinds(struct ctl *ctl, const struct json *answer);
int text_queues(struct ctl *ctl, const struct json *queues);
int text_stats(struct ctl *ctl, const struct json *stats, const struct json *before, double s);
int text_event(struct ctl *ctl, const struct json *event);
int text_happened(struct ctl *ctl, const struct json *event); /* events.c */
int text_task(struct ctl *ctl, const struct json *event, struct task_list *list);
int text_tasks(struct ctl *ctl, const struct json *answer, struct task_list *list);

/* Bytes of a log event; false: not decodable. */
bool output_event_bytes(struct buf *out, const struct json *event);
/* Writes out a buf and frees it. 0 or an exit status. */
int output_buf(struct ctl *ctl, struct buf *text);

#endif
