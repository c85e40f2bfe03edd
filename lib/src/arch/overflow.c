/* The fault handlers and their alternate stacks.
 *
 * The handler may run on any thread at any instruction: it reads the lock-free list of slabs, writes with
 * write(2), takes no lock and allocates nothing. It never decides how the process ends: for its own faults it
 * puts the former action back and returns, the instruction faults again, and the core shows the real place. */
#include "arch/overflow.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch/stack.h"
#include "base/assert.h"
#include "base/atomic.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* Room for describe and for a former handler (a sanitizer's report is the hungriest) above what the kernel's
 * frame takes, which grows with the vector registers of the machine. */
#define COS_ALTSTACK_BYTES ((size_t)64 * 1024)

static const int fault_signals[] = {SIGSEGV, SIGBUS};
#define FAULT_SIGNALS (sizeof fault_signals / sizeof *fault_signals)

static struct sigaction former[FAULT_SIGNALS]; /* const while installed */
static void (*describe_stack)(char *stack_hi, int fd);
static COS_ATOMIC(
    bool) installed; /* atomic: release after the fields above are set, acquire in the handler */

static size_t append_text(char *line, size_t at, const char *text)
{
    size_t n = strlen(text);
    memcpy(line + at, text, n);
    return at + n;
}

static size_t append_number(char *line, size_t at, uintptr_t value, unsigned base)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0) {
        line[at++] = digits[--n];
    }
    return at;
}

static void report(const struct cos_stack *stack, uintptr_t address)
{
    char line[160];
    size_t n = append_text(line, 0, "cosched: stack overflow: ");
    n = append_number(line, n, cos_stack_class_bytes(stack->class_index) / 1024, 10);
    n = append_text(line, n, " KiB stack 0x");
    n = append_number(line, n, (uintptr_t)stack->lo, 16);
    n = append_text(line, n, "-0x");
    n = append_number(line, n, (uintptr_t)stack->hi, 16);
    n = append_text(line, n, ", fault at 0x");
    n = append_number(line, n, address, 16);
    n = append_text(line, n, "\n");
    ssize_t ignored = write(STDERR_FILENO, line, n);
    (void)ignored;
    if (describe_stack != NULL) {
        describe_stack(stack->hi, STDERR_FILENO);
    }
}

static size_t signal_slot(int signal_number)
{
    return signal_number == SIGSEGV ? 0 : 1;
}

static void pass_on(int signal_number, siginfo_t *info, void *ucontext)
{
    const struct sigaction *action = &former[signal_slot(signal_number)];
    bool sent = info->si_code <= 0; /* by kill or the like: returning would not raise it again */
    if ((action->sa_flags & SA_SIGINFO) != 0) {
        action->sa_sigaction(signal_number, info, ucontext);
    } else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(signal_number);
    } else if (action->sa_handler == SIG_DFL || !sent) {
        (void)sigaction(signal_number, action, NULL);
        if (sent) {
            (void)raise(signal_number);
        }
    }
}

static void on_fault(int signal_number, siginfo_t *info, void *ucontext)
{
    int saved_errno = errno;
    struct cos_stack stack;
    /* acquire: pairs with the release in cos_overflow_install. */
    if (cos_atomic_load(&installed, acquire) && info->si_code > 0 &&
        cos_stack_find_guard(info->si_addr, &stack)) {
        report(&stack, (uintptr_t)info->si_addr);
        (void)sigaction(signal_number, &former[signal_slot(signal_number)], NULL);
    } else {
        pass_on(signal_number, info, ucontext);
    }
    errno = saved_errno;
}

int cos_overflow_install(void (*describe)(char *stack_hi, int fd))
{
    if (cos_atomic_load(&installed, relaxed)) {
        return -EALREADY;
    }
    describe_stack = describe;
    for (size_t i = 0; i < FAULT_SIGNALS; i++) {
        if (sigaction(fault_signals[i], NULL, &former[i]) != 0) {
            return -errno;
        }
    }
    /* release: pairs with the acquire in on_fault; publishes former and describe_stack. */
    cos_atomic_store(&installed, true, release);
    struct sigaction ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&ours.sa_mask);
    for (size_t i = 0; i < FAULT_SIGNALS; i++) {
        if (sigaction(fault_signals[i], &ours, NULL) != 0) {
            int error = -errno;
            cos_overflow_uninstall();
            return error;
        }
    }
    return 0;
}

void cos_overflow_uninstall(void)
{
    if (!cos_atomic_load(&installed, relaxed)) {
        return;
    }
    for (size_t i = 0; i < FAULT_SIGNALS; i++) {
        struct sigaction current;
        if (sigaction(fault_signals[i], NULL, &current) == 0 &&
            (current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault) {
            (void)sigaction(fault_signals[i], &former[i], NULL);
        }
    }
    cos_atomic_store(&installed, false, release);
}

int cos_overflow_thread_init(struct cos_overflow_thread *thread)
{
    memset(thread, 0, sizeof *thread);
    stack_t current;
    if (sigaltstack(NULL, &current) != 0) {
        return -errno;
    }
    if ((current.ss_flags & SS_DISABLE) == 0) {
        return 0;
    }
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = COS_ALTSTACK_BYTES + getauxval(AT_MINSIGSTKSZ);
    bytes = (bytes + page - 1) / page * page + page;
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    stack_t ours = {.ss_sp = map + page, .ss_size = bytes - page};
    if (mprotect(map, page, PROT_NONE) != 0 || sigaltstack(&ours, NULL) != 0) {
        int error = -errno;
        (void)munmap(map, bytes);
        return error;
    }
    thread->map = map;
    thread->bytes = bytes;
    return 0;
}

void cos_overflow_thread_fini(struct cos_overflow_thread *thread)
{
    if (thread == NULL || thread->map == NULL) {
        return;
    }
    stack_t current;
    stack_t none = {.ss_flags = SS_DISABLE};
    char *lo = thread->map;
    if (sigaltstack(NULL, &current) == 0 && (char *)current.ss_sp >= lo &&
        (char *)current.ss_sp < lo + thread->bytes) {
        (void)sigaltstack(&none, NULL);
    }
    (void)munmap(thread->map, thread->bytes);
    memset(thread, 0, sizeof *thread);
}
