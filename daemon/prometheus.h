/* prometheus.h - the numbers of `stats` in Prometheus' text form (version 0.0.4).
 *
 * Times are seconds, counters end in _total and only grow. The only labels are kind, queue and state (and le of
 * histograms): nothing that a user chose freely, so the number of series is bounded.
 */
#ifndef DAEMON_PROMETHEUS_H
#define DAEMON_PROMETHEUS_H
#include "metrics.h"
#include "wire/buf.h"

/* Appends the whole page. On MAIN. */
void prometheus_write(const struct metrics *m, struct buf *out, const struct metrics_view *view);

#endif
