/* What the echo servers and their load share. */
#ifndef ECHO_H
#define ECHO_H
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ECHO_BUFFER = 2048, ECHO_BACKLOG = 1024 };

/* Each connection is a descriptor: as many as this process may have. */
static inline void echo_raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Whoever started the server reads this, and sends SIGTERM when it has seen enough. */
static inline void echo_announce(int port)
{
    printf("%d\n", port);
    fflush(stdout);
}
#endif
