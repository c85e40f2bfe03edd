/* arena.h - the memory of one JSON value: taken piece by piece, given back as a whole.
 *
 * A request of eighty bytes is a dozen values and names of them; to allocate and free each by itself
 * was a fifth of what a submission costs. cJSON asks a hook for memory and cannot say for whom, so the
 * arena that is being filled is this thread's: between arena_begin and arena_end nothing else may be
 * parsed on it, and nothing in between suspends. Any thread.
 */
#ifndef DAEMON_WIRE_ARENA_H
#define DAEMON_WIRE_ARENA_H
#include <stddef.h>

struct arena;

/* NULL: out of memory. `bytes`: a guess of what will be wanted. */
struct arena *arena_begin(size_t bytes);
void arena_end(struct arena *arena);
/* From the arena that is being filled; 16-byte aligned, NULL: out of memory. */
void *arena_alloc(size_t size);
/* By the first piece that was taken an arena is found again. */
struct arena *arena_of(const void *first);
void arena_free(struct arena *arena); /* NULL is fine */

#endif
