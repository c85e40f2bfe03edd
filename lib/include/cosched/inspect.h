/* inspect.h - eyes into a running system. Nothing stops for them, and what they cost while nobody looks is next to nothing.
 *
 *   latency   how long hops take, and how long MAIN stays away from its poll
 *
 * Any thread, while the runtime lives, unless a function says otherwise; in a forked child -EPERM. Structs begin with struct_size
 * as in cosched.h. */
#ifndef COSCHED_INSPECT_H
#define COSCHED_INSPECT_H
#include <cosched/cosched.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- latency: what was measured, of everything that happened, since the runtime began ------------------------ */

typedef enum {
    COSCHED_LATENCY_HOP_TO_WORKER, /* from the moment a task leaves until it runs on the other executor */
    COSCHED_LATENCY_HOP_TO_MAIN,
    COSCHED_LATENCY_HOP, /* both of them; hops home to a thread that a task owns are in none */
    COSCHED_LATENCY_POLL_GAP /* from a poll of MAIN's loop to the next one: what anything that becomes ready waits for at most */
} cosched_latency_kind;

#define COSCHED_LATENCY_STEPS 24

/* Quantiles are those of a log-linear histogram: up to 6 % too high, never too low. */
typedef struct {
    size_t struct_size;
    uint64_t count, sum_ns, max_ns;
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns;
    uint64_t within[COSCHED_LATENCY_STEPS]; /* [i]: how many took 2^i us at most, to 6 % */
} cosched_latency;

/* Fills *out up to the struct_size it came with. Within two milliseconds of the first runtime's creation it waits for them to
 * pass, in place. 0; -EINVAL: kind, struct_size. */
COSCHED_API int cosched_latency_get(cosched_runtime *rt, cosched_latency_kind kind,
                                    cosched_latency *out);

#ifdef __cplusplus
}
#endif
#endif
