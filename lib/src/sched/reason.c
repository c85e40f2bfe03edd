/* See reason.h. */
#include "sched/reason.h"

#include "arch/peek.h"
#include "base/assert.h"

/* Unseen by the tools: the stack may be another's by now, or nobody's. The partners are the releases in cos_reason_set. */
bool cos_reason_read(const struct cos_reason *r, struct cos_reason_seen *out)
{
    uint64_t stamp = cos_arch_peek_acquire(&r->stamp);
    out->object = cos_arch_peek_acquire(&r->object);
    out->since_ns = (int64_t)cos_arch_peek_acquire(&r->since_ns);
    out->inner = (uint32_t)cos_arch_peek_acquire(&r->inner);
    out->wait_seq = (uint32_t)(stamp >> 32);
    out->reason = (cosched_reason)(stamp & 0xff);
    out->count = (uint32_t)stamp >> 8;
    return stamp != 0 && cos_arch_peek_acquire(&r->stamp) == stamp;
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
