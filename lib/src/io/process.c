/* Programs as children. posix_spawn borrows the address space until the program runs, so it costs the same whatever this
 * process has mapped; it is done on a thread that may block. The end comes through a pidfd. Reaping and killing exclude one
 * another: a pid is used only while it is surely this child's. */
#include "io/process.h"

#include <cosched/io.h>

#include <errno.h>
#include <signal.h>

#include "arch/lock.h"
#include "base/alloc.h"
#include "base/assert.h"
#include "io/pool.h"
#include "io/source.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_process.h"
#include "io/sys_stream.h"

#define CLOSE_GRACE_MS 10000 /* for a child that was killed to be gone */

struct cosched_process {
    pid_t pid;            /* const */
    int pidfd;            /* const; < 0: the kernel has none */
    bool leads;           /* const: a group of its own, which is killed as a whole */
    struct cos_lock lock; /* over the next two and every use of pid */
    bool reaped;
    int status; /* once reaped */
};

/* --- starting ------------------------------------------------------------------------------------------ */

struct start {
    struct cos_process_start sys;
    int ours[3]; /* this side of the pipes, or -1 */
    int theirs[3];
};

static void close_if(int fd)
{
    if (fd >= 0) {
        cos_sys_close(fd);
    }
}

static void close_ends(int ends[3])
{
    for (int i = 0; i < 3; i++) {
        close_if(ends[i]);
        ends[i] = -1;
    }
}

/* What the child gets as its i-th descriptor. 0, or why not. */
static int choose(struct start *s, int i, const cosched_stdio *how)
{
    int ends[2];
    int rc = 0;
    switch (how->how) {
    case COSCHED_STDIO_NULL: s->sys.from[i] = COS_PROCESS_NULL; return 0;
    case COSCHED_STDIO_INHERIT: s->sys.from[i] = i; return 0;
    case COSCHED_STDIO_FD: s->sys.from[i] = how->fd; return how->fd < 0 ? -EBADF : 0;
    case COSCHED_STDIO_STDOUT: s->sys.from[i] = COS_PROCESS_STDOUT; return i == 2 ? 0 : -EINVAL;
    case COSCHED_STDIO_PIPE:
        rc = cos_sys_pipe(ends, (bool[2]){i != 0, i == 0}); /* theirs block, as programs expect */
        if (rc == 0) {
            s->ours[i] = ends[i == 0];
            s->sys.from[i] = s->theirs[i] = ends[i != 0];
        }
        return rc;
    }
    return -EINVAL;
}

static int64_t do_start(void *arg)
{
    struct start *s = arg;
    return cos_sys_process_start(&s->sys);
}

/* Streams for our ends, of the caller's from then on. */
static int wrap(struct start *s, cosched_stream *pipes[3])
{
    for (int i = 0; i < 3; i++) {
        pipes[i] = s->ours[i] >= 0 ? cos_alloc(sizeof *pipes[i]) : NULL;
        if (s->ours[i] >= 0 && pipes[i] == NULL) {
            while (i-- > 0) {
                cos_free(pipes[i]);
                pipes[i] = NULL;
            }
            return -ENOMEM;
        }
    }
    return 0;
}

static int start(struct start *s, const cosched_process_attr *attr, cosched_process *p,
                 cosched_stream *pipes[3], int64_t deadline)
{
    cosched_stream *made[3] = {NULL, NULL, NULL};
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = choose(s, i, &attr->stdio[i]);
    }
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = s->ours[i] >= 0 && pipes == NULL ? -EINVAL : 0;
    }
    rc = rc == 0 ? wrap(s, made) : rc; /* first: nothing may fail once the child runs */
    if (rc < 0) {
        return rc;
    }
    int64_t pid = cos_pool_run(do_start, s, deadline);
    if (pid < 0) {
        for (int i = 0; i < 3; i++) {
            cos_free(made[i]);
        }
        return (int)pid;
    }
    p->pid = (pid_t)pid;
    p->pidfd = cos_sys_pidfd(p->pid); /* not ours to lose: nobody else reaps it */
    for (int i = 0; i < 3; i++) {
        if (made[i] != NULL && pipes != NULL) {
            cos_stream_init(made[i], s->ours[i], COS_STREAM_FILE);
            pipes[i] = made[i];
            s->ours[i] = -1;
        }
    }
    return 0;
}

