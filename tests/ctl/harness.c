/* See harness.h. One test, one process (libcheck forks), so plain statics hold its state. */
#include "harness.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = HARNESS_DIR "/ctl-XXXXXX";
static int listener = -1;
static pthread_t thread;
static bool threaded;
static pid_t spawned;
static pthread_mutex_t spawned_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t spawned_known = PTHREAD_COND_INITIALIZER;

static void *serve(void *arg)
{
    void (**script)(struct peer *) = arg;
    struct peer peer = {.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)};
    if (peer.fd < 0) {
        return NULL; /* harness_stop shut the listener: the client never came */
    }
    frame_init(&peer.in, FRAME_LINE_MAX);
    (*script)(&peer);
    message_request_fini(&peer.request);
    frame_fini(&peer.in);
    (void)close(peer.fd);
    return NULL;
}

void harness_start(void (*script)(struct peer *peer))
{
    static void (*kept)(struct peer *);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    (void)signal(SIGPIPE, SIG_IGN);
    if (!script) {
        return;
    }
    kept = script;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(listener, 0);
    ck_assert_int_eq(
        bind(listener, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, &kept), 0);
    threaded = true;
}

pid_t harness_spawn(const char *const *arguments)
{
    char *argv[32];
    size_t n = 0;

    union {
        const char *in;
        char *out;
    } text = {"coschedctl"};

    argv[n++] = text.out;
    for (; *arguments; arguments++) {
        ck_assert_uint_lt(n, 31);
        text.in = *arguments;
        argv[n++] = text.out;
    }
    argv[n] = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    pid_t pid;
    const char *input = access("in", R_OK) == 0 ? "in" : "/dev/null";
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)posix_spawn_file_actions_addopen(&actions, 2, "err", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)posix_spawnattr_init(&attributes);
    (void)sigfillset(&defaults);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    ck_assert_int_eq(posix_spawn(&pid, COSCHEDCTL, &actions, &attributes, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)pthread_mutex_lock(&spawned_lock);
    spawned = pid;
    (void)pthread_cond_broadcast(&spawned_known);
    (void)pthread_mutex_unlock(&spawned_lock);
    return pid;
}

int harness_wait(pid_t client)
{
    int status;
    while (waitpid(client, &status, 0) < 0) {
        ck_assert_int_eq(errno, EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void harness_stop(void)
{
    if (threaded) {
        (void)shutdown(listener, SHUT_RDWR);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        (void)close(listener);
        threaded = false;
    }
    DIR *dir = opendir(".");
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        (void)unlink(entry->d_name);
    }
    (void)closedir(dir);
    ck_assert_int_eq(chdir("/"), 0);
    (void)rmdir(directory);
    (void)harness_file(NULL);
}

const char *harness_file(const char *name)
{
    static struct {
        char name[8];
        char *text;
    } files[4];

    if (!name) {
        for (size_t i = 0; i < 4; i++) {
            free(files[i].text);
            files[i].text = NULL;
        }
        return NULL;
    }
    size_t i = 0;
    while (files[i].text && strcmp(files[i].name, name) != 0) {
        i++;
        ck_assert_uint_lt(i, 4);
    }
    FILE *file = fopen(name, "re");
    ck_assert_ptr_nonnull(file);
    struct stat st;
    ck_assert_int_eq(fstat(fileno(file), &st), 0);
    free(files[i].text);
    files[i].text = malloc((size_t)st.st_size + 1);
    ck_assert_ptr_nonnull(files[i].text);
    size_t n = fread(files[i].text, 1, (size_t)st.st_size, file);
    files[i].text[n] = '\0';
    (void)snprintf(files[i].name, sizeof files[i].name, "%s", name);
    (void)fclose(file);
    return files[i].text;
}

void harness_write(const char *name, const char *text, size_t n)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, n, file), n);
    ck_assert_int_eq(fclose(file), 0);
}

/* --- the script ----------------------------------------------------------------------------------- */

bool peer_read(struct peer *peer)
{
    struct message_error error;
    char *line;
    size_t len;
    message_request_fini(&peer->request);
    while (frame_next(&peer->in, &line, &len) != FRAME_LINE) {
        size_t room;
        char *space = frame_space(&peer->in, &room);
        ck_assert_ptr_nonnull(space);
        ssize_t n = recv(peer->fd, space, room, 0);
        if (n <= 0) {
            return false;
        }
        frame_added(&peer->in, (size_t)n);
    }
    ck_assert_msg(message_parse_request(line, len, &peer->request, &error) == 0, "%s: %.200s",
                  error.text, line);
    return true;
}

void peer_expect(struct peer *peer, const char *method)
{
    ck_assert_msg(peer_read(peer), "no %s came", method);
    ck_assert_str_eq(peer->request.method, method);
}

void peer_send(struct peer *peer, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(peer->fd, text, n, MSG_NOSIGNAL);
        if (sent < 0) {
            return; /* the client left: its exit status will tell */
        }
        text += sent;
        n -= (size_t)sent;
    }
}

static void append_json(struct buf *out, const char *json)
{
    for (; *json; json++) {
        buf_putc(out, *json == '\'' ? '"' : *json);
    }
}

static void send_buf(struct peer *peer, struct buf *line)
{
    ck_assert(!line->failed);
    peer_send(peer, line->data, line->len);
    buf_free(line);
}

void peer_result_to(struct peer *peer, int64_t id, const char *json)
{
    struct buf line = BUF_INIT;
    struct message_id to = {.type = MESSAGE_ID_INT, .number = id};
    struct writer w;
    message_result_begin(&w, &line, &to);
    append_json(&line, json);
    message_result_end(&w);
    send_buf(peer, &line);
}

void peer_result(struct peer *peer, const char *json)
{
    peer_result_to(peer, peer->request.id.number, json);
}

void peer_error(struct peer *peer, int code, const char *text, const char *path)
{
    struct buf line = BUF_INIT;
    message_error(&line, &peer->request.id, code, text, path, NULL, NULL);
    send_buf(peer, &line);
}

void peer_event(struct peer *peer, const char *members)
{
    struct buf line = BUF_INIT;
    struct writer w;
    writer_init(&w, &line);
    buf_literal(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{");
    append_json(&line, members);
    buf_literal(&line, "}}\n");
    send_buf(peer, &line);
}

void peer_signal(struct peer *peer, int signal)
{
    (void)pthread_mutex_lock(&spawned_lock);
    while (spawned == 0) {
        (void)pthread_cond_wait(&spawned_known, &spawned_lock);
    }
    peer->client = spawned;
    (void)pthread_mutex_unlock(&spawned_lock);
    ck_assert_int_eq(kill(peer->client, signal), 0);
}

void peer_drain(struct peer *peer)
{
    while (peer_read(peer)) {
    }
}
