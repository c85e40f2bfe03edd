/* Guards. A guard region costs a page-table entry; mprotect costs two mappings a stack; a canary is noticed
 * only when somebody looks. */
#include "arch/stack_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

#define CANARY_WORD  UINT64_C(0xc05c4ed05afe57ac)
#define CANARY_WORDS 8u

/* The return value is not proof: qemu-user 7.2 answers 0 and installs nothing. The kernel refuses to read a
 * guarded page for write(2) with EFAULT, which tells without a fault of our own. */
static bool faults(const char *page)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return false;
    }
    bool refused = write(fds[1], page, 1) < 0 && errno == EFAULT;
    (void)close(fds[0]);
    (void)close(fds[1]);
    return refused;
}

static bool works(enum cos_stack_guard guard)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *scratch = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (scratch == MAP_FAILED) {
        return false;
    }
    bool answer = cos_stack_guard_install(guard, scratch, page) == 0 && faults(scratch);
    (void)munmap(scratch, page);
    return answer;
}

enum cos_stack_guard cos_stack_guard_probe(void)
{
    if (works(COS_STACK_GUARD_MADVISE)) {
        return COS_STACK_GUARD_MADVISE;
    }
    return works(COS_STACK_GUARD_MPROTECT) ? COS_STACK_GUARD_MPROTECT : COS_STACK_GUARD_CANARY;
}

int cos_stack_guard_install(enum cos_stack_guard guard, char *page, size_t bytes)
{
    int rc = 0;
    if (guard == COS_STACK_GUARD_MADVISE) {
        rc = madvise(page, bytes, MADV_GUARD_INSTALL);
    } else if (guard == COS_STACK_GUARD_MPROTECT) {
        rc = mprotect(page, bytes, PROT_NONE);
    }
    return rc == 0 ? 0 : -errno;
}

void cos_stack_canary_write(char *lo)
{
    uint64_t words[CANARY_WORDS];
    for (size_t i = 0; i < CANARY_WORDS; i++) {
        words[i] = CANARY_WORD + i;
    }
    memcpy(lo - sizeof words, words, sizeof words);
}

bool cos_stack_canary_read(const char *lo)
{
    uint64_t words[CANARY_WORDS];
    memcpy(words, lo - sizeof words, sizeof words);
    uint64_t difference = 0;
    for (size_t i = 0; i < CANARY_WORDS; i++) {
        difference |= words[i] ^ (CANARY_WORD + i);
    }
    return difference == 0;
}
