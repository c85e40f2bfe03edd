/* The load of the echo benchmark: so many connections, one message under way on each, counted while all are open.
 * usage: bench_echo_load PORT CONNECTIONS MESSAGES [SIZE]      prints the rate in messages a second */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../echo.h"

enum { AT_ONCE = 128, EVENTS = 1024 };

struct peer {
    int fd;
    size_t got; /* of the message that is under way */
};

static struct peer *peers;
static int polled;
static size_t size;
static char message[ECHO_BUFFER];
static long left, under_way; /* messages to be sent; sent and not back */

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void send_one(struct peer *p)
{
    if (left == 0) {
        return;
    }
    left--;
    under_way++;
    p->got = 0;
    if (send(p->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size) {
        die("send"); /* one small message always fits */
    }
}

static void receive(struct peer *p)
{
    char buffer[ECHO_BUFFER];
    ssize_t n = recv(p->fd, buffer, size - p->got, 0);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) {
            return;
        }
        die("recv");
    }
    if (memcmp(buffer, message + p->got, (size_t)n) != 0) {
        fprintf(stderr, "bench_echo_load: that is no echo\n");
        exit(1);
    }
    p->got += (size_t)n;
    if (p->got == size) {
        under_way--;
        send_one(p);
    }
}

static void drive(void)
{
    static struct epoll_event events[EVENTS];
    while (under_way > 0) {
        int n = epoll_wait(polled, events, EVENTS, 60000);
        if (n == 0) {
            fprintf(stderr, "bench_echo_load: a minute without an answer\n");
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            receive(events[i].data.ptr);
        }
    }
}

/* Blocking, so that no backlog is ever full; the other side accepts meanwhile. */
static void connect_all(int count, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    const struct linger reset = {.l_onoff = 1}; /* leaves no port behind in TIME_WAIT */
    int one = 1;
    for (int i = 0; i < count; i++) {
        struct peer *p = &peers[i];
        p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (p->fd < 0 || connect(p->fd, (struct sockaddr *)&to, sizeof to) < 0) {
            die("connect");
        }
        setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
        if (epoll_ctl(polled, EPOLL_CTL_ADD, p->fd, &event) < 0) {
            die("epoll_ctl");
        }
        if (i % AT_ONCE == 0) { /* an echo proves that it was accepted */
            left = 1;
            send_one(p);
            drive();
        }
    }
}

static void run(int count, long messages)
{
    left = messages;
    for (int i = 0; i < count; i++) {
        send_one(&peers[i]);
    }
    drive();
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_echo_load PORT CONNECTIONS MESSAGES [SIZE]\n");
        return 2;
    }
    int count = atoi(argv[2]);
    long messages = atol(argv[3]);
    size = argc > 4 ? (size_t)atol(argv[4]) : 64;
    peers = calloc((size_t)count, sizeof *peers);
    polled = epoll_create1(EPOLL_CLOEXEC);
    if (count < 1 || size < 1 || size > sizeof message || peers == NULL || polled < 0) {
        return 2;
    }
    memset(message, 'e', sizeof message);
    echo_raise_files();
    connect_all(count, (uint16_t)atoi(argv[1]));
    run(count, count); /* each has spoken once */
    double start = now();
    run(count, messages);
    printf("rate %.0f /s\n", (double)messages / (now() - start));
    return 0;
}
