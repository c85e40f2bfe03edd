/* tasks.c - see tasks.h. The names of members are those of cosched_dump.
 */
#include "tasks.h"

#include <stdio.h>

#define SYMBOL_BYTES 128

static void member_task(struct writer *w, const char *key, cosched_task task)
{
    char text[32];
    snprintf(text, sizeof text, "%u.%u", (unsigned)task.index, (unsigned)task.generation);
    writer_member_string(w, key, text);
}

static void write_symbol(struct writer *w, const void *address)
{
    char text[SYMBOL_BYTES];
    cosched_symbol(text, sizeof text, address);
    writer_string(w, text);
}

static const char *executor(cosched_affinity affinity)
{
    return affinity == COSCHED_MAIN ? "main" : affinity == COSCHED_WORKER ? "worker" : "own thread";
}

static const char *state_name(cosched_state state)
{
    return state == COSCHED_UNSTARTED ? "unstarted"
           : state == COSCHED_ACTIVE  ? "active"
                                      : "waiting";
}

static int64_t ms_between(int64_t from_ns, int64_t to_ns)
{
    return to_ns > from_ns ? (to_ns - from_ns) / 1000000 : 0;
}

static void write_object(struct writer *w, const cosched_task_info *info)
{
    char text[32];
    bool known = info->object != UINT64_MAX;
    switch ((int)info->reason) {
    case COSCHED_FOR_TASK:
    case COSCHED_FOR_INLINE:
    case COSCHED_FOR_CHILDREN:
    case COSCHED_FOR_TIME: break;
    case COSCHED_FOR_IO:
        if (known) {
            writer_member_uint(w, "fd", info->object);
        }
        break;
    case COSCHED_FOR_PROCESS: writer_member_uint(w, "pid", info->object); break;
    case COSCHED_FOR_THREAD:
        writer_member_string(w, "executor", executor((cosched_affinity)info->object));
        break;
    case COSCHED_FOR_BLOCKING:
        writer_key(w, "function");
        write_symbol(w, (const void *)(uintptr_t)info->object);
        break;
    default:
        if (info->object != 0) {
            snprintf(text, sizeof text, "0x%llx", (unsigned long long)info->object);
            writer_member_string(w, "object", text);
        }
        break;
    }
}

static void write_wait(struct writer *w, const cosched_task_info *info)
{
    int64_t now_ns = cosched_now();
    writer_member_object(w, "waits_for");
    writer_member_string(w, "what", cosched_reason_name(info->reason));
    if (info->for_task.index != 0) {
        member_task(w, "task", info->for_task);
    }
    write_object(w, info);
    if (info->for_count) {
        writer_member_uint(w, "count", info->for_count);
    }
    if (info->since_ns) {
        writer_member_int(w, "for_ms", ms_between(info->since_ns, now_ns));
    }
    if (info->deadline_ns != COSCHED_NEVER) {
        writer_member_int(w, "until_ms", ms_between(now_ns, info->deadline_ns));
    }
    writer_end_object(w);
}

static void write_chain(struct writer *w, const cosched_task_info *info)
{
    if (info->call_count) {
        writer_member_array(w, "calls");
        for (uint32_t i = 0; i < info->call_count; i++) {
            write_symbol(w, (const void *)(uintptr_t)info->calls[i].fn);
        }
        writer_end_array(w);
    }
    if (info->frame_count) {
        writer_member_array(w, "frames");
        for (uint32_t i = 0; i < info->frame_count; i++) {
            write_symbol(w, info->frames[i]);
        }
        writer_end_array(w);
    }
    if (info->stack_size) {
        writer_member_object(w, "stack");
        writer_member_uint(w, "used", info->stack_used);
        writer_member_uint(w, "size", info->stack_size);
        writer_end_object(w);
    }
}

void tasks_write(struct writer *w, const cosched_task_info *info)
{
    member_task(w, "task", info->task);
    if (info->name) {
        writer_member_string(w, "name", info->name);
    }
    writer_key(w, "fn");
    write_symbol(w, (const void *)(uintptr_t)info->fn);
    writer_member_string(w, "on", executor(info->affinity));
    writer_member_string(w, "state", state_name(info->state));
    if (info->above_count) {
        member_task(w, "parent", info->above[0]);
    }
    if (info->canceled) {
        writer_member_bool(w, "canceled", true);
    }
    if (info->count > 1) {
        writer_member_uint(w, "count", info->count);
    }
    if (info->reason != COSCHED_FOR_NOTHING) {
        write_wait(w, info);
    }
    if (info->stuck) {
        writer_member_uint(w, "stuck", info->stuck);
    }
    write_chain(w, info);
}

static int write_link(void *data, const cosched_task_info *info)
{
    struct writer *w = data;
    writer_object(w);
    tasks_write(w, info);
    writer_end_object(w);
    return 0;
}

void tasks_write_chain(struct writer *w, cosched_task task)
{
    writer_array(w);
    if (task.index) {
        (void)cosched_tasks_chain(cosched_runtime_self(), task, write_link, w);
    }
    writer_end_array(w);
}
