/* server.c - see server.h. Users are told apart by what the kernel says of the peer (SO_PEERCRED, SO_PEERGROUPS) when it
 * connects; nothing that a client sends can change it.
 *
 * Out of descriptors the connection stays in the backlog and accepting pauses: a loop that spins there would take the
 * whole thread. Too many connections are answered with the limit's name before they are closed.
 */
#include "server.h"

#include <cosched/io.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "conn.h"
#include "log.h"
#include "state_lock.h"
#include "wire/message.h"

#define BACKLOG    1024
#define GROUPS_MAX 1024

struct link { /* one connection */
    struct link *next, **at;
    struct server *server;
    cosched_stream *stream; /* owned */
    int fd;                 /* borrowed from it */
    uint32_t uid;
    bool admin;
};

struct server {
    struct server_config config;
    cosched_listener *listener; /* owned */
    char *path;                 /* owned: removed at the end; NULL: inherited */
    bool closing;
    bool has_admin_group;
    uint32_t admin_gid;
    int64_t close_deadline;
    struct link *links;
    size_t count;
};

/* --- the socket ------------------------------------------------------------------------------------------ */

/* Who listens there: a pid, 0 when that is not told; -ECONNREFUSED: nobody; another errno. */
static int find_listener(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : -errno;
    if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        rc = peer.pid;
    }
    close(fd);
    /* A full backlog answers EAGAIN: somebody listens there too. */
    return rc == -EAGAIN ? 0 : rc;
}

/* 0: nobody has it (and nothing is there now); -EADDRINUSE: a live daemon; another errno. */
static int clear_path(const char *path)
{
    struct stat status;
    pid_t listener = 0;
    int rc, waits = 0;
    if (lstat(path, &status) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (!S_ISSOCK(status.st_mode)) {
        return -ENOTSOCK;
    }
    /* That of a daemon that was killed may live on for a moment in a child that is becoming a command. */
    do {
        rc = find_listener(path);
        listener = rc > 0 ? rc : listener; /* our looks fill its backlog */
    } while (rc >= 0 && state_lock_await_remains(listener, &waits));
    if (rc >= 0) {
        return -EADDRINUSE;
    }
    if (rc != -ECONNREFUSED && rc != -ENOENT) {
        return rc;
    }
    log_info("removing a stale socket", LOG_STR("socket", path));
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* The folder of the socket, one level: the manager made it for a service, a desk may not have it. */
static int make_folder(const char *path, mode_t mode)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) {
        return 0;
    }
    char *folder = strndup(path, (size_t)(slash - path));
    if (!folder) {
        return -ENOMEM;
    }
    int rc = mkdir(folder, mode) < 0 && errno != EEXIST ? -errno : 0;
    free(folder);
    return rc;
}

static void give_to_group(const char *path)
{
    uint32_t gid = 0;
    if (users_group("cosched", &gid) < 0) {
        return; /* no such group here: the socket stays with ours */
    }
    if (chown(path, (uid_t)-1, (gid_t)gid) < 0) {
        log_warning("cannot give the socket to its group", LOG_STR("socket", path), LOG_ERR(-errno));
    }
}

static int listen_at(struct server *s, const char *path)
{
    struct sockaddr_un address;
    if (strlen(path) >= sizeof address.sun_path) {
        log_error("socket path is too long", LOG_STR("socket", path),
                  LOG_INT("bytes", strlen(path)), LOG_INT("max", sizeof address.sun_path - 1));
        return -ENAMETOOLONG;
    }
    int rc = make_folder(path, s->config.user_instance ? 0700 : 0755);
    if (rc == 0) {
        rc = clear_path(path);
    }
    if (rc == -EADDRINUSE) {
        log_error("a live daemon has this socket", LOG_STR("socket", path));
        return rc;
    }
    if (rc == 0) {
        rc = cosched_listen_unix(&s->listener, path, s->config.user_instance ? 0600 : 0660, BACKLOG);
    }
    if (rc < 0) {
        log_error("cannot listen", LOG_STR("socket", path), LOG_ERR(rc));
        return rc;
    }
    if (!s->config.user_instance) {
        give_to_group(path);
    }
    s->path = strdup(path);
    return 0;
}

int server_reload(struct server *s, const char *admin_group)
{
    s->has_admin_group = *admin_group && users_group(admin_group, &s->admin_gid) == 0;
    if (*admin_group && !s->has_admin_group) {
        log_warning("no such group", LOG_STR("admin_group", admin_group));
    }
    return 0;
}

int server_open(struct server **out, const struct server_config *config)
{
    *out = NULL;
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        return -ENOMEM;
    }
    s->config = *config;
    s->close_deadline = COSCHED_NEVER;
    int rc = server_reload(s, config->admin_group);
    if (rc == 0 && config->inherited_fd >= 0) {
        rc = cosched_listen_fd(&s->listener, config->inherited_fd);
        if (rc < 0) {
            log_error("cannot use the inherited socket", LOG_ERR(rc));
        }
    } else if (rc == 0) {
        rc = listen_at(s, config->path);
    }
    if (rc < 0) {
        server_free(s);
        return rc;
    }
    log_info("listening", LOG_STR("socket", s->path ? s->path : "inherited"));
    *out = s;
    return 0;
}

void server_free(struct server *s)
{
    if (!s) {
        return;
    }
    cosched_listener_close(s->listener);
    free(s->path);
    free(s);
}

