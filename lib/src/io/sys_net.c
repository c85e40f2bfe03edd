/* See sys_net.h. Any thread; nothing here knows of tasks. */
#include "io/sys_net.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "io/address.h"
#include "io/sys.h"

static const struct sockaddr *raw(const struct cosched_address *a)
{
    return (const struct sockaddr *)&a->to;
}

int cos_sys_net_socket(int family, int type)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

int cos_sys_net_connect(int fd, const struct cosched_address *to)
{
    for (;;) {
        if (connect(fd, raw(to), to->size) == 0 || errno == EISCONN) {
            return 0;
        }
        if (errno == EINPROGRESS || errno == EALREADY) {
            return -EAGAIN;
        }
        if (errno == EAGAIN) {
            return -EADDRNOTAVAIL; /* no local port is left: nothing that writability would tell of */
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static bool is_any_in6(const struct cosched_address *a)
{
    struct sockaddr_in6 in6;
    if (a->to.ss_family != AF_INET6) {
        return false;
    }
    memcpy(&in6, &a->to, sizeof in6);
    return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

int cos_sys_net_bound(int type, const struct cosched_address *at)
{
    int fd = cos_sys_net_socket(at->to.ss_family, type);
    if (fd < 0) {
        return fd;
    }
    int rc = 0;
    if (at->to.ss_family == AF_INET6) {
        rc = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any_in6(at)); /* whatever the system's default */
    }
    if (rc == 0 && type == SOCK_STREAM) {
        /* Connections of a former server that still linger do not keep the next one from its port. */
        rc = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (rc == 0 && bind(fd, raw(at), at->size) < 0) {
        rc = -errno;
    }
    if (rc < 0) {
        cos_sys_close(fd);
        return rc;
    }
    return fd;
}

int cos_sys_net_bound_any(int type, uint16_t port)
{
    struct cosched_address at;
    cos_address_any(&at, AF_INET6, port);
    int fd = cos_sys_net_bound(type, &at);
    if (fd == -EAFNOSUPPORT ||
        fd == -EADDRNOTAVAIL) { /* a kernel without IPv6, or one that has it switched off */
        cos_address_any(&at, AF_INET, port);
        fd = cos_sys_net_bound(type, &at);
    }
    return fd;
}

int cos_sys_net_listen(int fd, int backlog)
{
    return listen(fd, backlog) < 0 ? -errno : 0;
}

int cos_sys_net_local(int fd, struct cosched_address *out)
{
    *out = (struct cosched_address){.size = sizeof out->to};
    return getsockname(fd, (struct sockaddr *)&out->to, &out->size) < 0 ? -errno : 0;
}

int cos_sys_net_peer(int fd, struct cosched_address *out)
{
    *out = (struct cosched_address){.size = sizeof out->to};
    return getpeername(fd, (struct sockaddr *)&out->to, &out->size) < 0 ? -errno : 0;
}

int cos_sys_net_port(int fd)
{
    struct cosched_address a;
    int rc = cos_sys_net_local(fd, &a);
    return rc < 0 ? rc : cosched_address_port(&a);
}

int cos_sys_net_nodelay(int fd, bool on)
{
    return set(fd, IPPROTO_TCP, TCP_NODELAY, on);
}

int cos_sys_net_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

int64_t cos_sys_net_send_to(int fd, const void *buffer, size_t size,
                            const struct cosched_address *to)
{
    for (;;) {
        ssize_t n = sendto(fd, buffer, size, MSG_DONTWAIT | MSG_NOSIGNAL, raw(to), to->size);
        if (n >= 0) {
            return n;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

int64_t cos_sys_net_recv_from(int fd, void *buffer, size_t size, struct cosched_address *from)
{
    for (;;) {
        struct iovec part = {.iov_base = buffer, .iov_len = size};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
        if (from != NULL) {
            m.msg_name = &from->to;
            m.msg_namelen = sizeof from->to;
        }
        ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n >= 0 && from != NULL) {
            from->size = m.msg_namelen;
        }
        return n < 0 ? -errno : (m.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : n;
    }
}

/* Room for one descriptor, aligned as the kernel wants it. */
union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

static bool is_unix(int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

int cos_sys_net_send_fd(int fd, int passed)
{
    if (!is_unix(fd)) {
        return -EOPNOTSUPP; /* TCP would send the byte and drop the rest without a word */
    }
    char byte = 0;
    union control control = {.head = {.cmsg_len = CMSG_LEN(sizeof passed),
                                      .cmsg_level = SOL_SOCKET,
                                      .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &passed, sizeof passed);
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = CMSG_LEN(sizeof passed)};
    while (sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int cos_sys_net_recv_fd(int fd)
{
    char byte;
    union control control;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m;
    ssize_t n;
    do {
        memset(&control, 0, sizeof control);
        /* CMSG_LEN: with CMSG_SPACE its padding would hold a second one. */
        m = (struct msghdr){.msg_iov = &part,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = CMSG_LEN(sizeof(int))};
        n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        return n < 0 ? -errno : -EPIPE;
    }
    bool cut = (m.msg_flags & MSG_CTRUNC) != 0;
    if (m.msg_controllen < CMSG_LEN(sizeof(int)) || control.head.cmsg_level != SOL_SOCKET ||
        control.head.cmsg_type != SCM_RIGHTS) {
        return cut ? -EMFILE : -EBADMSG; /* there was one, and no room for it in this process */
    }
    int passed;
    memcpy(&passed, CMSG_DATA(&control.head), sizeof passed);
    if (cut) {
        cos_sys_close(passed); /* the others were closed by the kernel */
        return -EBADMSG;
    }
    return passed;
}
