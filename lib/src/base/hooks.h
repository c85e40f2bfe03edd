/* The hooks of the runtime that exists, and the library's own messages. */
#ifndef COS_BASE_HOOKS_H
#define COS_BASE_HOOKS_H
#include <cosched/cosched.h>

/* Takes a copy of what was given (NULL: none). Before anything of the runtime runs, and after its last thread has ended.
 * 0; -EINVAL: an unknown size, or one or two of the three for memory; -EBUSY: memory of another allocator is in use. */
int cos_hooks_set(const cosched_hooks *given);
/* The runtime is gone. Memory still in use (a channel) goes back to the allocator it came from; that one stays until then. */
void cos_hooks_drop(void);
/* The hooks in force; what was not given is NULL. Const between two sets. */
const cosched_hooks *cos_hooks(void);

/* To the hook, or, an error, to stderr: one write(2) a text, "cosched: " before it. Any thread; not under a lock of ours. */
void cos_log(cosched_log_level level, const char *text);
#endif
