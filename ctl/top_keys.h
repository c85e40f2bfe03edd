/* What keys mean: they change what the user is doing, or ask the program for something. Pure. */
#ifndef CTL_TOP_KEYS_H
#define CTL_TOP_KEYS_H

#include "top_screen.h"
#include "top_view.h"

enum top_wish {
    TOP_NOTHING,
    TOP_QUIT,
    TOP_REFRESH, /* ask the daemon again, now: the filter changed, or a pause is over */
    TOP_CANCEL,  /* ui->confirm */
    TOP_OPEN,    /* ui->detail */
    TOP_FASTER,
    TOP_SLOWER
};

/* page: rows that a page has now. */
enum top_wish top_keys(struct top_ui *ui, struct top_jobs *jobs, int key, int page);

#endif
