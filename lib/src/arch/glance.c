/* See glance.h. The handler may run at any instruction of user code: it reads the registers it interrupted and words of the stack
 * that `range` allows, takes no lock and allocates nothing. */
#include "arch/glance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "arch/frames.h"
#include "arch/futex.h"
#include "arch/peek.h"
#include "base/atomic.h"
#include "base/clock.h"

#define PATIENCE_NS (100 * COS_NS_PER_MS) /* of computing without an answer: it lets no signal in */
#define GIVE_UP_NS  (10 * COS_NS_PER_S)   /* by the clock: it gets no CPU */
#define FRAMELESS   4096 /* bytes of stack that code without frame pointers may hold */

/* One request at a time. The word: its number << 2, and how far it is. */
enum { ASKED = 1, WRITING = 2, DONE = 3, PHASE = 3 };

static COS_ATOMIC(
    uint32_t) request; /* futex. release by the handler when it is DONE, acquire by who asked */
static const void *answer[COS_GLANCE_FRAMES];
static size_t answered;
static bool (*stack_range)(const char *sp, const char **hi, size_t *outermost);
static int signal_number; /* 0: not installed. Const while threads that may be looked at run */

/* Unseen by sanitizers: stacks have red zones between frames. */
static uintptr_t word_at(uintptr_t at)
{
    return cos_arch_peek((const void *)at); /* NOLINT: a place on a stack */
}

static bool is_within(uintptr_t fp, uintptr_t lo, uintptr_t hi)
{
    uintptr_t at = fp + (uintptr_t)COS_FRAME_OFFSET;
    return fp % sizeof(void *) == 0 && at >= lo && at < hi && hi - at >= 2 * sizeof(void *);
}

/* Outward from fp. Everything of ours keeps frame pointers; code that does not ends the chain. */
static size_t walk(uintptr_t fp, uintptr_t lo, uintptr_t hi, const void **out, size_t n)
{
    while (n < COS_GLANCE_FRAMES && is_within(fp, lo, hi)) {
        uintptr_t at = fp + (uintptr_t)COS_FRAME_OFFSET;
        uintptr_t outer = word_at(at), back = word_at(at + sizeof at);
        if (back == 0) {
            break;
        }
        out[n++] = (const void *)back; /* NOLINT: an address of code */
        if (outer <= fp) {
            break;
        }
        lo = fp;
        fp = outer;
    }
    return n;
}

/* Where code that keeps no frame pointer ends: the first pair of words above sp that looks like a frame of who called it. 0: none
 * near. */
static uintptr_t first_frame(uintptr_t sp, uintptr_t hi)
{
    for (uintptr_t at = (sp + 7) / 8 * 8; at + 16 <= hi && at < sp + FRAMELESS; at += 8) {
        uintptr_t fp = at - (uintptr_t)COS_FRAME_OFFSET, outer = word_at(at);
        if (outer > fp && is_within(outer, fp, hi) &&
            word_at(outer + (uintptr_t)COS_FRAME_OFFSET) > outer) {
            return fp;
        }
    }
    return 0;
}

static void registers(const ucontext_t *uc, uintptr_t *pc, uintptr_t *fp, uintptr_t *sp)
{
#if defined(__x86_64__)
    *pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    *fp = (uintptr_t)uc->uc_mcontext.gregs[REG_RBP];
    *sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *pc = (uintptr_t)uc->uc_mcontext.pc;
    *fp = (uintptr_t)uc->uc_mcontext.regs[29];
    *sp = (uintptr_t)uc->uc_mcontext.sp;
#else
    *pc = (uintptr_t)uc->uc_mcontext.__gregs[0];
    *fp = (uintptr_t)uc->uc_mcontext.__gregs[8];
    *sp = (uintptr_t)uc->uc_mcontext.__gregs[2];
#endif
}

