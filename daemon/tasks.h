/* tasks.h - the daemon's own tasks as JSON: for `tasks` and for the chain of awaits of a running job (`why`).
 *
 * Any thread of the runtime, inside a task; nothing here suspends.
 */
#ifndef DAEMON_TASKS_H
#define DAEMON_TASKS_H
#include <cosched/inspect.h>

#include "wire/writer.h"

/* The members of one task, into an object that is open. */
void tasks_write(struct writer *w, const cosched_task_info *info);
/* One value: an array of tasks, the given one first, each waiting for the next; empty when it has ended. Of a job:
 * dispatch_task_of. */
void tasks_write_chain(struct writer *w, cosched_task task);

#endif
