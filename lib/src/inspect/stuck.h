/* The wait-for graph, and who in it can go on no more. */
#ifndef COS_INSPECT_STUCK_H
#define COS_INSPECT_STUCK_H
#include <cosched/cosched.h>

struct cos_stuck;

/* Finds them, as long as it takes: some passes over all tasks. NULL: no memory. */
struct cos_stuck *cos_stuck_find(void);
void cos_stuck_end(struct cos_stuck *g);
/* The next task after `index` (0: the first) that is in a set; 0: no more. Its set's number, from 1, and its life. */
uint32_t cos_stuck_next(const struct cos_stuck *g, uint32_t index, uint32_t *set,
                        uint32_t *generation);
uint32_t cos_stuck_set_of(const struct cos_stuck *g, cosched_task task); /* 0: in none */
#endif
