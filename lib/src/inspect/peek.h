/* Memory of tasks, read while they go on. What is read means nothing until a stamp says so (sight.h), but reading it is safe:
 * stacks stay mapped while the runtime lives and are read directly; anywhere else, a lock or a group in memory of the user's
 * that may be gone, the kernel is asked, which answers instead of faulting. */
#ifndef COS_INSPECT_PEEK_H
#define COS_INSPECT_PEEK_H
#include <stdbool.h>

#include "arch/stack.h"

struct cos_peek {
    struct cos_stack stack; /* the one that was read last; lo NULL: none */
};

/* Both aligned to 8; bytes a multiple of 8. False: nothing is there, or the system does not let us look. */
bool cos_peek(struct cos_peek *p, void *to, const void *from, size_t bytes);
/* The stack of a task that the address lies in, into p->stack. */
bool cos_peek_find(struct cos_peek *p, const void *address);
/* The same as cos_peek on stacks of tasks only. p->stack is that stack afterwards. */
bool cos_peek_stack(struct cos_peek *p, void *to, const void *from, size_t bytes);
#endif
