/* process.h - commands as processes: started, found again, ended to the last.
 *
 * Nothing here suspends a task, much of it blocks on system calls: process_spawn, process_end_* and
 * process_find_helper belong on a blocking thread (cosched_blocking); the rest is cheap enough for
 * MAIN. All is thread-safe after process_init.
 */
#ifndef COSCHEDD_PROCESS_H
#define COSCHEDD_PROCESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_BOOT_ID_SIZE  37 /* with the NUL */
#define PROCESS_INSTANCE_SIZE 33 /* 128 bits in hexadecimal, with the NUL */

/* --- at start ------------------------------------------------------------------------------- */

/* Once, on MAIN's thread, before any other thread and before RLIMIT_NOFILE is raised: this
 * process becomes the reaper of its jobs' orphans, descriptors 0-2 are made sure to be open,
 * SIGPIPE is ignored, and the limits that jobs inherit are noted. 0 or a negative errno. */
int process_init(void);
const char *process_boot_id(void); /* static text; "" where the kernel has none */
/* The random name of this state folder, made at first use and kept in its file "instance":
 * processes of its jobs carry it in their environment, so that another daemon's jobs are never
 * taken for ours. 0 or a negative errno. */
int process_instance(int state_dir, char out[PROCESS_INSTANCE_SIZE]);
/* The program that is to stand in front of every command: $COSCHED_EXEC. Heap; NULL with 0: none is
 * asked for; otherwise -ENOENT when it cannot be executed, -ENOMEM. */
int process_find_helper(char **path);

/* --- one command ---------------------------------------------------------------------------- */

/* What is on record of an attempt's main process, and enough to know it again. */
struct process_mark {
    pid_t pid;                          /* 0: not on record */
    uint64_t start_time;                /* field 22 of /proc/PID/stat */
    char boot_id[PROCESS_BOOT_ID_SIZE]; /* of the boot it was started in */
};

#define PROCESS_UNLIMITED UINT64_MAX

struct process_limits { /* PROCESS_UNLIMITED: as inherited */
    uint64_t nofile, memory_bytes, cpu_seconds, file_bytes, processes;
};

// clang-format off
#define PROCESS_LIMITS_NONE {PROCESS_UNLIMITED, PROCESS_UNLIMITED, PROCESS_UNLIMITED, \
                             PROCESS_UNLIMITED, PROCESS_UNLIMITED}

// clang-format on

struct process_command { /* everything borrowed for the call */
    const char *helper;  /* path of a program in front (see exec/cosched-exec.c); NULL: none */
    char *const *argv;   /* argv[0] is looked up in the PATH of envp */
    char *const *envp;
    const char *cwd; /* NULL: "/" */
    const char *stdin_data;
    size_t stdin_size; /* 0: /dev/null */
    unsigned umask;
    int nice; /* added to the daemon's own */
    struct process_limits limits;
};

struct process_report {
    char stage[16]; /* "exec", "cwd", "nofile" …: what failed; "": nothing */
    int error;      /* positive errno */
};

struct process {
    pid_t pid;
    int out, err; /* owned: read ends of its stdout and stderr, non-blocking */
    int report;   /* owned: read end of the helper's report, non-blocking; -1: no helper */
    struct process_report failed; /* without a helper */
};

#define PROCESS_NULL                                 \
    (struct process)                                 \
    {                                                \
        .pid = 0, .out = -1, .err = -1, .report = -1 \
    }

/* Starts it in a session of its own, so that its process group exists when this returns. The
 * child is registered: process_reaped must follow once it has been waited for. 0 or a negative
 * errno (nothing runs, *p is PROCESS_NULL). */
int process_spawn(const struct process_command *command, struct process *p);
/* Waits for the end of a registered child, no longer than ms: true, with its status as in wait(2), and
 * it is no longer registered. Blocking thread. */
bool process_ends_within(pid_t pid, int ms, int *status);
/* The child was waited for (or is given up: then the orphan reaper takes it). */
void process_reaped(pid_t pid);
/* Closes the descriptors; twice is fine. */
void process_close(struct process *p);

/* After the child ended: true when it could not become the command. */
bool process_failed(const struct process *p, struct process_report *report);

/* --- ending --------------------------------------------------------------------------------- */

/* To the process group of a registered, not yet reaped child. 0, or -ESRCH. */
int process_signal_group(pid_t pid, int signal);
/* After the main process was waited for: somebody of its group is still there. */
bool process_group_lives(pid_t pid);
/* After the main process was waited for: false means that certainly nothing of the job is left, and
 * process_end_leftovers need not be called. Cheap. */
bool process_may_have_left(pid_t pid);
/* Kills whatever is left of a job whose main process was `pid`: its group, its
 * session, and every process with the job's id and the instance in its environment; again and
 * again until none is found. How many were killed; -EAGAIN when some would not die. Blocking
 * thread. */
int process_end_leftovers(const char *instance, int64_t id, pid_t pid);
/* Recovery: as above for an attempt of an earlier daemon. The recorded process is touched only
 * if pid, start time and boot id match. Another boot: nothing to do. */
int process_end_job(const char *instance, int64_t id, const struct process_mark *mark);

/* Takes in orphans of jobs that ended: children of ours that nobody waits for. Never touches a
 * registered one. How many it reaped. One system call when there is none; call it about once a
 * second, and when a job ended. */
int process_reap_orphans(void);

/* 0, or -ESRCH. */
int process_start_time(pid_t pid, uint64_t *start_time);

#endif
