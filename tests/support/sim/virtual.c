/* What the production code and libuv ask of the system, answered in virtual time: threads, mutexes, conditions, futexes,
 * clocks, polling. (Descriptors are real: an eventfd or a socket pair carries bytes; only waiting for them is virtual.) */
#include <cosched/cosched.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "arch/futex.h"
#include "base/assert.h"
#include "sched/cpus.h"
#include "sched/thread.h"
#include "sim_rename.h"
#include "world.h"

#undef write
#undef nanosleep
#define NS_PER_S    INT64_C(1000000000)
#define STACK_BYTES ((size_t)1024 * 1024)

/* Linked in the place of libc's, for libuv, too. */
#define REPLACES __attribute__((visibility("default")))

/* --- clocks ------------------------------------------------------------------------------------------- */

static int64_t time_of(const struct timespec *ts)
{
    if (ts->tv_sec >= SIM_NEVER / NS_PER_S) {
        return SIM_NEVER;
    }
    return (int64_t)ts->tv_sec * NS_PER_S + ts->tv_nsec;
}

REPLACES int clock_gettime(clockid_t clock, struct timespec *ts)
{
    if (!sim.active) {
        return (int)syscall(SYS_clock_gettime, clock, ts);
    }
    int64_t ns = sim.now;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) {
        ns += SIM_UNIX_S * NS_PER_S - SIM_EPOCH_NS;
    } else if (clock == CLOCK_THREAD_CPUTIME_ID) {
        ns = sim.self->cpu_ns;
    } else if (clock == CLOCK_PROCESS_CPUTIME_ID) {
        ns = 0;
        for (uint32_t i = 0; i < sim.threads; i++) {
            ns += sim.thread[i].cpu_ns;
        }
    }
    *ts = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = (long)(ns % NS_PER_S)};
    return 0;
}

int sim_nanosleep(const struct timespec *span, struct timespec *left)
{
    if (!sim.active) {
        return nanosleep(span, left);
    }
    sim_wait(SIM_BUSY, NULL, sim.now + time_of(span));
    return 0;
}

int sim_usleep(useconds_t us)
{
    struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000};
    return sim_nanosleep(&span, NULL);
}

int sim_sched_yield(void)
{
    sim_point(SIM_RELAX, __func__);
    return 0;
}

int32_t cos_effective_cpus(void)
{
    return 4; /* whatever this machine has: a seed means the same everywhere */
}

int32_t cosched_cpus(void)
{
    return cos_effective_cpus();
}

/* --- sleeping on a word -------------------------------------------------------------------------------- */

static const void *key_of(COS_ATOMIC(uint32_t) * word)
{
    return (const void *)(uintptr_t)word;
}

int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns)
{
    sim_point(SIM_SYSTEM, __func__);
    if (atomic_load_explicit(word, memory_order_seq_cst) != expected) {
        return -EAGAIN;
    }
    if (!sim.active) {
        return -EINTR;
    }
    return sim_wait(SIM_FUTEX, key_of(word), deadline_ns) ? 0 : -ETIMEDOUT;
}

int cos_futex_wake(COS_ATOMIC(uint32_t) * word, int n)
{
    sim_point(SIM_SYSTEM, __func__);
    int woken = 0;
    struct sim_thread *t;
    while (sim.active && woken < n && (t = sim_waiter(SIM_FUTEX, key_of(word))) != NULL) {
        sim_wake(t);
        woken++;
    }
    return woken;
}

/* --- threads -------------------------------------------------------------------------------------------- */

int cos_thread_start(pthread_t *out, size_t stack_bytes, void *(*entry)(void *), void *arg)
{
    struct sim_thread *t =
        sim_start(entry, arg, stack_bytes != 0 ? stack_bytes : STACK_BYTES, out == NULL);
    if (out != NULL) {
        *out = t->id + 1;
    }
    return 0;
}

int sim_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*entry)(void *), void *arg)
{
    int detached = PTHREAD_CREATE_JOINABLE;
    if (attr != NULL) {
        pthread_attr_getdetachstate(attr, &detached);
    }
    *out = sim_start(entry, arg, STACK_BYTES, detached == PTHREAD_CREATE_DETACHED)->id + 1;
    return 0;
}

int sim_pthread_join(pthread_t thread, void **result)
{
    struct sim_thread *t = &sim.thread[thread - 1];
    sim_point(SIM_SYSTEM, __func__);
    if (t->state != SIM_DEAD) {
        sim_wait(SIM_JOIN, t, SIM_NEVER);
    }
    if (result != NULL) {
        *result = t->result;
    }
    t->detached = true; /* its place may be used again */
    return 0;
}

int sim_pthread_detach(pthread_t thread)
{
    sim.thread[thread - 1].detached = true;
    return 0;
}

pthread_t sim_pthread_self(void)
{
    return sim.self != NULL ? sim.self->id + 1 : 1;
}

