/* Answers as lines to read: what a job is, what it waits for. Pure. */
#ifndef CTL_TOP_DETAIL_H
#define CTL_TOP_DETAIL_H

#include "wire/buf.h"
#include "wire/json.h"

/* Appends an object under a title: members in lines of their own, deeper ones indented. Whatever a newer daemon tells is
 * shown, too. Members that are null or empty are left out, and those in the NULL-terminated list `skip` (may be NULL). */
void top_detail(struct buf *out, const char *title, const struct json *value,
                const char *const *skip);

#endif
