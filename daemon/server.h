/* server.h - the listening socket, and who is let in.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H
#include <cosched/cosched.h>

#include "command.h"

struct server;

struct server_config {
    struct surface *surface; /* borrowed until server_close */
    const char *path;        /* the socket; ignored with inherited_fd */
    int inherited_fd;        /* a listening socket of the manager's, taken over; -1: none */
    bool user_instance; /* mode 0600 and our own user only; else 0660 and the group "cosched" */
    const char *admin_group; /* "" : none */
};

/* The caller holds the lock of the state folder: only then may a stale socket be removed. 0, or a negative errno that has
 * been logged: -EADDRINUSE (a live daemon has the socket), -ENAMETOOLONG, -EACCES … */
int server_open(struct server **out, const struct server_config *config);
/* The task that accepts and owns the connections; returns after server_close when all have ended. */
int64_t server_task(void *arg);
/* No more connections; what was asked is still answered until the deadline, then the connections are cut. The task
 * returns soon after. */
void server_close(struct server *server, int64_t deadline);
void server_free(struct server *server); /* after the task has returned; NULL is fine */
int server_reload(struct server *server, const char *admin_group);

#endif
