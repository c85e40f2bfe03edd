/* process.c - starting commands, and knowing which children are whose.
 *
 * Children of this process are of two sorts: those we spawned, each waited for by its own task, and
 * orphans of jobs that the kernel gave us because we are their subreaper. A wait for "any child"
 * would take both, so the first sort is registered here and the orphan reaper asks before it takes
 * one. A child exists a moment before it can be registered: `spawning` counts the spawns under way,
 * and while it is not 0 the reaper takes nothing. The lock is held for short, non-blocking calls
 * only, so MAIN may take it; posix_spawn itself (a tenth of a millisecond) runs outside.
 *
 * Called from blocking threads (spawn) and MAIN (the rest). Never suspends a task.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process_internal.h"

static struct {
    pthread_mutex_t lock;
    pid_t *pids;       /* lock; sorted */
    size_t count, cap; /* lock */
    unsigned spawning; /* lock; each has room reserved in pids */
    bool had_children; /* the rest is const after process_init */
    int children;      /* of /proc/self/task/PID/children; < 0: none */
    uint64_t files_soft;
    char boot_id[PROCESS_BOOT_ID_SIZE];
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .children = -1};

enum { CHILDREN_TEXT = 1024 };

/* --- at start ------------------------------------------------------------------------------- */

/* Reads a small file whole; its length, or a negative errno. */
static ssize_t read_small(int dir, const char *path, char *buf, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return -errno;
    }
    ssize_t n = read(fd, buf, size);
    if (n < 0) {
        n = -errno;
    }
    close(fd);
    return n;
}

int process_init(void)
{
    struct rlimit files;
    int fd;

    /* Descriptors 0-2 of a child are made by dup2 from higher ones: none of ours may sit there. */
    do {
        fd = open("/dev/null", O_RDWR); // NOLINT: 0-2 are to be inherited
        if (fd < 0) {
            return -errno;
        }
    } while (fd <= 2);
    close(fd);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
        return -errno;
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return -errno;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
        return -errno;
    }
    state.files_soft = files.rlim_cur;

    ssize_t n = read_small(AT_FDCWD, "/proc/sys/kernel/random/boot_id", state.boot_id,
                           sizeof state.boot_id - 1);
    state.boot_id[n > 0 ? n : 0] = '\0';
    state.boot_id[strcspn(state.boot_id, "\n")] = '\0';

    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    state.children = open(path, O_RDONLY | O_CLOEXEC);

    siginfo_t info;
    state.had_children = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    return 0;
}

const char *process_boot_id(void)
{
    return state.boot_id;
}

static bool instance_valid(const char *text, ssize_t n)
{
    return n >= PROCESS_INSTANCE_SIZE - 1 &&
           strspn(text, "0123456789abcdef") == PROCESS_INSTANCE_SIZE - 1;
}

static int instance_make(int state_dir, char out[PROCESS_INSTANCE_SIZE])
{
    unsigned char random[(PROCESS_INSTANCE_SIZE - 1) / 2];

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return -EIO;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    }

    int fd = openat(state_dir, "instance.new",
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -errno;
    }
    int result = 0;
    errno = EIO;
    if (write(fd, out, PROCESS_INSTANCE_SIZE - 1) != PROCESS_INSTANCE_SIZE - 1 || fsync(fd) < 0) {
        result = -errno;
    }
    close(fd);
    if (result == 0 && renameat(state_dir, "instance.new", state_dir, "instance") < 0) {
        result = -errno;
    }
    return result;
}

int process_instance(int state_dir, char out[PROCESS_INSTANCE_SIZE])
{
    char text[PROCESS_INSTANCE_SIZE + 1] = "";
    ssize_t n = read_small(state_dir, "instance", text, sizeof text - 1);

    if (instance_valid(text, n)) {
        memcpy(out, text, PROCESS_INSTANCE_SIZE - 1);
        out[PROCESS_INSTANCE_SIZE - 1] = '\0';
        return 0;
    }
    /* A damaged file is replaced: the worst it costs is orphans of before, found by their pid
     * only. */
    return n < 0 && n != -ENOENT ? (int)n : instance_make(state_dir, out);
}

int process_find_helper(char **path)
{
    const char *asked = getenv("COSCHED_EXEC");

    *path = NULL;
    if (!asked || !*asked) {
        return 0;
    }
    if (access(asked, X_OK) < 0) {
        return -ENOENT;
    }
    *path = strdup(asked);
    return *path ? 0 : -ENOMEM;
}

/* --- which children are ours ---------------------------------------------------------------- */

