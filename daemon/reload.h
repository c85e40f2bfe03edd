/* reload.h - the settings read again while the daemon runs. */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H
#include <cosched/cosched.h>

#include "server.h"

/* What to read, and who acts on it. One for the daemon, zeroed and filled; all borrowed. */
struct reload {
    int argc;
    char **argv; /* the command line leads to the files again */
    struct config *config;
    struct dispatch *dispatch;
    struct server *server;
    const int *stop_requests; /* of the daemon: while there are none the service manager is told */
    cosched_mutex lock;       /* one at a time: the verb and the signal share it */
};

/* All or nothing: settings with a fault change nothing. 0, or a negative errno and the first fault in *out. A task on
 * MAIN; suspends. */
int reload_settings(struct reload *reload, struct surface_reload *out);

#endif
