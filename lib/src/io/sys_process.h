/* Starting a program; see sys.h for why it stands apart. */
#ifndef COS_IO_SYS_PROCESS_H
#define COS_IO_SYS_PROCESS_H
#include <stdbool.h>
#include <sys/types.h>

enum { COS_PROCESS_NULL = -1, COS_PROCESS_STDOUT = -2 }; /* for `from` */

struct cos_process_start {
    const char *file;
    const char *const *argv;
    const char *const *env; /* NULL: this process's */
    const char *cwd;        /* NULL: this process's */
    int from[3];            /* descriptors of this process, or one of the above */
    bool session, group;
};

/* The pid, or a negative errno: also what kept the program from being executed. Blocks until it is. */
int cos_sys_process_start(const struct cos_process_start *s);
int cos_sys_kill(pid_t pid, int number);
#endif
