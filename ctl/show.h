/* Numbers as people read them. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <stdint.h>

#include "wire/buf.h"
#include "wire/json.h"

void show_duration_us(struct buf *out, double us); /* 850us 12.3ms 4.2s 5m03s 2h05m 3d04h */
void show_bytes(struct buf *out, double bytes);    /* 512 B, 14.2 MiB */
void show_number(struct buf *out, double value);   /* 42, 3.25 */
/* Microseconds from then to now; then is a time of the protocol. Negative: not a time. */
int64_t show_elapsed_us(const struct json *then, int64_t now_us);
int64_t show_now_us(void);

/* A value whose member name ends in a unit (_us, _ms, _s, _bytes, _pct): name without it, value
 * with it. `unit_of` may be NULL: then the name itself tells. */
void show_value(struct buf *out, const char *unit_of, const struct json *value);
void show_label(struct buf *out, const char *name);
const char *show_unit(const char *name); /* "_us", …, or "" */

/* "exit code 3", "signal KILL", "exec_failed: no such file" or nothing. */
void show_outcome(struct buf *out, const struct json *job);

#endif