/* --- peers ----------------------------------------------------------------------------------------------- */

static bool in_admin_group(const struct server *s, int fd, uint32_t gid)
{
    if (!s->has_admin_group) {
        return false;
    }
    if (gid == s->admin_gid) {
        return true;
    }
    gid_t *groups = malloc(GROUPS_MAX * sizeof *groups);
    socklen_t size = GROUPS_MAX * sizeof *groups;
    bool found = false;
    if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
        for (size_t i = 0; i < size / sizeof *groups && !found; i++) {
            found = groups[i] == (gid_t)s->admin_gid;
        }
    }
    free(groups);
    return found;
}

static size_t connections_of(const struct server *s, uint32_t uid)
{
    size_t count = 0;
    for (const struct link *link = s->links; link; link = link->next) {
        count += link->uid == uid;
    }
    return count;
}

/* A fresh socket has room for one line; what cannot be said is not waited for. */
static void turn_away(int fd, int code, const char *reason, const char *extra)
{
    static const struct message_id nobody = {.type = MESSAGE_ID_NULL};
    struct buf line = BUF_INIT;
    message_error(&line, &nobody, code, NULL, NULL, reason, extra);
    ssize_t sent = send(fd, buf_text(&line), line.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)sent;
    buf_free(&line);
}

/* False: not let in, and told why. */
static bool admit(struct server *s, struct link *link)
{
    const struct config *config = s->config.surface->config;
    struct ucred peer;
    socklen_t size = sizeof peer;
    link->fd = cosched_stream_fileno(link->stream);
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return false;
    }
    link->uid = peer.uid;
    link->admin = peer.uid == 0 || peer.uid == geteuid() || in_admin_group(s, link->fd, peer.gid);
    if (s->config.user_instance && peer.uid != geteuid()) {
        turn_away(link->fd, MESSAGE_NOT_PERMITTED, "this is another user's own instance", NULL);
        return false;
    }
    if (s->count >= (size_t)config->connections) {
        turn_away(link->fd, MESSAGE_LIMIT, NULL,
                  "\"limit\":\"connections\",\"retry_after_ms\":1000");
        return false;
    }
    if (connections_of(s, link->uid) >= (size_t)config->connections_per_user) {
        turn_away(link->fd, MESSAGE_LIMIT, NULL,
                  "\"limit\":\"connections_per_user\",\"retry_after_ms\":1000");
        return false;
    }
    return true;
}

static int64_t link_task(void *arg)
{
    struct link *link = arg;
    struct server *s = link->server;
    const struct conn_config config = {s->config.surface, link->stream, link->uid, link->admin};
    log_debug("connected", LOG_INT("uid", link->uid), LOG_INT("connections", s->count));
    conn_run(&config);
    *link->at = link->next;
    if (link->next) {
        link->next->at = link->at;
    }
    s->count--;
    s->config.surface->metrics->connections = s->count;
    cosched_close(
        link->stream); /* out of the list first: its descriptor's number may be another's soon */
    free(link);
    return 0;
}

static void welcome(struct server *s, cosched_group *group, cosched_stream *stream)
{
    const cosched_attr attr = {.struct_size = sizeof attr, .name = "conn", .affinity = COSCHED_MAIN};
    struct link *link = calloc(1, sizeof *link);
    if (!link) {
        cosched_close(stream);
        return;
    }
    link->server = s;
    link->stream = stream;
    if (!admit(s, link)) {
        cosched_close(stream);
        free(link);
        return;
    }
    link->next = s->links;
    link->at = &s->links;
    if (link->next) {
        link->next->at = &link->next;
    }
    s->links = link;
    s->count++;
    s->config.surface->metrics->connections = s->count;
    int rc = cosched_group_spawn(group, link_task, link, &attr);
    if (rc == 0) {
        return;
    }
    log_warning("no task for a connection", LOG_ERR(rc));
    s->links = link->next;
    if (link->next) {
        link->next->at = &s->links;
    }
    s->count--;
    cosched_close(stream);
    free(link);
}

int64_t server_task(void *arg)
{
    struct server *s = arg;
    cosched_group group;
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    int rc = cosched_group_init(&group, &collect);
    if (rc < 0) {
        return rc;
    }
    bool said = false;
    while (!s->closing) {
        cosched_stream *stream = NULL;
        rc = cosched_accept(s->listener, &stream, COSCHED_NEVER);
        if (rc == 0) {
            welcome(s, &group, stream);
            said = false;
            continue;
        }
        if (s->closing || cosched_cancelled()) {
            break;
        }
        if (!said) {
            log_warning("cannot accept: pausing", LOG_ERR(rc), LOG_INT("connections", s->count));
        }
        said = true;
        if (cosched_sleep_until(cosched_in_ms(100)) < 0) {
            break;
        }
    }
    for (struct link *link = s->links; link; link = link->next) {
        (void)shutdown(link->fd, SHUT_RD); /* its reader comes to an end, its answers still go out */
    }
    cosched_group_join(&group, s->close_deadline);
    return 0;
}

void server_close(struct server *s, int64_t deadline)
{
    s->closing = true;
    s->close_deadline = deadline;
    if (s->path) {
        (void)unlink(s->path); /* still under the lock of the state folder */
    }
    cosched_listener_close(s->listener);
    s->listener = NULL;
}