static void on_signal(int number, siginfo_t *info, void *ucontext)
{
    int saved_errno = errno;
    uint32_t mine = (uint32_t)info->si_value.sival_int | ASKED;
    (void)number;
    /* acquire: pairs with the release of who asked. A late signal finds another number. */
    if (info->si_code == SI_QUEUE &&
        cos_atomic_cas(&request, &mine, (mine & ~(uint32_t)PHASE) | WRITING, acquire, relaxed)) {
        uintptr_t pc, fp, sp;
        const char *hi;
        size_t outermost = 0;
        registers(ucontext, &pc, &fp, &sp);
        answered = 0;
        if (stack_range((const char *)sp, &hi, &outermost)) { /* NOLINT */
            answer[answered++] = (const void *)pc;            /* NOLINT */
            answered = walk(fp, sp, (uintptr_t)hi, answer, answered);
            if (answered == 1) { /* in code that uses the register for something else */
                answered = walk(first_frame(sp, (uintptr_t)hi), sp, (uintptr_t)hi, answer, answered);
            }
            bool all = answered < COS_GLANCE_FRAMES && answered > outermost;
            answered -= all ? outermost : 0;
        }
        cos_atomic_store(&request, mine | DONE, release);
        cos_futex_wake(&request, 1);
    }
    errno = saved_errno;
}

int cos_glance_install(bool (*range)(const char *sp, const char **hi, size_t *outermost))
{
    stack_range = range;
    for (int i = SIGRTMAX; i >= SIGRTMIN; i--) {
        struct sigaction found;
        struct sigaction ours = {.sa_sigaction = on_signal,
                                 .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
        (void)sigemptyset(&ours.sa_mask);
        if (sigaction(i, NULL, &found) == 0 && (found.sa_flags & SA_SIGINFO) == 0 &&
            found.sa_handler == SIG_DFL && sigaction(i, &ours, NULL) == 0) {
            signal_number = i;
            return 0;
        }
    }
    return -EBUSY;
}

/* A signal on its way would kill the process: it is ignored from now on, not given back to its default. */
void cos_glance_uninstall(void)
{
    struct sigaction found;
    if (signal_number != 0 && sigaction(signal_number, NULL, &found) == 0 &&
        (found.sa_flags & SA_SIGINFO) != 0 && found.sa_sigaction == on_signal) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        struct sigaction normal = {.sa_handler = SIG_DFL};
        (void)sigaction(signal_number, &ignore, NULL); /* drops what is pending */
        (void)sigaction(signal_number, &normal, NULL);
    }
    signal_number = 0;
}