int cosched_process_spawn(cosched_process **out, cosched_stream *pipes[3],
                          const cosched_process_attr *attr, int64_t deadline)
{
    *out = NULL;
    for (int i = 0; pipes != NULL && i < 3; i++) {
        pipes[i] = NULL;
    }
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    if (attr == NULL || attr->struct_size != sizeof *attr || attr->argv == NULL ||
        attr->argv[0] == NULL) {
        return -EINVAL;
    }
    cosched_process *p = cos_alloc(sizeof *p);
    if (p == NULL) {
        return -ENOMEM;
    }
    struct start s = {.sys = {.file = attr->file != NULL ? attr->file : attr->argv[0],
                              .argv = attr->argv,
                              .env = attr->env,
                              .cwd = attr->cwd,
                              .session = (attr->flags & COSCHED_PROCESS_SESSION) != 0,
                              .group = (attr->flags & COSCHED_PROCESS_GROUP) != 0},
                      .ours = {-1, -1, -1},
                      .theirs = {-1, -1, -1}};
    p->leads = s.sys.session || s.sys.group;
    rc = start(&s, attr, p, pipes, deadline);
    close_ends(s.ours);
    close_ends(s.theirs);
    if (rc < 0) {
        cos_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

/* --- its life -------------------------------------------------------------------------------------------- */

pid_t cosched_process_pid(const cosched_process *p)
{
    return p->pid;
}

static int reap(void *arg, int *status)
{
    cosched_process *p = arg;
    cos_lock_acquire(&p->lock);
    int rc = p->reaped ? 1 : cos_sys_reap(p->pid, p->pidfd, &p->status);
    if (rc > 0) {
        p->reaped = true;
        if (status != NULL) {
            *status = p->status;
        }
    }
    cos_lock_release(&p->lock);
    return rc;
}

static int wait_for(cosched_process *p, int *status, int64_t deadline)
{
    int rc = reap(p, status);
    if (rc == 0) {
        rc = cos_child_wait(reap, p, p->pid, p->pidfd, status, deadline);
    }
    return rc < 0 ? rc : 0;
}

int cosched_process_wait(cosched_process *p, int *status, int64_t deadline)
{
    int rc = cos_io_allowed();
    return rc < 0 ? rc : wait_for(p, status, deadline);
}

int cosched_process_kill(cosched_process *p, int number)
{
    cos_lock_acquire(&p->lock);
    int rc = p->reaped ? -ESRCH : cos_sys_kill(p->leads ? -p->pid : p->pid, number);
    cos_lock_release(&p->lock);
    return rc;
}

/* Whatever happens to the task. */
static int kill_and_wait(cosched_process *p, int *status)
{
    (void)cosched_process_kill(p, SIGKILL);
    cosched_scope shield;
    int64_t grace = cosched_in_ms(CLOSE_GRACE_MS);
    if (cosched_scope_begin(&shield, grace, COSCHED_SHIELD) < 0) {
        return wait_for(p, status, grace); /* no memory for a shield: a cancellation ends it */
    }
    int rc = wait_for(p, status, COSCHED_NEVER);
    if (cosched_scope_end(&shield) && rc == -ECANCELED) {
        rc = -ETIMEDOUT;
    }
    return rc;
}

int cosched_process_end(cosched_process *p, int *status, int64_t deadline)
{
    if (cosched_where() == COSCHED_INHERIT) {
        return -EPERM;
    }
    (void)cosched_process_kill(p, SIGTERM);
    int rc = cosched_cancelled() ? -ECANCELED : wait_for(p, status, deadline);
    return rc == -ETIMEDOUT || rc == -ECANCELED ? kill_and_wait(p, status) : rc;
}

void cosched_process_close(cosched_process *p)
{
    if (p == NULL) {
        return;
    }
    COS_ASSERT(cosched_where() != COSCHED_INHERIT && "processes are closed by tasks");
    if (reap(p, NULL) == 0) {
        (void)kill_and_wait(p, NULL); /* one that even so does not end is left to init */
    }
    close_if(p->pidfd);
    cos_free(p);
}
