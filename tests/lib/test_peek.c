/* Reading memory that may not be there: with process_vm_readv, and where the system refuses it. */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inspect/peek.h"
#include "run.h"

/* The library's process_vm_readv is this one: 0 asks the kernel, else it is refused so. */
static int refusal;

ssize_t process_vm_readv(pid_t pid, const struct iovec *here, unsigned long here_count,
                         const struct iovec *there, unsigned long there_count, unsigned long flags)
{
    if (refusal != 0) {
        errno = refusal;
        return -1;
    }
    return syscall(SYS_process_vm_readv, pid, here, here_count, there, there_count, flags);
}

/* Words of ours, words across the end of what is mapped, and nothing at all. */
static void look(bool works)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(two != MAP_FAILED && munmap(two + page, page) == 0);
    uint64_t *last = (uint64_t *)(void *)(two + page) - 2, found[4] = {0};
    last[0] = 17;
    last[1] = 18;
    struct cos_peek p = {.stack = {.lo = NULL}};
    EXPECT(cos_peek(&p, found, last, 2 * sizeof *last) == works);
    EXPECT(!works || (found[0] == 17 && found[1] == 18));
    EXPECT(!cos_peek(&p, found, last, sizeof found));
    EXPECT(!cos_peek(&p, found, two + page, sizeof *found));
    EXPECT(!cos_peek(&p, found, NULL, sizeof *found));
    EXPECT(!cos_peek(&p, found, (const char *)last + 1, sizeof *found));
    EXPECT(munmap(two, page) == 0);
}

START_TEST(what_is_there_is_read_and_what_is_not_answers)
{
    look(true);
}

END_TEST

START_TEST(so_it_is_where_the_system_call_is_refused)
{
    static const int refusals[] = {ENOSYS, EPERM};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        refusal = refusals[i];
        look(true);
    }
}

END_TEST

START_TEST(without_descriptors_nothing_is_read)
{
    struct rlimit before, none;
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    refusal = ENOSYS;
    look(false);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0); /* LeakSanitizer wants some at the end */
}

END_TEST

RUN_MAIN("peek", ONCE(what_is_there_is_read_and_what_is_not_answers),
         ONCE(so_it_is_where_the_system_call_is_refused), ONCE(without_descriptors_nothing_is_read))
