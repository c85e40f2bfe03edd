/* The only allocation of libcosched: every byte from the heap passes here, so that a test can refuse it. */
#ifndef COS_BASE_ALLOC_H
#define COS_BASE_ALLOC_H
#include <stddef.h>

/* Zeroed memory, or NULL. Any thread. The caller owns it and gives it back with cos_free. */
void *cos_alloc(size_t bytes);
void cos_free(void *ptr); /* NULL is fine */
/* Zeroed memory aligned to `align` (a power of two), or NULL; its own free. */
void *cos_alloc_aligned(size_t align, size_t bytes);
void cos_free_aligned(void *ptr); /* NULL is fine */

/* Where it comes from, from now on; NULLs: malloc. 0, or -EBUSY: memory of the allocator in force is still in use, and this
 * is another one. Any thread. */
int cos_alloc_use(void *data, void *(*alloc)(void *data, size_t bytes),
                  void (*free)(void *data, void *ptr));

/* Tests only: the n-th allocation from now fails (1 is the next), 0 never. Not for concurrent use. */
void cos_alloc_fail_at(unsigned n);
#endif
