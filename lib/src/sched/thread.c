/* See thread.h. */
#include "sched/thread.h"

#include <signal.h>

/* Blocked, a fault would kill the process without asking the handler that names the task. */
static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

int cos_thread_start(pthread_t *out, size_t stack_bytes, void *(*entry)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&blocked, faults[i]);
    }
    int rc = pthread_attr_init(&attr);
    if (rc != 0) {
        return -rc;
    }
    if (out == NULL) {
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    }
    if (stack_bytes != 0) {
        pthread_attr_setstacksize(&attr, stack_bytes);
    }
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    rc = pthread_create(out != NULL ? out : &thread, &attr, entry, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}
