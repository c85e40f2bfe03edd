/* coschedctl against a scripted daemon: a thread of the test plays the daemon on a socket in a
 * directory of its own, the client is the real program. */
#ifndef CTL_HARNESS_H
#define CTL_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/frame.h"
#include "wire/message.h"

/* The daemon's end of one connection. */
struct peer {
    int fd;
    struct frame in;
    struct request request; /* the last one read */
    pid_t client;           /* once harness_spawn has returned */
};

/* Makes a directory below the build tree, enters it and listens at "s". The script runs in a
 * thread for the first connection; the connection is closed when it returns. NULL: no daemon. */
void harness_start(void (*script)(struct peer *peer));
/* Starts coschedctl with the arguments (NULL ends them), "out" and "err" as its output and "in",
 * if it exists, as its input. */
pid_t harness_spawn(const char *const *arguments);
int harness_wait(pid_t client); /* its exit status; 128 + N after a signal */
/* Ends the script's thread and removes the directory. */
void harness_stop(void);

/* All at once with "--socket s" in front; the exit status. */
#define harness_ctl(...) \
    harness_wait(harness_spawn((const char *const[]){"--socket", "s", __VA_ARGS__, NULL}))
/* Without a socket option. */
#define harness_bare(...) harness_wait(harness_spawn((const char *const[]){__VA_ARGS__, NULL}))

const char *harness_file(const char *name); /* contents; valid until the next call for that name */
void harness_write(const char *name, const char *text, size_t n);
#define ck_assert_contains(text, part) \
    ck_assert_msg(strstr((text), (part)) != NULL, "\"%s\" lacks \"%s\"", (text), (part))
#define ck_assert_lacks(text, part) \
    ck_assert_msg(strstr((text), (part)) == NULL, "\"%s\" has \"%s\"", (text), (part))

/* --- the script --- */

/* Reads the next request into peer->request; false at the end of the connection. */
bool peer_read(struct peer *peer);
/* Reads one that must have this method. */
void peer_expect(struct peer *peer, const char *method);
/* Answers the last request with JSON text; ' stands for ". */
void peer_result(struct peer *peer, const char *json);
void peer_result_to(struct peer *peer, int64_t id, const char *json);
/* data holds more members, or NULL. */
void peer_error(struct peer *peer, int code, const char *text, const char *path);
/* An event with these members of params. */
void peer_event(struct peer *peer, const char *members);
void peer_send(struct peer *peer, const char *text, size_t n);
/* Signals the client as soon as its process is known. */
void peer_signal(struct peer *peer, int signal);
/* Waits until the client has hung up. */
void peer_drain(struct peer *peer);

#endif
