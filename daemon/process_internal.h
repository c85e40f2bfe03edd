/* process_internal.h - what the files process*.c tell each other; nobody else includes it. */
#ifndef COSCHEDD_PROCESS_INTERNAL_H
#define COSCHEDD_PROCESS_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Room for one more child is reserved before it exists: a registration that fails would leave a
 * child that nobody waits for. 0 or -ENOMEM; after 0, process_register_end must follow, with pid 0
 * when no child came of it. */
int process_register_begin(void);
void process_register_end(pid_t pid);
/* The soft limit of descriptors that commands get; 0: not known. */
uint64_t process_files_soft(void);

/* Somebody waits for this child. */
bool process_registered(pid_t pid);
/* Every child of ours is an orphan of a job that ended: nothing is registered or being started, and
 * there were no children when process_init was called. */
bool process_only_orphans(void);
/* We have a child that is not registered: an orphan of some job. True as well when that cannot be
 * told. */
bool process_has_strangers(void);

#endif
