/* The report of a stack overflow: what is said, and that the process dies as it would have died. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/context.h"
#include "arch/overflow.h"
#include "arch/stack.h"

static struct cos_stack_cache cache;

static void setup(void)
{
    cos_stack_cache_init(&cache);
}

static void teardown(void)
{
    cos_stack_cache_fini(&cache);
    ck_assert_int_eq(cos_stack_shutdown(), 0);
}

static struct {
    struct cos_context home;
    struct cos_context fiber;
    struct cos_stack stack;
} victim;

static void describe_victim(char *stack_hi, int fd)
{
    const char *text = stack_hi == victim.stack.hi ? "task: the victim\n" : "task: somebody else\n";
    ssize_t ignored = write(fd, text, strlen(text));
    (void)ignored;
}

static __attribute__((noinline)) uint64_t devour(uint64_t depth)
{
    volatile char frame[512];
    frame[depth % sizeof frame] = (char)depth;
    uint64_t below = depth == UINT64_MAX ? 0 : devour(depth + 1);
    return below + (uint64_t)frame[depth % sizeof frame];
}

static COS_SWITCHES void overflow_entry(void *message)
{
    (void)message;
    uint64_t sum = devour(0);
    cos_context_switch_final(&victim.fiber, &victim.home, (void *)(uintptr_t)sum);
}

static COS_SWITCHES void overflow_in_child(void)
{
    struct cos_overflow_thread thread;
    if (cos_stack_get(&cache, 32768, &victim.stack) != 0 ||
        cos_overflow_thread_init(&thread) != 0 || cos_overflow_install(describe_victim) != 0) {
        _exit(99);
    }
    cos_context_init_thread(&victim.home);
    cos_context_make(&victim.fiber, victim.stack.lo, victim.stack.hi, overflow_entry);
    (void)cos_context_switch(&victim.home, &victim.fiber, NULL);
    _exit(98);
}

static void wild_write_in_child(void)
{
    struct cos_overflow_thread thread;
    if (cos_overflow_thread_init(&thread) != 0 || cos_overflow_install(describe_victim) != 0) {
        _exit(99);
    }
    volatile uintptr_t nowhere = 64;
    *(volatile char *)nowhere = 1;
    _exit(98);
}

static void killed_in_child(void)
{
    if (cos_overflow_install(describe_victim) != 0) {
        _exit(99);
    }
    (void)raise(SIGSEGV);
    _exit(98);
}

static char said[16384]; /* by the last child on standard error */

/* Runs it in a child; returns its wait status. */
static int run_child(void (*body)(void))
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rlimit no_core = {0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        body();
    }
    close(fds[1]);
    size_t n = 0;
    ssize_t got;
    while ((got = read(fds[0], said + n, sizeof said - 1 - n)) > 0) {
        n += (size_t)got;
    }
    said[n] = '\0';
    close(fds[0]);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* A sanitizer is the former handler, and reports and exits in its own way. */
static void check_died_of_segv(int status)
{
    if (COS_SANITIZED) {
        ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) < 98);
        ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
    } else {
        ck_assert(WIFSIGNALED(status));
        ck_assert_int_eq(WTERMSIG(status), SIGSEGV);
    }
}

START_TEST(overflow_is_named_and_kills_as_before)
{
    static const enum cos_stack_guard guards[] = {COS_STACK_GUARD_UNKNOWN, COS_STACK_GUARD_MPROTECT};

    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(cos_stack_force_guard(guards[i]), 0);
        check_died_of_segv(run_child(overflow_in_child));
        const char *line = strstr(said, "cosched: stack overflow: 32 KiB stack 0x");
        ck_assert_msg(line != NULL, "said: %s", said);
        ck_assert_ptr_nonnull(strstr(line, "task: the victim\n"));
#if COS_ASAN
        ck_assert_ptr_nonnull(strstr(line, "stack-overflow"));
#endif
    }
}

END_TEST

START_TEST(other_faults_are_not_ours)
{
    check_died_of_segv(run_child(wild_write_in_child));
    ck_assert_ptr_null(strstr(said, "cosched"));
    check_died_of_segv(run_child(killed_in_child));
    ck_assert_ptr_null(strstr(said, "cosched"));
}

END_TEST

static volatile sig_atomic_t foreign_calls;

static void foreign_handler(int signal_number)
{
    (void)signal_number;
    foreign_calls++;
}

START_TEST(handlers_chain_and_come_back)
{
    struct sigaction theirs = {.sa_handler = foreign_handler};
    struct sigaction found;
    struct sigaction before;
    ck_assert_int_eq(sigaction(SIGSEGV, &theirs, &before), 0);
    ck_assert_int_eq(cos_overflow_install(NULL), 0);
    ck_assert_int_eq(cos_overflow_install(NULL), -EALREADY);
    ck_assert_int_eq(raise(SIGSEGV), 0);
    ck_assert_int_eq(raise(SIGSEGV), 0);
    ck_assert_int_eq(foreign_calls, 2);
    cos_overflow_uninstall();
    cos_overflow_uninstall();
    ck_assert_int_eq(sigaction(SIGSEGV, &before, &found), 0);
    ck_assert(found.sa_handler == foreign_handler);
}

END_TEST

START_TEST(thread_keeps_its_own_alternate_stack)
{
    stack_t before;
    struct cos_overflow_thread thread;
    char *memory = malloc(65536);
    ck_assert_ptr_nonnull(memory);
    stack_t own = {.ss_sp = memory, .ss_size = 65536};
    ck_assert_int_eq(sigaltstack(&own, &before), 0);
    ck_assert_int_eq(cos_overflow_thread_init(&thread), 0);
    ck_assert_ptr_null(thread.map);
    cos_overflow_thread_fini(&thread);
    stack_t now;
    ck_assert_int_eq(sigaltstack(NULL, &now), 0);
    ck_assert_ptr_eq(now.ss_sp, memory);
    stack_t none = {.ss_flags = SS_DISABLE};
    ck_assert_int_eq(sigaltstack(&none, NULL), 0);
    ck_assert_int_eq(cos_overflow_thread_init(&thread), 0);
    ck_assert_ptr_nonnull(thread.map);
    cos_overflow_thread_fini(&thread);
    cos_overflow_thread_fini(&thread);
    cos_overflow_thread_fini(NULL);
    ck_assert_int_eq(sigaltstack(NULL, &now), 0);
    ck_assert_int_ne(now.ss_flags & SS_DISABLE, 0);
    (void)sigaltstack(&before, NULL);
    free(memory);
}

END_TEST

int main(void)
{
    Suite *suite = suite_create("overflow");
    TCase *tcase = tcase_create("overflow");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, overflow_is_named_and_kills_as_before);
    tcase_add_test(tcase, other_faults_are_not_ours);
    tcase_add_test(tcase, handlers_chain_and_come_back);
    tcase_add_test(tcase, thread_keeps_its_own_alternate_stack);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
