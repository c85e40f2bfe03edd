/* Where control blocks are while nobody has them: the depot behind the caches of the executors (task.h).
 *
 * Blocks lie in chunks of COS_DEPOT_CHUNK, whole pages of memory. A chunk of which every block is free for a second gives that
 * memory back, and remembers one number for all of them: what the generations and the numbers of waits go on from. So a handle
 * or a ticket from before is as stale as ever, whether it meets zeros, or the blocks' next lives.
 *
 * Any thread; one lock, taken for a batch of blocks at a time. */
#ifndef COS_SCHED_DEPOT_H
#define COS_SCHED_DEPOT_H
#include <stddef.h>
#include <stdint.h>

struct cos_task_cache;

#define COS_DEPOT_CHUNK   UINT32_C(256)
#define COS_DEPOT_IDLE_NS INT64_C(1000000000)

/* Block 0 is nobody's, and does not count. Once; -ENOMEM. */
int cos_depot_reserve(uint32_t capacity);
/* Address space for elements of which number 1 begins a page, and number 0 is nobody's. NULL: none is left. */
void *cos_depot_map(size_t count, size_t bytes);
void cos_depot_limit(uint32_t tasks_max);

/* From the depot until the cache has n; fewer, if the limit of tasks is reached or all are in use. */
void cos_depot_take(struct cos_task_cache *to, uint32_t n);
/* From the cache until it has no more than `keep`. */
void cos_depot_put(struct cos_task_cache *from, uint32_t keep);
/* A block that whoever has it will never give back. */
void cos_depot_retire(void);

uint64_t cos_depot_missing(void); /* taken, neither put nor retired */

/* Gives back the memory of chunks that have been free since before now − COS_DEPOT_IDLE_NS, a bounded number a call. Returns
 * when it wants to be called again (now: at once; INT64_MAX: nothing is waiting). */
int64_t cos_depot_trim(int64_t now);

/* Tests: chunks whose memory was given back, and has not been used since. */
uint32_t cos_depot_cold(void);
#endif
