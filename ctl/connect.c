/* Which socket (CONTRACT §1): --socket, --system or --user, $COSCHED_SOCKET, the user socket if a
 * daemon answers there, the system socket. Every failure names what was tried. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "output.h"
#include "terminal.h"

#define SYSTEM_SOCKET "/run/cosched/cosched.sock"

static int unreachable(const struct ctl *ctl, const char *path, int error)
{
    char what[600];
    struct buf clean = BUF_INIT;
    terminal_clean(&clean, path, strlen(path));
    (void)snprintf(what, sizeof what, "cannot connect to %s", buf_text(&clean));
    buf_free(&clean);
    if (error == -ENAMETOOLONG) {
        return ctl_fail(ctl, CTL_UNREACHABLE, what, "longer than the %d bytes of a socket address",
                        CLIENT_PATH_MAX);
    }
    int status = error == -EACCES || error == -EPERM ? CTL_NOT_PERMITTED : CTL_UNREACHABLE;
    return ctl_fail(ctl, status, what, "%s", strerror(-error));
}

static int open_named(struct ctl *ctl, const char *path)
{
    int error = client_open(&ctl->client, path);
    return error < 0 ? unreachable(ctl, path, error) : 0;
}

/* $XDG_RUNTIME_DIR/cosched/cosched.sock. False: the variable is not set. */
static bool user_socket(struct buf *path)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (!runtime || !*runtime) {
        return false;
    }
    buf_printf(path, "%s/cosched/cosched.sock", runtime);
    return true;
}

static int open_user(struct ctl *ctl)
{
    struct buf path = BUF_INIT;
    int status = user_socket(&path) ? open_named(ctl, buf_text(&path))
                                    : ctl_fail(ctl, CTL_UNREACHABLE, "cannot find the user's socket",
                                               "XDG_RUNTIME_DIR is not set");
    buf_free(&path);
    return status;
}

/* Nothing was named: the user's own daemon first, then the system's. */
static int open_any(struct ctl *ctl)
{
    struct buf path = BUF_INIT;
    int user_error = 0;
    bool user = user_socket(&path);
    if (user) {
        user_error = client_open(&ctl->client, buf_text(&path));
        if (user_error == 0) {
            buf_free(&path);
            return 0;
        }
    }
    int error = client_open(&ctl->client, SYSTEM_SOCKET);
    int status = 0;
    if (error < 0 && user) {
        struct buf clean = BUF_INIT;
        terminal_clean(&clean, buf_text(&path), path.len);
        status = error == -EACCES || error == -EPERM ? CTL_NOT_PERMITTED : CTL_UNREACHABLE;
        status = ctl_fail(ctl, status, "cannot connect", "%s: %s; " SYSTEM_SOCKET ": %s",
                          buf_text(&clean), strerror(-user_error), strerror(-error));
        buf_free(&clean);
    } else if (error < 0) {
        status = unreachable(ctl, SYSTEM_SOCKET, error);
    }
    buf_free(&path);
    return status;
}

int ctl_connect(struct ctl *ctl)
{
    /* Options are known by now, also those behind the command. */
    ctl->output = ctl->json ? &output_json : &output_text;
    if (ctl->client.fd >= 0) {
        return 0;
    }
    if (ctl->socket) {
        return open_named(ctl, ctl->socket);
    }
    if (ctl->system) {
        return open_named(ctl, SYSTEM_SOCKET);
    }
    if (ctl->user) {
        return open_user(ctl);
    }
    const char *named = getenv("COSCHED_SOCKET");
    return named && *named ? open_named(ctl, named) : open_any(ctl);
}
