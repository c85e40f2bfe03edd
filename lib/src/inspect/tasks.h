/* Looks at many tasks, or at some of them. */
#ifndef COS_INSPECT_TASKS_H
#define COS_INSPECT_TASKS_H
#include <cosched/inspect.h>

#include "inspect/sight.h"

/* 0; -EINVAL: no such runtime; -EPERM: the child of a fork. */
int cos_tasks_may_look(const cosched_runtime *rt);

/* Room that needs no allocator and costs memory only where it is touched. NULL: none. */
void *cos_tasks_room(size_t bytes);
void cos_tasks_room_end(void *room, size_t bytes);

/* One task as it is now, by stamps that hold. False: none lives there. generation 0: whichever. */
bool cos_tasks_look(struct cos_sight *s, struct cos_peek *p, uint32_t index, uint32_t generation,
                    unsigned with);
/* Leaves out what is the library's own business in a back trace. Before a sight is told. */
void cos_tasks_trim(struct cos_sight *s);
#endif
