/* The list of jobs that top shows: what two answers of `list` told, filtered and sorted; the selected one stays selected
 * while the list changes. Pure. */
#ifndef CTL_TOP_JOBS_H
#define CTL_TOP_JOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "top_model.h"
#include "wire/json.h"
#include "wire/writer.h"

#define TOP_NAME_MAX   132
#define TOP_FILTER_MAX 120
#define TOP_NAMES      512 /* commands of nameless jobs that are remembered */

enum top_sort {
    TOP_SORT_STATE,
    TOP_SORT_ID,
    TOP_SORT_QUEUE,
    TOP_SORT_TIME,
    TOP_SORT_NAME,
    TOP_SORTS
};

/* In the order in which they are shown. */
enum top_state { TOP_RUNNING, TOP_QUEUED, TOP_DELAYED, TOP_BLOCKED, TOP_OTHER };

struct top_job {
    int64_t id;
    enum top_state state;
    int64_t since_us; /* running: since its start; else: since it was made. 0: unknown */
    int64_t priority, attempt;
    bool named;              /* by its owner, or since top_jobs_name */
    char name[TOP_NAME_MAX]; /* or, for want of one, its command or its kind; all texts are harmless */
    char kind[TOP_TEXT_MAX], queue[TOP_TEXT_MAX], user[TOP_TEXT_MAX], state_text[16];
};

struct top_name {
    int64_t id;
    char text[TOP_NAME_MAX];
};

/* Either half of the list: they come in answers of their own. */
enum top_part { TOP_PART_RUNNING, TOP_PART_WAITING, TOP_PARTS };

struct top_jobs {
    struct top_job *part[TOP_PARTS]; /* owned */
    size_t part_count[TOP_PARTS];
    bool part_more[TOP_PARTS];    /* the daemon has more than it was asked for */
    const struct top_job **shown; /* owned; into part */
    size_t shown_count, shown_room;
    char filter[TOP_FILTER_MAX];
    enum top_sort sort;
    bool reverse;
    int64_t selected; /* id; 0: none */
    size_t selected_row;
    struct top_name names[TOP_NAMES]; /* by id, modulo */
    bool failed;                      /* out of memory: the list is cut short */
};

void top_jobs_init(struct top_jobs *jobs);
void top_jobs_fini(struct top_jobs *jobs);
/* Takes the result of `list`; top_jobs_arrange follows. */
void top_jobs_take(struct top_jobs *jobs, enum top_part part, const struct json *answer);
/* After any change of list, filter or order. */
void top_jobs_arrange(struct top_jobs *jobs);
/* Moves the selection by so many rows, as far as there are. */
void top_jobs_move(struct top_jobs *jobs, long rows);
/* NULL: the list is empty. */
const struct top_job *top_jobs_selected(const struct top_jobs *jobs);

/* Parameters of the request for a part. Words "queue:Q", "kind:K", "name:N", "label:K=V" of the filter are for the daemon; the
 * others are looked for in what is shown. `limit`: at most so many. */
void top_jobs_params(const struct top_jobs *jobs, enum top_part part, int limit, struct writer *w);

/* A list does not tell what a job without a name runs. The first such one of a page, whose rows are `page`; 0: none. */
int64_t top_jobs_nameless(const struct top_jobs *jobs, int page);
/* What it runs, by the specification in the result of `get` (NULL: nobody knows); it is remembered. */
void top_jobs_name(struct top_jobs *jobs, int64_t id, const struct json *answer);

#endif
