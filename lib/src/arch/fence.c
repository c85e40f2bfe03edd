/* Chooses between membarrier and plain fences. Called once at start; cos_fence_heavy from any thread. */
#include "arch/fence.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#if COS_TSAN
COS_ATOMIC(uint32_t) cos_fence_word;

void cos_fence_init(void)
{
}

void cos_fence_heavy(void)
{
    (void)cos_atomic_add(&cos_fence_word, 0, seq_cst);
}
#else
bool cos_fence_asymmetric;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static long membarrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0);
}

static void decide(void)
{
    long commands = membarrier(MEMBARRIER_CMD_QUERY);
    if (commands < 0 || (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0 ||
        membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0) {
        return;
    }
    /* qemu-user answers the query from the host but runs guest threads its own way: one real try decides. */
    cos_fence_asymmetric = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

void cos_fence_init(void)
{
    (void)pthread_once(&once, decide);
}

void cos_fence_heavy(void)
{
    if (!cos_fence_asymmetric) {
        cos_fence_full();
    } else if (COS_UNLIKELY(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0) &&
               membarrier(MEMBARRIER_CMD_GLOBAL) != 0) {
        /* The kernel may be short of memory for its mask of CPUs; the slow way needs none. Without either: the light
         * side relies on it, and going on would lose entries of a queue without a trace. */
        COS_PANIC("membarrier was allowed at start and is refused now");
    }
}
#endif
