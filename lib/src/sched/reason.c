/* See reason.h. */
#include "sched/reason.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "sched/depot.h"

struct cos_reason *cos_reasons;

int cos_reasons_reserve(uint32_t capacity)
{
    if (cos_reasons != NULL) {
        return 0;
    }
    cos_reasons = cos_depot_map(capacity, sizeof *cos_reasons);
    return cos_reasons != NULL ? 0 : -ENOMEM;
}

void cos_reasons_forget(uint32_t first, uint32_t n)
{
    size_t bytes = n * sizeof *cos_reasons;
    if (bytes % (size_t)sysconf(_SC_PAGESIZE) == 0) {
        (void)madvise(&cos_reasons[first], bytes, MADV_DONTNEED);
    }
}

bool cos_reason_read(uint32_t base, struct cos_reason_seen *out)
{
    struct cos_reason *r = &cos_reasons[base];
    /* acquire: pairs with the releases in cos_reason_set. */
    uint64_t stamp = cos_atomic_load(&r->stamp, acquire);
    out->object = cos_atomic_load(&r->object, acquire);
    out->since_ns = cos_atomic_load(&r->since_ns, acquire);
    out->inner = (uint32_t)cos_atomic_load(&r->inner, acquire);
    out->wait_seq = (uint32_t)(stamp >> 32);
    out->reason = (cosched_reason)(stamp & 0xff);
    out->count = (uint32_t)stamp >> 8;
    return stamp != 0 && cos_atomic_load(&r->stamp, relaxed) == stamp;
}

const char *cos_reason_name(cosched_reason reason)
{
    switch (reason) {
    case COSCHED_FOR_NOTHING: return "nothing";
    case COSCHED_FOR_TASK: return "task";
    case COSCHED_FOR_INLINE: return "task on its stack";
    case COSCHED_FOR_ANY_TASK: return "one of several tasks";
    case COSCHED_FOR_CHILDREN: return "its children";
    case COSCHED_FOR_GROUP: return "group";
    case COSCHED_FOR_MUTEX: return "mutex";
    case COSCHED_FOR_COND: return "condition";
    case COSCHED_FOR_SEM: return "semaphore";
    case COSCHED_FOR_READ_LOCK: return "lock to read";
    case COSCHED_FOR_WRITE_LOCK: return "lock to write";
    case COSCHED_FOR_BARRIER: return "barrier";
    case COSCHED_FOR_ONCE: return "once";
    case COSCHED_FOR_WAIT_GROUP: return "wait group";
    case COSCHED_FOR_SEND: return "room in channel";
    case COSCHED_FOR_RECV: return "value from channel";
    case COSCHED_FOR_SELECT: return "one of several channels";
    case COSCHED_FOR_EVENT: return "event";
    case COSCHED_FOR_TIME: return "its time";
    case COSCHED_FOR_IO: return "I/O";
    case COSCHED_FOR_BLOCKING: return "blocking call";
    case COSCHED_FOR_THREAD: return "its turn on another thread";
    case COSCHED_FOR_SOMETHING: return "something";
    case COSCHED_FOR_PROCESS: return "child process";
    }
    COS_UNREACHABLE();
}
