/* More system calls of io/, for the internet's sockets; see sys.h for why they stand apart. */
#ifndef COS_IO_SYS_NET_H
#define COS_IO_SYS_NET_H
#include <cosched/io.h>

int cos_sys_net_socket(int family, int type); /* non-blocking, close-on-exec */
/* 0 connected; -EAGAIN: under way, and asked again once fd is writable. */
int cos_sys_net_connect(int fd, const struct cosched_address *to);
/* A socket of `type` bound to at; an IPv6 one that is bound to every address takes IPv4 in, too. */
int cos_sys_net_bound(int type, const struct cosched_address *at);
/* The same on every address of this machine: of both families, or of IPv4 where there is no IPv6. */
int cos_sys_net_bound_any(int type, uint16_t port);
int cos_sys_net_listen(int fd, int backlog);
int cos_sys_net_port(int fd); /* that fd is bound to */
int cos_sys_net_local(int fd, struct cosched_address *out);
int cos_sys_net_peer(int fd, struct cosched_address *out);
int cos_sys_net_nodelay(int fd, bool on);
int cos_sys_net_shutdown_write(int fd);

/* One datagram: its size, or -EAGAIN … One that is larger than the buffer is taken and gone: -EMSGSIZE. from may be
 * NULL. */
int64_t cos_sys_net_send_to(int fd, const void *buffer, size_t size,
                            const struct cosched_address *to);
int64_t cos_sys_net_recv_from(int fd, void *buffer, size_t size, struct cosched_address *from);

/* One byte with one descriptor; only unix sockets carry them: -EOPNOTSUPP. */
int cos_sys_net_send_fd(int fd, int passed);
/* A close-on-exec descriptor; -EPIPE: the end; -EBADMSG: a byte that came without one, or with several. */
int cos_sys_net_recv_fd(int fd);
#endif
