/* top: what its parts share. The loop (top.c) keeps one round of requests in flight and shows what came; asking and taking
 * answers is top_ask.c. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"
#include "top_grid.h"
#include "top_jobs.h"
#include "top_model.h"
#include "top_view.h"

/* One request of each sort at a time. The first three are a round. */
enum top_ask {
    TOP_ASK_STATS,
    TOP_ASK_RUNNING,
    TOP_ASK_WAITING,
    TOP_ASK_ROUND,
    TOP_ASK_CANCEL = TOP_ASK_ROUND,
    TOP_ASK_JOB,
    TOP_ASK_WHY,
    TOP_ASK_NAME,
    TOP_ASKS
};

struct top {
    struct ctl *ctl;
    struct top_model model;
    struct top_jobs jobs;
    struct top_ui ui;
    struct grid grid;
    int64_t asked[TOP_ASKS]; /* ids of requests in flight; 0: none */
    int64_t name_of;         /* TOP_ASK_NAME: whose */
    struct buf fresh;        /* owned; the detail that is being put together */
    char trouble[300];       /* why there are no answers; empty: there are */
    bool said_lost;          /* that, in lines, since the last answer */
    int64_t interval_ns, next_ns, sent_ns;
    int64_t now_us; /* when the last numbers came, by the wall clock */
    long count, shown;
    bool screen, plain, once, utf8, round_done, quit;
    int status;
};

/* Asks for numbers and lists, unless the last round is not answered. */
void top_ask_round(struct top *top);
void top_ask_cancel(struct top *top, int64_t id);
/* The job of ui.detail. */
void top_ask_detail(struct top *top);
void top_take_answer(struct top *top, const struct response *message);
/* Nothing is in flight any more. */
void top_ask_forget(struct top *top);
/* Rows that a page of the list has now. */
int top_page(const struct top *top);

int64_t top_clock_ns(void);

#endif
