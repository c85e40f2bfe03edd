/* Linked into tests of a coverage build: a process that dies of a fault or an assertion still tells what it ran. */
#include <signal.h>

extern void __gcov_dump(void); /* of libgcov */

static void on_death(int number)
{
    __gcov_dump();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

__attribute__((constructor)) static void install(void)
{
    struct sigaction ours = {.sa_handler = on_death, .sa_flags = SA_ONSTACK | SA_NODEFER};
    (void)sigaction(SIGABRT, &ours, 0);
    (void)sigaction(SIGSEGV, &ours, 0);
    (void)sigaction(SIGBUS, &ours, 0);
}
