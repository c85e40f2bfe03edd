/* process_end.c - finding every process of a job, and ending it.
 *
 * A process is taken for the job's when it is in the group or session of the job's main process, or
 * has the job's id and this daemon's instance in its environment (children inherit both unless they
 * clear it). A child that left group, session and environment behind is still ours by descent: it
 * is taken when no other job runs that it could belong to. What is found is killed through a pidfd,
 * after a second look, so that a number given to somebody else in between is never hit. Each scan
 * reads all of /proc (10 µs a process): blocking threads only. Scans go on until one finds nothing,
 * because a process may fork while it is being looked for. In the middle of an execve a process has
 * no environment: it is waited for.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "process_internal.h"

enum {
    SCANS_MAX = 100,
    DYING_MAX = 64,       /* killed ones waited for together */
    DYING_WAIT_MS = 2000, /* for each; a process in an uninterruptible wait takes its time */
    EXECVE_WAITS_MAX =
        1000, /* of EXECVE_WAIT_NS: takes a tenth of a millisecond, or a slow disk's time */
    EXECVE_WAIT_NS = 1000000,
    ENVIRON_MAX = 8 << 20
};

struct proc_stat {
    char state;
    pid_t parent, group, session;
    uint64_t start_time;
    unsigned long long memory, code; /* memory without code: in an execve */
    unsigned long long environ_start, environ_end;
};

/* Reads /proc/PID/stat. The name in parentheses may itself hold blanks and parentheses: the last
 * one counts. */
static int stat_read(pid_t pid, struct proc_stat *st)
{
    char path[32], text[1024];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -ESRCH;
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return -ESRCH;
    }
    text[n] = '\0';

    const char *rest = strrchr(text, ')');
    int parent, group, session;
    unsigned long long start;
    /* Fields 3 to 6, 22, 23, 26, 50 and 51. */
    if (!rest ||
        sscanf(rest + 1, // NOLINT: the kernel's own numbers
               " %c %d %d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %llu"
               " %*d %*u %llu %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %*d %*u %*u %*u %*u"
               " %*d %*u %*u %*u %*u %*u %llu %llu",
               &st->state, &parent, &group, &session, &start, &st->memory, &st->code,
               &st->environ_start, &st->environ_end) != 9) {
        return -ESRCH;
    }
    st->parent = parent;
    st->group = group;
    st->session = session;
    st->start_time = start;
    return 0;
}

int process_start_time(pid_t pid, uint64_t *start_time)
{
    struct proc_stat st;

    if (pid <= 0 || stat_read(pid, &st) < 0) {
        return -ESRCH;
    }
    *start_time = st.start_time;
    return 0;
}

struct hunt {
    pid_t self, main_pid;                               /* main_pid 0: known by its mark only */
    bool strays;                                        /* unmarked children of ours belong to it */
    char job[48], instance[32 + PROCESS_INSTANCE_SIZE]; /* the two entries looked for */
    char *text;                                         /* owned: room for an environment */
    size_t size;
    struct pollfd dying[DYING_MAX]; /* owned pidfds of those killed in this scan */
    size_t dying_count;
    int killed, stuck;
};

/* The environment of a process into h->text, NUL-terminated; its length, or a negative errno when it
 * is not ours to read. */
static ssize_t environ_read_once(struct hunt *h, pid_t pid)
{
    char path[32];
    size_t length = 0;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    for (;;) {
        if (length + 1 >= h->size) {
            char *larger = h->size < ENVIRON_MAX ? realloc(h->text, 2 * h->size) : NULL;
            if (!larger) {
                break;
            }
            h->text = larger;
            h->size *= 2;
        }
        ssize_t n = read(fd, h->text + length, h->size - length - 1);
        if (n <= 0) {
            break;
        }
        length += (size_t)n;
    }
    close(fd);
    h->text[length] = '\0';
    return (ssize_t)length;
}

/* Whether what was read between two looks is whole, and all there was. The kernel makes the environment before it says where the
 * code is. Where addresses are not random one program looks like the next: then a length of 0 gives it away. Places are 0 where we
 * may not know, and code is 1. */
static bool is_settled(const struct hunt *h, const struct proc_stat *before,
                       const struct proc_stat *after, size_t length)
{
    bool same = before->environ_end == after->environ_end && before->code == after->code &&
                (before->code || !before->memory);
    return same && (length == after->environ_end - after->environ_start || h->size >= ENVIRON_MAX);
}

/* The same, 0 when it has none. */
static size_t environ_read(struct hunt *h, pid_t pid)
{
    const struct timespec moment = {.tv_nsec = EXECVE_WAIT_NS};
    struct proc_stat before, after;

    for (int waits = 0; stat_read(pid, &before) == 0; waits++) {
        ssize_t length = environ_read_once(h, pid);
        if (length < 0 || stat_read(pid, &after) < 0) {
            return 0;
        }
        if (is_settled(h, &before, &after, (size_t)length) || waits == EXECVE_WAITS_MAX) {
            return (size_t)length;
        }
        nanosleep(&moment, NULL);
    }
    return 0;
}

