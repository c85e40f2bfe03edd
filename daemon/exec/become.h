/* become.h - what has to happen between fork and exec: a session of its own, default dispositions,
 * empty mask, descriptors closed, umask, folder, nice, no new privileges, limits; then the command,
 * looked up in the PATH of its own environment.
 *
 * Used by coschedd in a child that still borrows its address space, and by cosched-exec. Hence:
 * system calls and the stack only; nothing of the C library that locks, allocates or keeps state, and
 * nothing that a sanitizer instruments. The caller has blocked all signals, or does not mind them.
 */
#ifndef COSCHEDD_BECOME_H
#define COSCHEDD_BECOME_H
#include <stdint.h>

#define BECOME_UNSET UINT64_MAX

enum {
    BECOME_CANNOT = 126, /* exit codes, as of a shell */
    BECOME_NOT_FOUND = 127
};

struct become {        /* everything borrowed */
    const char *cwd;   /* NULL or "": stays */
    char *const *argv; /* argv[0] is looked up */
    char *const *envp;
    char *candidate;       /* room for PATH_MAX bytes, for this child alone */
    unsigned first_closed; /* this descriptor and all above it are closed */
    uint64_t umask;        /* BECOME_UNSET: as inherited; so for all that follow */
    uint64_t nice;         /* added to ours */
    uint64_t files_soft, nofile, memory, cpu_time, file_size, processes;
};

#define BECOME_INIT                                                                    \
    (struct become)                                                                    \
    {                                                                                  \
        .first_closed = 3, .umask = BECOME_UNSET, .nice = BECOME_UNSET,                \
        .files_soft = BECOME_UNSET, .nofile = BECOME_UNSET, .memory = BECOME_UNSET,    \
        .cpu_time = BECOME_UNSET, .file_size = BECOME_UNSET, .processes = BECOME_UNSET \
    }

struct become_failure {
    const char *step; /* static text: "exec", "cwd", "nofile" … */
    int error;        /* positive errno */
};

/* Returns only when a step failed, and says which. */
struct become_failure become(const struct become *how);
/* What to exit with then. */
int become_exit_code(const struct become_failure *failure);

/* For what else runs in such a child. */
#ifndef __has_attribute
#define __has_attribute(name) 0
#endif
#if __has_attribute(disable_sanitizer_instrumentation)
#define BECOME_CHILD __attribute__((noinline, disable_sanitizer_instrumentation))
#else
#define BECOME_CHILD __attribute__((noinline, no_sanitize("address", "undefined", "thread")))
#endif

#endif