void cos_glance_allow(void)
{
    sigset_t set;
    if (signal_number != 0) {
        (void)sigemptyset(&set);
        (void)sigaddset(&set, signal_number);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
}

/* --- who looks ------------------------------------------------------------------------------------------------- */

static size_t read_proc(pid_t thread, const char *what, char *to, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)thread, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, to, size - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    to[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* "NUMBER ARG… SP PC", "running", "-1 SP PC" (in the kernel, in no call), or nothing: not permitted. */
static bool parse_call(const char *line, long *call, uintptr_t *sp, uintptr_t *pc)
{
    char *end;
    *call = strtol(line, &end, 10);
    const char *last = strrchr(line, ' ');
    if (end == line || last == NULL) {
        return false;
    }
    const char *before = last;
    while (before > line && before[-1] != ' ') {
        before--;
    }
    *sp = (uintptr_t)strtoull(before, NULL, 0);
    *pc = (uintptr_t)strtoull(last + 1, NULL, 0);
    return true;
}

void cos_glance_state(pid_t thread, struct cos_glance *out)
{
    char line[512];
    uintptr_t sp, pc;
    out->state = '\0';
    out->call = -1;
    if (read_proc(thread, "stat", line, sizeof line) > 0) {
        const char *name_ends = strrchr(line, ')'); /* the name may hold anything */
        out->state = name_ends != NULL && name_ends[1] == ' ' ? name_ends[2] : '\0';
    }
    if ((out->state == 'S' || out->state == 'D') &&
        read_proc(thread, "syscall", line, sizeof line) > 0) {
        (void)parse_call(line, &out->call, &sp, &pc);
    }
}

/* A thread that has had no CPU since it was asked has not seen the signal yet. */
static bool may_answer(pid_t thread, int64_t cpu_before, int64_t began)
{
    struct cos_glance seen;
    int64_t cpu = cos_glance_cpu(thread);
    cos_glance_state(thread, &seen);
    return seen.state == 'R' && cpu >= 0 && cpu - cpu_before < PATIENCE_NS &&
           cos_clock_now() - began < GIVE_UP_NS;
}

void cos_glance_stop(pid_t thread, struct cos_glance *out)
{
    out->frames = 0;
    if (signal_number == 0) {
        return;
    }
    uint32_t number = (cos_atomic_load(&request, relaxed) & ~(uint32_t)PHASE) + PHASE + 1;
    siginfo_t info = {.si_signo = signal_number, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = (int)number;
    cos_atomic_store(&request, number | ASKED, release); /* pairs with the acquire in on_signal */
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal_number, &info) != 0) {
        return;
    }
    int64_t began = cos_clock_now(), until = began + PATIENCE_NS, cpu = cos_glance_cpu(thread);
    uint32_t now;
    while ((now = cos_atomic_load(&request, acquire)) != (number | DONE)) {
        if (cos_clock_now() >= until) {
            now = number | ASKED;
            if (!may_answer(thread, cpu, began) &&
                cos_atomic_cas(&request, &now, number, relaxed, relaxed)) {
                return; /* it may come late and finds its number gone */
            }
            until += PATIENCE_NS;
        }
        (void)cos_futex_wait(&request, now, until);
    }
    memcpy(out->frame, answer, sizeof out->frame);
    out->frames = answered;
}

void cos_glance_peek(pid_t thread, const char *lo, const char *hi, struct cos_glance *out)
{
    char before[512], after[512];
    long call;
    uintptr_t sp, pc;
    out->frames = 0;
    if (read_proc(thread, "syscall", before, sizeof before) == 0 ||
        !parse_call(before, &call, &sp, &pc) || sp < (uintptr_t)lo || sp >= (uintptr_t)hi) {
        return;
    }
    out->frame[out->frames++] = (const void *)pc; /* NOLINT */
    out->frames = walk(first_frame(sp, (uintptr_t)hi), sp, (uintptr_t)hi, out->frame, out->frames);
    if (read_proc(thread, "syscall", after, sizeof after) == 0 || strcmp(before, after) != 0) {
        out->frames = 0;
    }
}

int64_t cos_glance_cpu(pid_t thread)
{
    struct timespec ts;
    clockid_t clock =
        (clockid_t)(~(unsigned)thread << 3 | 6U); /* of one thread: clock_getcpuclockid(3) */
    return clock_gettime(clock, &ts) == 0 ? (int64_t)ts.tv_sec * COS_NS_PER_S + ts.tv_nsec : -1;
}

const char *cos_glance_call_name(long call)
{
    static const struct {
        long number;
        const char *name;
    } names[] = {
        {SYS_read, "read"},
        {SYS_write, "write"},
        {SYS_openat, "openat"},
        {SYS_close, "close"},
        {SYS_readv, "readv"},
        {SYS_writev, "writev"},
        {SYS_pread64, "pread"},
        {SYS_pwrite64, "pwrite"},
        {SYS_fsync, "fsync"},
        {SYS_fdatasync, "fdatasync"},
        {SYS_flock, "flock"},
        {SYS_fcntl, "fcntl"},
        {SYS_ppoll, "poll"},
        {SYS_pselect6, "select"},
        {SYS_epoll_pwait, "epoll_wait"},
        {SYS_futex, "futex"},
        {SYS_nanosleep, "nanosleep"},
        {SYS_clock_nanosleep, "clock_nanosleep"},
        {SYS_connect, "connect"},
        {SYS_accept4, "accept"},
        {SYS_recvfrom, "recv"},
        {SYS_recvmsg, "recvmsg"},
        {SYS_sendto, "send"},
        {SYS_sendmsg, "sendmsg"},
        {SYS_wait4, "wait"},
        {SYS_waitid, "waitid"},
        {SYS_clone, "clone"},
        {SYS_mmap, "mmap"},
        {SYS_munmap, "munmap"},
        {SYS_madvise, "madvise"},
#if defined(SYS_poll)
        {SYS_poll, "poll"},
        {SYS_select, "select"},
        {SYS_epoll_wait, "epoll_wait"},
        {SYS_open, "open"},
        {SYS_pause, "pause"},
#endif
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].number == call) {
            return names[i].name;
        }
    }
    return NULL;
}