static bool environ_marked(struct hunt *h, pid_t pid)
{
    size_t length = environ_read(h, pid);
    bool job = false, instance = false;

    for (size_t at = 0; at < length; at += strlen(h->text + at) + 1) {
        job = job || strcmp(h->text + at, h->job) == 0;
        instance = instance || strcmp(h->text + at, h->instance) == 0;
    }
    return job && instance;
}

static bool hunt_matches(struct hunt *h, pid_t pid)
{
    struct proc_stat st;

    /* A zombie is dead already; a registered child is another job's main process. */
    if (pid <= 1 || pid == h->self || stat_read(pid, &st) < 0 || st.state == 'Z' ||
        st.state == 'X' || process_registered(pid)) {
        return false;
    }
    if (h->main_pid > 1 && (st.group == h->main_pid || st.session == h->main_pid)) {
        return true;
    }
    if (h->strays && st.parent == h->self && process_only_orphans()) {
        return true;
    }
    return environ_marked(h, pid);
}

/* Waits until those killed are gone, so that the next scan does not find them again. */
static void hunt_wait(struct hunt *h)
{
    for (size_t i = 0; i < h->dying_count; i++) {
        int ready;
        do {
            ready = poll(&h->dying[i], 1, DYING_WAIT_MS);
        } while (ready < 0 && errno == EINTR);
        if (ready == 0) {
            h->stuck++;
        }
        close(h->dying[i].fd);
    }
    h->dying_count = 0;
    process_reap_orphans();
}

/* 1 when it was the job's. */
static int hunt_kill(struct hunt *h, pid_t pid)
{
    if (!hunt_matches(h, pid)) {
        return 0;
    }
    int fd = pidfd_open(pid, 0);
    if (fd < 0) {
        return 0;
    }
    /* The second look: from here on the pidfd, not the number, says who it is. */
    if (!hunt_matches(h, pid) || pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0) {
        close(fd);
        return 0;
    }
    h->killed++;
    if (h->dying_count == DYING_MAX) {
        hunt_wait(h);
    }
    h->dying[h->dying_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 1;
}

/* One pass over /proc: how many of the job's were met. */
static int hunt_scan(struct hunt *h)
{
    int met = 0;
    DIR *proc = opendir("/proc");

    if (!proc) {
        return -errno;
    }
    for (const struct dirent *entry; (entry = readdir(proc));) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            met += hunt_kill(h, (pid_t)strtol(entry->d_name, NULL, 10));
        }
    }
    closedir(proc);
    hunt_wait(h);
    return met;
}

static int hunt_run(struct hunt *h, const char *instance, int64_t id)
{
    int met = -ENOMEM;

    h->self = getpid();
    snprintf(h->job, sizeof h->job, "COSCHED_JOB_ID=%lld", (long long)id);
    snprintf(h->instance, sizeof h->instance, "COSCHED_INSTANCE=%s", instance);
    h->size = 16 << 10;
    h->text = malloc(h->size);
    if (h->text) {
        for (int i = 0; i < SCANS_MAX && !h->stuck; i++) {
            met = hunt_scan(h);
            if (met <= 0) {
                break;
            }
        }
    }
    free(h->text);
    if (met < 0) {
        return met;
    }
    return met > 0 || h->stuck ? -EAGAIN : h->killed;
}

int process_end_leftovers(const char *instance, int64_t id, pid_t pid)
{
    if (!process_group_lives(pid) && !process_has_strangers()) {
        return 0;
    }
    struct hunt *h = calloc(1, sizeof *h);
    if (!h) {
        return -ENOMEM;
    }
    h->main_pid = pid;
    h->strays = true;
    int result = hunt_run(h, instance, id);
    free(h);
    return result;
}

int process_end_job(const char *instance, int64_t id, const struct process_mark *mark)
{
    uint64_t start;

    /* Without a boot id on either side nothing can be told apart from its successor: only the
     * environment speaks. */
    if (mark->pid && mark->boot_id[0] && process_boot_id()[0] &&
        strcmp(mark->boot_id, process_boot_id()) != 0) {
        return 0;
    }
    struct hunt *h = calloc(1, sizeof *h);
    if (!h) {
        return -ENOMEM;
    }
    /* While the main process lives, its number is its own, and so are group and session. Once it is
     * gone the number may be anybody's. */
    if (mark->pid > 1 && mark->boot_id[0] && process_start_time(mark->pid, &start) == 0 &&
        start == mark->start_time) {
        h->main_pid = mark->pid;
    }
    int result = hunt_run(h, instance, id);
    free(h);
    return result;
}