int sim_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    const struct sim_thread *t = &sim.thread[thread - 1];
    if (t->stack == NULL) { /* thread 0: the process's own */
#undef pthread_getattr_np
#undef pthread_self
        return pthread_getattr_np(pthread_self(), attr);
    }
    pthread_attr_init(attr);
    return pthread_attr_setstack(attr, t->stack, t->stack_bytes);
}

/* --- mutex and condition: the first word of a mutex is its holder ------------------------------------------ */

static uint32_t *holder_of(pthread_mutex_t *m)
{
    return (uint32_t *)(void *)m;
}

int sim_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr)
{
    (void)attr;
    memset(m, 0, sizeof *m);
    return 0;
}

int sim_mutex_destroy(pthread_mutex_t *m)
{
    COS_ASSERT(*holder_of(m) == 0);
    return 0;
}

static void take(pthread_mutex_t *m)
{
    while (*holder_of(m) != 0) {
        COS_ASSERT(*holder_of(m) != sim.self->id + 1);
        sim_wait(SIM_MUTEX, m, SIM_NEVER);
    }
    *holder_of(m) = sim.self->id + 1;
}

static void drop(pthread_mutex_t *m)
{
    COS_ASSERT(*holder_of(m) == sim.self->id + 1);
    *holder_of(m) = 0;
    struct sim_thread *t = sim_waiter(SIM_MUTEX, m);
    if (t != NULL) {
        sim_wake(t);
    }
}

int sim_mutex_lock(pthread_mutex_t *m)
{
    sim_point(SIM_SYSTEM, __func__);
    take(m);
    return 0;
}

int sim_mutex_trylock(pthread_mutex_t *m)
{
    sim_point(SIM_SYSTEM, __func__);
    if (*holder_of(m) != 0) {
        return EBUSY;
    }
    take(m);
    return 0;
}

int sim_mutex_unlock(pthread_mutex_t *m)
{
    drop(m);
    sim_point(SIM_SYSTEM, __func__);
    return 0;
}

int sim_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
    (void)c;
    (void)attr; /* time-outs are on the monotonic clock, as the library's all are */
    return 0;
}

int sim_cond_destroy(pthread_cond_t *c)
{
    COS_ASSERT(sim_waiter(SIM_COND, c) == NULL);
    return 0;
}

static int cond_wait_until(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline)
{
    drop(m);
    bool woken = sim_wait(SIM_COND, c, deadline);
    take(m);
    return woken ? 0 : ETIMEDOUT;
}

int sim_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return cond_wait_until(c, m, SIM_NEVER);
}

int sim_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    return cond_wait_until(c, m, time_of(until));
}

int sim_cond_signal(pthread_cond_t *c)
{
    struct sim_thread *t = sim_waiter(SIM_COND, c);
    if (t != NULL) {
        sim_wake(t);
    }
    sim_point(SIM_SYSTEM, __func__);
    return 0;
}

int sim_cond_broadcast(pthread_cond_t *c)
{
    struct sim_thread *t;
    while ((t = sim_waiter(SIM_COND, c)) != NULL) {
        sim_wake(t);
    }
    sim_point(SIM_SYSTEM, __func__);
    return 0;
}

/* --- polling ---------------------------------------------------------------------------------------------- */

bool sim_look_at_polls(void)
{
    for (uint32_t i = 0; i < sim.threads; i++) {
        struct sim_thread *t = &sim.thread[i];
        if (t->state == SIM_POLL) {
            struct pollfd fd = {.fd = t->epoll, .events = POLLIN};
            if (poll(&fd, 1, 0) > 0) {
                sim_wake(t);
            }
        }
    }
    return sim.ready_count > 0;
}

ssize_t sim_write(int fd, const void *data, size_t size)
{
    sim_point(SIM_SYSTEM, __func__);
    ssize_t n = write(fd, data, size);
    int error = errno;
    if (sim.active) {
        sim_look_at_polls();
        sim_point(SIM_SYSTEM, __func__);
    }
    errno = error;
    return n;
}

static int poll_now(int epfd, struct epoll_event *events, int max, int timeout_ms,
                    const sigset_t *mask)
{
    return (int)syscall(SYS_epoll_pwait, epfd, events, max, timeout_ms, mask, _NSIG / 8);
}

REPLACES int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout_ms,
                         const sigset_t *mask)
{
    if (!sim.active) {
        return poll_now(epfd, events, max, timeout_ms, mask);
    }
    sim_point(SIM_SYSTEM, __func__);
    int64_t deadline = timeout_ms < 0 ? SIM_NEVER : sim.now + (int64_t)timeout_ms * 1000000;
    int n;
    while ((n = poll_now(epfd, events, max, 0, mask)) == 0 && sim.now < deadline) {
        sim.self->epoll = epfd;
        sim_wait(SIM_POLL, NULL, deadline);
    }
    return n;
}

REPLACES int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    return epoll_pwait(epfd, events, max, timeout_ms, NULL);
}
