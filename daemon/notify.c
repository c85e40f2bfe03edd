/* notify.c - see notify.h. The protocol is one datagram of text to the socket that NOTIFY_SOCKET names: a path, or
 * "@name" for an abstract one. libsystemd would cost five libraries for these lines.
 */
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static struct {
    int fd; /* owned; -1 when nobody listens */
    struct sockaddr_un address;
    socklen_t address_length;
    int64_t watchdog_ns;
} manager = {.fd = -1};

/* The decimal number in `name`, which leaves the environment. -1: not set, -EINVAL: no number. */
static int64_t take_number(const char *name)
{
    const char *text = getenv(name);
    if (!text) {
        return -1;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    bool good = errno == 0 && end != text && *end == '\0' && value >= 0;
    unsetenv(name);
    return good ? (int64_t)value : -EINVAL;
}

static int address_set(const char *path)
{
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length < 2) {
        return -EAFNOSUPPORT;
    }
    if (length >= sizeof manager.address.sun_path) {
        return -ENAMETOOLONG;
    }
    memset(&manager.address, 0, sizeof manager.address);
    manager.address.sun_family = AF_UNIX;
    memcpy(manager.address.sun_path, path, length);
    if (path[0] == '@') { /* abstract: a NUL first, and the length does not count one at the end */
        manager.address.sun_path[0] = '\0';
    }
    size_t tail = path[0] == '@' ? 0 : 1;
    manager.address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + tail);
    return 0;
}

int notify_open(void)
{
    int64_t pid = take_number("WATCHDOG_PID");
    int64_t usec = take_number("WATCHDOG_USEC");
    manager.watchdog_ns = usec > 0 && (pid == -1 || pid == getpid()) ? usec * 1000 : 0;
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path) {
        return 0;
    }
    int rc = address_set(path);
    unsetenv("NOTIFY_SOCKET");
    if (rc < 0) {
        return rc;
    }
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return manager.fd < 0 ? -errno : 0;
}

void notify_close(void)
{
    if (manager.fd >= 0) {
        close(manager.fd);
    }
    manager.fd = -1;
    manager.watchdog_ns = 0;
}

int notify_send(const char *state)
{
    if (manager.fd < 0) {
        return 0;
    }
    ssize_t sent = sendto(manager.fd, state, strlen(state), MSG_NOSIGNAL,
                          (const struct sockaddr *)&manager.address, manager.address_length);
    return sent < 0 ? -errno : 0;
}

static int send_with_status(const char *first, const char *status)
{
    char text[512];
    /* The protocol is one variable a line: a newline in the status would start another. */
    int length = snprintf(text, sizeof text, "%s%sSTATUS=", first, *first ? "\n" : "");
    for (const char *p = status; *p && length < (int)sizeof text - 1; p++) {
        text[length++] = *p == '\n' ? ' ' : *p;
    }
    text[length] = '\0';
    return notify_send(text);
}

int notify_ready(const char *status)
{
    return send_with_status("READY=1", status);
}

int notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    char text[64];
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    return notify_send(text);
}

int notify_stopping(const char *status)
{
    return send_with_status("STOPPING=1", status);
}

int notify_status(const char *status)
{
    return send_with_status("", status);
}

int64_t notify_watchdog_ns(void)
{
    return manager.fd >= 0 ? manager.watchdog_ns : 0;
}

int notify_watchdog(void)
{
    return notify_send("WATCHDOG=1");
}

int notify_listen_fds(void)
{
    int64_t pid = take_number("LISTEN_PID");
    int64_t count = take_number("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid == -1 || count == -1 || pid != getpid()) {
        return 0;
    }
    if (count < 0 || count > 1024) {
        return -EINVAL;
    }
    for (int i = 0; i < (int)count; i++) {
        int flags = fcntl(NOTIFY_LISTEN_FD_FIRST + i, F_GETFD);
        if (flags < 0 || fcntl(NOTIFY_LISTEN_FD_FIRST + i, F_SETFD, flags | FD_CLOEXEC) < 0) {
            return -errno;
        }
    }
    return (int)count;
}
