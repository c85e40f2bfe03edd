/* Durations, sizes and times as people write them (CONTRACT §2). Pure; no locale, no time zone. */
#ifndef WIRE_UNITS_H
#define WIRE_UNITS_H

#include <stdint.h>

#define UNITS_TIME_SIZE     28 /* "2024-05-01T12:00:00.000000Z" and the NUL */
#define UNITS_DURATION_SIZE 48

/* "250ms", "5s", "1h30m", "1d": integers with ns, us, ms, s, m, h, d or w, larger units first,
 * each at most once. 0; -EINVAL not a duration; -ERANGE over 2^63 ns (292 years). */
int units_parse_duration(const char *text, int64_t *ns);
/* "4096", "64K", "10M", "1G", "2T": powers of 1024. 0, -EINVAL, -ERANGE. */
int units_parse_size(const char *text, uint64_t *bytes);
/* RFC 3339, "2024-05-01T12:00:00.5+02:00"; digits beyond microseconds are cut. 0 or -EINVAL. */
int units_parse_time(const char *text, int64_t *unix_us);

/* Six digits and Z, UTC; years 0000…9999, others are clamped. */
void units_format_time(int64_t unix_us, char out[UNITS_TIME_SIZE]);
/* What units_parse_duration reads back to the same value: "1h30m", "1s500ms", "0s". */
void units_format_duration(int64_t ns, char out[UNITS_DURATION_SIZE]);

#endif
