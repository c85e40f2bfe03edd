/* Does it end the process? Asked of a child. */
#ifndef SUPPORT_DIES_H
#define SUPPORT_DIES_H
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* fn(arg) in a child process: its wait status, and in said (may be NULL) the beginning of what it wrote to stderr. The child exits with
 * fn's result when that returns. */
static inline int dies_status(int64_t (*fn)(void *), void *arg, char *said, size_t said_size)
{
    int out[2] = {-1, -1};
    if (pipe(out) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(out[1], STDERR_FILENO);
        _exit((int)fn(arg));
    }
    close(out[1]);
    size_t have = 0;
    char rest[256];
    for (;;) {
        bool room = said != NULL && have + 1 < said_size;
        ssize_t n =
            read(out[0], room ? said + have : rest, room ? said_size - 1 - have : sizeof rest);
        if (n > 0) {
            have += room ? (size_t)n : 0;
        } else if (n == 0 || errno != EINTR) {
            break;
        }
    }
    close(out[0]);
    if (said != NULL) {
        said[have] = '\0';
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* By abort, with `word` in what it says. */
static inline bool dies_saying(int64_t (*fn)(void *), void *arg, const char *word)
{
    char said[4096];
    int status = dies_status(fn, arg, said, sizeof said);
    bool as_said = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, word) != NULL;
    if (!as_said) {
        (void)fprintf(stderr, "no abort that says \"%s\": wait status %#x, said: %s\n", word,
                      (unsigned)status, said);
    }
    return as_said;
}

#endif
