/* A blocking client of the protocol. One thread, one connection; poll(2) decides between writing
 * and reading. It never retries by itself: a request may have taken effect. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SENT_COMPACT 65536

void client_init(struct client *client)
{
    memset(client, 0, sizeof *client);
    client->fd = -1;
    frame_init(&client->in, FRAME_ANSWER_MAX);
}

void client_close(struct client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    buf_free(&client->out);
    frame_fini(&client->in);
    client_init(client);
}

int client_open(struct client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len > CLIENT_PATH_MAX) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, len + 1);
    memcpy(client->path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address) < 0) {
        int error = -errno;
        (void)close(fd);
        return error;
    }
    client->fd = fd;
    return 0;
}

int64_t client_begin(struct client *client, struct writer *w, const char *method)
{
    client->last_id++;
    message_request_begin(w, &client->out, client->last_id, method);
    return client->last_id;
}

void client_end(struct writer *w)
{
    message_request_end(w);
}

/* Gives the socket what it takes now. 0 or a negative errno. */
static int send_some(struct client *client)
{
    ssize_t n = send(client->fd, client->out.data + client->sent, client->out.len - client->sent,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
        int error = errno;
        if (error == EAGAIN || error == EINTR) {
            return 0;
        }
        if (error == EPIPE || error == ECONNRESET) {
            /* It may have said why before it hung up: go on reading. */
            client->write_closed = true;
            buf_reset(&client->out);
            client->sent = 0;
            return 0;
        }
        return -error;
    }
    client->sent += (size_t)n;
    if (client->sent == client->out.len) {
        buf_reset(&client->out);
        client->sent = 0;
    } else if (client->sent > SENT_COMPACT && client->sent > client->out.len / 2) {
        buf_drop(&client->out, client->sent);
        client->sent = 0;
    }
    return 0;
}

static int receive_some(struct client *client)
{
    size_t room;
    char *space = frame_space(&client->in, &room);
    if (!space) {
        return -ENOMEM;
    }
    ssize_t n = recv(client->fd, space, room, MSG_DONTWAIT);
    if (n < 0) {
        int error = errno;
        return error == EAGAIN || error == EINTR ? 0 : -error;
    }
    if (n == 0) {
        return -ECONNRESET;
    }
    frame_added(&client->in, (size_t)n);
    return 0;
}

/* A message that has already arrived: 1, 0 none, or a negative errno. */
static int take_message(struct client *client, struct response *message)
{
    char *line;
    size_t len;
    struct message_error error;
    switch (frame_next(&client->in, &line, &len)) {
    case FRAME_MORE: return 0;
    case FRAME_OOM: return -ENOMEM;
    case FRAME_TOO_LONG: return -EPROTO;
    case FRAME_LINE: break;
    }
    if (message_parse_response(line, len, message, &error) == 0) {
        return 1;
    }
    return error.code == MESSAGE_INTERNAL ? -ENOMEM : -EPROTO;
}

/* Waits for what polls[0], the socket, and the others have, or for `timeout`, and moves bytes of the socket. 0, or a negative
 * errno. */
static int wait_for(struct client *client, struct pollfd *polls, nfds_t count,
                    const struct timespec *timeout)
{
    size_t pending = client->out.len - client->sent;
    int result = 0;
    if (pending > 0) {
        polls[0].events |= POLLOUT;
    }
    if (ppoll(polls, count, timeout, client->wait_mask) < 0) {
        return -errno;
    }
    if (pending > 0 && polls[0].revents & (POLLOUT | POLLERR | POLLHUP)) {
        result = send_some(client);
    }
    if (result == 0 && polls[0].revents & (POLLIN | POLLERR | POLLHUP)) {
        result = receive_some(client);
    }
    return result;
}

int client_next(struct client *client, size_t low, struct response *message)
{
    for (;;) {
        int result = take_message(client, message);
        if (result != 0) {
            return result;
        }
        if (client->out.failed) {
            return -ENOMEM;
        }
        size_t pending = client->out.len - client->sent;
        if (pending < low && !client->write_closed) {
            return 0;
        }
        struct pollfd poll = {.fd = client->fd, .events = POLLIN};
        result = wait_for(client, &poll, 1, NULL);
        if (result < 0) {
            return result;
        }
    }
}

/* What is left until then; not negative. */
static struct timespec time_left(int64_t until_ns)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = until_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    left = left > 0 ? left : 0;
    return (struct timespec){(time_t)(left / 1000000000), (long)(left % 1000000000)};
}

int client_next_until(struct client *client, struct pollfd *other, int64_t until_ns,
                      struct response *message)
{
    for (;;) {
        int result = client->fd >= 0 ? take_message(client, message) : 0;
        if (result != 0) {
            return result;
        }
        if (client->out.failed) {
            return -ENOMEM;
        }
        struct pollfd polls[2] = {{.fd = client->fd, .events = POLLIN}, {.fd = -1}};
        struct timespec left = time_left(until_ns);
        if (other) {
            polls[1] = *other;
        }
        result = wait_for(client, polls, 2, &left);
        if (other) {
            other->revents = polls[1].revents;
        }
        bool due = left.tv_sec == 0 && left.tv_nsec == 0;
        if (result < 0 || due || polls[1].revents != 0) {
            return result < 0 ? result : client->fd >= 0 ? take_message(client, message) : 0;
        }
    }
}