/* Where pid stands or would stand. Under the lock. */
static size_t registry_place(pid_t pid)
{
    size_t low = 0, high = state.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (state.pids[middle] < pid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool registry_has(pid_t pid)
{
    size_t place = registry_place(pid);
    return place < state.count && state.pids[place] == pid;
}

/* Room is reserved before the child exists: a registration that fails would leave a child that
 * nobody waits for. */
int process_register_begin(void)
{
    int result = 0;

    pthread_mutex_lock(&state.lock);
    if (state.count + state.spawning == state.cap) {
        size_t cap = state.cap ? 2 * state.cap : 64;
        pid_t *pids = realloc(state.pids, cap * sizeof *pids);
        if (pids) {
            state.pids = pids;
            state.cap = cap;
        } else {
            result = -ENOMEM;
        }
    }
    if (result == 0) {
        state.spawning++;
    }
    pthread_mutex_unlock(&state.lock);
    return result;
}

/* pid 0: no child came of it. */
void process_register_end(pid_t pid)
{
    pthread_mutex_lock(&state.lock);
    state.spawning--;
    if (pid > 0) {
        size_t place = registry_place(pid);
        memmove(state.pids + place + 1, state.pids + place,
                (state.count - place) * sizeof *state.pids);
        state.pids[place] = pid;
        state.count++;
    }
    pthread_mutex_unlock(&state.lock);
}

/* Under the lock. */
static void registry_remove(pid_t pid)
{
    size_t place = registry_place(pid);
    if (place < state.count && state.pids[place] == pid) {
        state.count--;
        memmove(state.pids + place, state.pids + place + 1,
                (state.count - place) * sizeof *state.pids);
    }
}

void process_reaped(pid_t pid)
{
    pthread_mutex_lock(&state.lock);
    registry_remove(pid);
    pthread_mutex_unlock(&state.lock);
}

bool process_ends_within(pid_t pid, int ms, int *status)
{
    struct pollfd end = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    bool ended = false;

    if (end.fd < 0) {
        return false;
    }
    /* A signal that cuts the wait short only makes it one that lasts. */
    if (poll(&end, 1, ms) > 0) {
        /* Its number is given up in the same breath: nobody may signal its successor. */
        pthread_mutex_lock(&state.lock);
        ended = waitpid(pid, status, WNOHANG) == pid;
        if (ended) {
            registry_remove(pid);
        }
        pthread_mutex_unlock(&state.lock);
    }
    close(end.fd);
    return ended;
}

bool process_registered(pid_t pid)
{
    pthread_mutex_lock(&state.lock);
    bool found = registry_has(pid);
    pthread_mutex_unlock(&state.lock);
    return found;
}

uint64_t process_files_soft(void)
{
    return state.files_soft;
}

bool process_only_orphans(void)
{
    pthread_mutex_lock(&state.lock);
    bool only = !state.had_children && state.count == 0 && state.spawning == 0;
    pthread_mutex_unlock(&state.lock);
    return only;
}

/* --- signals and orphans -------------------------------------------------------------------- */

int process_signal_group(pid_t pid, int signal_number)
{
    int result = -ESRCH;

    /* Only while it is registered is the number certain to be that child's: under the lock it stays so. */
    pthread_mutex_lock(&state.lock);
    if (pid > 1 && registry_has(pid)) {
        result = kill(-pid, signal_number) < 0 ? -errno : 0;
    }
    pthread_mutex_unlock(&state.lock);
    return result;
}

/* Children of the thread-group leader: the kernel hands orphans to it. Calls each(pid) until it
 * says stop. -ENOSYS without CONFIG_PROC_CHILDREN. The file is kept open: it is asked after every
 * job, nearly always answers with one line, and each read from its start is a fresh look. */
static int for_each_leader_child(bool (*each)(pid_t pid, void *arg), void *arg)
{
    char text[CHILDREN_TEXT + 1];
    off_t offset = 0;
    pid_t pid = 0;

    if (state.children < 0) {
        return -ENOSYS;
    }
    for (;;) {
        ssize_t n = pread(state.children, text, CHILDREN_TEXT, offset);
        if (n < 0) {
            return -errno;
        }
        for (ssize_t i = 0; i < n; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = 10 * pid + (text[i] - '0');
            } else if (pid > 0) {
                if (!each(pid, arg)) {
                    return 0;
                }
                pid = 0;
            }
        }
        if (n == 0) {
            return 0;
        }
        offset += n;
    }
}

/* Under the lock. */
static bool reap_one(pid_t pid, void *count)
{
    siginfo_t info = {.si_pid = 0};

    if (registry_has(pid)) {
        return true;
    }
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid) {
        ++*(int *)count;
    }
    return true;
}

int process_reap_orphans(void)
{
    int count = 0;

    pthread_mutex_lock(&state.lock);
    while (state.spawning == 0) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0) {
            break;
        }
        if (registry_has(info.si_pid)) {
            /* Its task will take it. It hides those behind it: look at each child by number. */
            for_each_leader_child(reap_one, &count);
            break;
        }
        reap_one(info.si_pid, &count);
    }
    pthread_mutex_unlock(&state.lock);
    return count;
}

static bool find_stranger(pid_t pid, void *found)
{
    *(bool *)found = !process_registered(pid);
    return !*(bool *)found;
}

/* process_may_have_left reads so many children on MAIN: 20 µs. */
enum { CHILDREN_INLINE = 64 };

bool process_has_strangers(void)
{
    bool stranger = false;

    /* Children being spawned just now are on their spawning thread's list, not on this one. */
    return for_each_leader_child(find_stranger, &stranger) < 0 || stranger;
}

bool process_group_lives(pid_t pid)
{
    process_reap_orphans(); /* a zombie counts as a member */
    return pid > 1 && kill(-pid, 0) == 0;
}

bool process_may_have_left(pid_t pid)
{
    if (process_group_lives(pid)) {
        return true;
    }
    /* The main process is gone, so whatever it left has passed to us: the kernel hands children on
     * before it reports a death. A long list of children is not read here, but by
     * process_end_leftovers. */
    pthread_mutex_lock(&state.lock);
    bool many = state.count > CHILDREN_INLINE;
    pthread_mutex_unlock(&state.lock);
    return many || process_has_strangers();
}
