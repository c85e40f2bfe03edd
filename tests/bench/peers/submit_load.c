/* The same load for coschedd, redis and beanstalkd: COUNT submissions over one connection, at most DEPTH of them
 * unanswered.
 *
 *     submit_load PROTOCOL ADDRESS COUNT DEPTH [BATCH]
 *
 * PROTOCOL: cosched (submit), cosched-many (submit_many of BATCH jobs a request; COUNT is jobs, DEPTH
 * requests), redis (RPUSH), beanstalkd (put). ADDRESS: a path of a Unix socket, or a port of
 * 127.0.0.1. Every server is given the same job, as its body or as its specification.
 *
 * A window, not waves: as soon as an answer is there the next request goes out, which is the best
 * way for each of them. Any answer but an acceptance ends the run.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../figure.h"

#define JOB "{\"argv\":[\"/bin/true\"]}"

enum { REQUEST_MAX = 64 << 10, INPUT_MAX = 256 << 10, OUTPUT_MAX = 1 << 20 };

struct protocol {
    const char *name;
    const char *accepted; /* every line of an answer contains it */
};

static const struct protocol protocols[] = {
    {"cosched", "\"result\":"},
    {"cosched-many", "\"result\":"},
    {"redis", ":"},
    {"beanstalkd", "INSERTED "},
};

struct load {
    const struct protocol *protocol;
    int fd;
    uint64_t requests, depth, sent, answered;
    char request[REQUEST_MAX * 16];
    size_t request_size;
    char output[OUTPUT_MAX * 2], input[INPUT_MAX];
    size_t output_from, output_to, input_size;
    int64_t *begun_ns, *took_ns; /* owned; a ring of depth; one a request */
};

static void die(const char *what)
{
    fprintf(stderr, "submit_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int connect_to(const char *address)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET};
    char *end;
    long number = strtol(address, &end, 10);
    int fd, rc, one = 1;

    if (*end == '\0') {
        port.sin_port = htons((uint16_t)number);
        port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        rc = connect(fd, (struct sockaddr *)&port, sizeof port);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    } else {
        if (strlen(address) >= sizeof path.sun_path) {
            errno = ENAMETOOLONG;
            die(address);
        }
        memcpy(path.sun_path, address, strlen(address));
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        rc = connect(fd, (struct sockaddr *)&path, sizeof path);
    }
    if (fd < 0 || rc < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        die(address);
    return fd;
}

static size_t make_request(char *text, size_t room, const char *protocol, uint64_t batch)
{
    size_t at = 0;

    if (strcmp(protocol, "redis") == 0)
        return (size_t)snprintf(text, room, "*3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$%zu\r\n%s\r\n",
                                strlen(JOB), JOB);
    if (strcmp(protocol, "beanstalkd") == 0)
        return (size_t)snprintf(text, room, "put 0 0 60 %zu\r\n%s\r\n", strlen(JOB), JOB);
    if (strcmp(protocol, "cosched") == 0)
        return (size_t)snprintf(
            text, room, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"submit\",\"params\":%s}\n", JOB);
    at = (size_t)snprintf(
        text, room,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"submit_many\",\"params\":{\"jobs\":[");
    for (uint64_t i = 0; i < batch && at < room; i++)
        at += (size_t)snprintf(text + at, room - at, "%s%s", i ? "," : "", JOB);
    if (at < room)
        at += (size_t)snprintf(text + at, room - at, "]}}\n");
    if (at >= room) {
        errno = E2BIG;
        die("the batch");
    }
    return at;
}

/* --- the window ----------------------------------------------------------------------------- */

static void fill(struct load *l)
{
    int64_t now = now_ns();

    if (l->output_from == l->output_to)
        l->output_from = l->output_to = 0;
    while (l->sent < l->requests && l->sent - l->answered < l->depth &&
           l->output_to + l->request_size <= sizeof l->output) {
        memcpy(l->output + l->output_to, l->request, l->request_size);
        l->output_to += l->request_size;
        l->begun_ns[l->sent % l->depth] = now;
        l->sent++;
    }
}

static void put(struct load *l)
{
    while (l->output_from < l->output_to) {
        ssize_t n = write(l->fd, l->output + l->output_from, l->output_to - l->output_from);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0 && errno != EINTR)
            die("write");
        l->output_from += n > 0 ? (size_t)n : 0;
    }
}

static void take_line(struct load *l, const char *line, size_t size, int64_t now)
{
    if (!memmem(line, size, l->protocol->accepted, strlen(l->protocol->accepted))) {
        fprintf(stderr, "submit_load: refused: %.*s\n", (int)size, line);
        exit(1);
    }
    l->took_ns[l->answered] = now - l->begun_ns[l->answered % l->depth];
    l->answered++;
}

/* Answers of submit_many are longer than the buffer is: a line may come in pieces, of which the
 * first tells. */
static void take(struct load *l)
{
    ssize_t n = read(l->fd, l->input + l->input_size, sizeof l->input - l->input_size);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0)
        die("the server hung up");
    int64_t now = now_ns();
    char *from = l->input, *to = l->input + l->input_size + n, *end;
    while ((end = memchr(from, '\n', (size_t)(to - from)))) {
        take_line(l, from, (size_t)(end - from), now);
        from = end + 1;
    }
    l->input_size = (size_t)(to - from);
    memmove(l->input, from, l->input_size);
    if (l->input_size == sizeof l->input)
        l->input_size /= 2;
}

static void run(struct load *l)
{
    while (l->answered < l->requests) {
        fill(l);
        put(l);
        bool more = l->output_from < l->output_to;
        struct pollfd p = {l->fd, (short)(POLLIN | (more ? POLLOUT : 0)), 0};
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            die("poll");
        if (p.revents & ~POLLOUT)
            take(l);
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct load l;
    uint64_t batch = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;

    for (size_t i = 0; argc >= 5 && i < sizeof protocols / sizeof protocols[0]; i++)
        if (strcmp(argv[1], protocols[i].name) == 0)
            l.protocol = &protocols[i];
    if (!l.protocol || batch == 0) {
        fputs("usage: submit_load cosched|cosched-many|redis|beanstalkd ADDRESS COUNT DEPTH "
              "[BATCH]\n",
              stderr);
        return 64;
    }
    l.requests = strtoull(argv[3], NULL, 10) / batch;
    l.depth = strtoull(argv[4], NULL, 10);
    l.request_size = make_request(l.request, sizeof l.request, argv[1], batch);
    l.begun_ns = calloc(l.depth, sizeof *l.begun_ns);
    l.took_ns = calloc(l.requests, sizeof *l.took_ns);
    if (!l.begun_ns || !l.took_ns || l.requests == 0)
        die("arguments");
    l.fd = connect_to(argv[2]);
    int64_t begun = now_ns();
    run(&l);
    double seconds = (double)(now_ns() - begun) / 1e9;
    qsort(l.took_ns, l.requests, sizeof *l.took_ns, ascending);
    figure("rate", (double)(l.requests * batch) / seconds, "/s");
    figure("p50", (double)l.took_ns[l.requests / 2] / 1e3, "us");
    figure("p99", (double)l.took_ns[l.requests * 99 / 100] / 1e3, "us");
    close(l.fd);
    free(l.begun_ns);
    free(l.took_ns);
    return 0;
}
