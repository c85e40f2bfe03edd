/* A blocking client of the protocol: one connection, requests out, messages in.
 *
 * It never writes without being ready to read: a daemon that cannot deliver its answers would stop
 * taking requests, and both would wait for ever. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/buf.h"
#include "wire/frame.h"
#include "wire/message.h"

#define CLIENT_PATH_MAX 107 /* what sockaddr_un holds besides its NUL */

struct client {
    int fd;         /* -1: not connected */
    struct buf out; /* requests not yet taken by the socket, from `sent` on */
    size_t sent;
    struct frame in;
    int64_t last_id;
    bool write_closed;         /* the daemon takes no more; what it said may still be read */
    const sigset_t *wait_mask; /* borrowed: signals blocked while it waits; NULL: unchanged */
    char path[CLIENT_PATH_MAX + 1];
};

void client_init(struct client *client);
void client_close(struct client *client);
/* 0 or a negative errno; -ENAMETOOLONG: no Unix socket has such an address. */
int client_open(struct client *client, const char *path);

/* Starts a request: the caller writes its params, an object, and calls client_end. Its id. */
int64_t client_begin(struct client *client, struct writer *w, const char *method);
void client_end(struct writer *w);

/* Waits for a message: 1, the caller ends it with message_response_fini. 0: fewer than `low` bytes
 * of requests are left to send, so more can be added (never with low 0). Negative errno otherwise:
 * -EINTR a signal, -ECONNRESET the daemon hung up, -EPROTO it speaks something else, -ENOMEM. */
int client_next(struct client *client, size_t low, struct response *message);

/* The same, and 0 also when `other` (may be NULL) has an event, told in its revents, or the monotonic clock reaches until_ns.
 * A client that is not connected waits for those two alone. */
int client_next_until(struct client *client, struct pollfd *other, int64_t until_ns,
                      struct response *message);

#endif
