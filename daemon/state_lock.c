/* One daemon a state folder. An open-file-description lock: it belongs to the descriptor, so that
 * another open and close of the same file in this process does not drop it, as a traditional record
 * lock would. The price: a child that was about to become a command when its daemon was killed holds
 * the descriptor until it has. Whoever finds the lock held by a process that is gone waits for that.
 */
#include "state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { REMAINS_WAITS_MAX = 10000, REMAINS_WAIT_NS = 1000000 };

static pid_t read_holder(int fd)
{
    char text[24];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    return (pid_t)strtol(text, NULL, 10);
}

static int write_holder(int fd)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0) {
        return -errno;
    }
    ssize_t written = pwrite(fd, text, (size_t)n, 0);
    return written == n ? 0 : written < 0 ? -errno : -EIO;
}

static int open_lock(const char *dir)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
        return -errno;
    }
    int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -errno;
    }
    int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : fd;
    close(folder);
    return r;
}

bool state_lock_await_remains(pid_t holder, int *waits)
{
    const struct timespec moment = {.tv_nsec = REMAINS_WAIT_NS};
    if (holder <= 0 || kill(holder, 0) == 0 || errno != ESRCH || *waits == REMAINS_WAITS_MAX) {
        return false;
    }
    ++*waits;
    nanosleep(&moment, NULL);
    return true;
}

/* 0, -EWOULDBLOCK while a process that lives holds it, or another errno. */
static int take_lock(int fd, pid_t *holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int waits = 0;
    do {
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
            return 0;
        }
        if (errno != EAGAIN && errno != EACCES) {
            return -errno;
        }
        *holder = read_holder(fd);
    } while (state_lock_await_remains(*holder, &waits));
    return -EWOULDBLOCK;
}

int state_lock_acquire(const char *dir, pid_t *holder)
{
    pid_t found = 0;
    int fd = open_lock(dir);
    if (fd < 0) {
        return fd;
    }
    int r = take_lock(fd, &found);
    if (holder != NULL) {
        *holder = found;
    }
    /* The pid is for people; a full disk must not keep the daemon from starting to look at it. */
    if (r == 0) {
        int written = write_holder(fd);
        r = written == -ENOSPC || written == -EDQUOT || written == -EFBIG ? 0 : written;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

void state_lock_release(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}
