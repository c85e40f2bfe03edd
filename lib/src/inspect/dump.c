/* cosched_dump: all tasks as JSON, through a buffer of fixed size. */
#include <cosched/inspect.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "inspect/tasks.h"

#define BUFFER_BYTES 32768
#define SYMBOL_BYTES 128

struct dump {
    int fd, error;
    int64_t now;
    uint64_t told;
    uint32_t sets;
    bool comma; /* a value stands before */
    size_t used;
    char buffer[BUFFER_BYTES];
};

/* --- bytes ---------------------------------------------------------------------------------------------------- */

static void flush(struct dump *d)
{
    size_t sent = 0;
    while (sent < d->used && d->error == 0) {
        ssize_t n = write(d->fd, d->buffer + sent, d->used - sent);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd takes = {.fd = d->fd, .events = POLLOUT};
            (void)poll(&takes, 1, -1);
        } else if (errno != EINTR) {
            d->error = -errno;
        }
    }
    d->used = 0;
}

static void put(struct dump *d, const char *text, size_t n)
{
    if (n > BUFFER_BYTES - d->used) {
        flush(d);
    }
    memcpy(d->buffer + d->used, text, n);
    d->used += n;
}

static void put_text(struct dump *d, const char *text)
{
    put(d, text, strlen(text));
}

static void put_escaped(struct dump *d, unsigned char c)
{
    char out[8];
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        put(d, out, 2);
    } else if (c < 0x20 || c >= 0x7f) { /* whatever it was: the text is valid */
        (void)snprintf(out, sizeof out, "\\u%04x", c);
        put(d, out, 6);
    } else {
        out[0] = (char)c;
        put(d, out, 1);
    }
}

/* --- JSON ------------------------------------------------------------------------------------------------------ */

static void begin(struct dump *d, const char *key)
{
    if (d->comma) {
        put_text(d, ",");
    }
    if (key != NULL) {
        put_text(d, "\"");
        put_text(d, key);
        put_text(d, "\":");
    }
    d->comma = true;
}

static void open_with(struct dump *d, const char *key, const char *bracket)
{
    begin(d, key);
    put_text(d, bracket);
    d->comma = false;
}

static void close_with(struct dump *d, const char *bracket)
{
    put_text(d, bracket);
    d->comma = true;
}

static void add_string(struct dump *d, const char *key, const char *text)
{
    begin(d, key);
    put_text(d, "\"");
    for (size_t i = 0; text[i] != '\0' && i < 4096; i++) {
        put_escaped(d, (unsigned char)text[i]);
    }
    put_text(d, "\"");
}

static void add_number(struct dump *d, const char *key, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    begin(d, key);
    put_text(d, text);
}

static void add_hex(struct dump *d, const char *key, uint64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, number);
    add_string(d, key, text);
}

static void add_symbol(struct dump *d, const char *key, const void *address)
{
    char text[SYMBOL_BYTES];
    cosched_symbol(text, sizeof text, address);
    add_string(d, key, text);
}

static void add_task(struct dump *d, const char *key, cosched_task task)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%" PRIu32 ".%" PRIu32, task.index, task.generation);
    add_string(d, key, text);
}

static const char *place(cosched_affinity affinity)
{
    return affinity == COSCHED_MAIN ? "main" : affinity == COSCHED_WORKER ? "worker" : "own thread";
}

static const char *state(cosched_state s)
{
    return s == COSCHED_UNSTARTED ? "unstarted" : s == COSCHED_ACTIVE ? "active" : "waiting";
}

static uint64_t ms_since(const struct dump *d, int64_t then)
{
    return d->now > then ? (uint64_t)((d->now - then) / COS_NS_PER_MS) : 0;
}

static void add_wait(struct dump *d, const cosched_task_info *info)
{
    open_with(d, "waits_for", "{");
    add_string(d, "what", cosched_reason_name(info->reason));
    if (info->for_task.index != 0) {
        add_task(d, "task", info->for_task);
    }
    if (info->reason == COSCHED_FOR_IO || info->reason == COSCHED_FOR_PROCESS) {
        if (info->object != UINT64_MAX) {
            add_number(d, info->reason == COSCHED_FOR_IO ? "fd" : "pid", info->object);
        }
    } else if (info->reason == COSCHED_FOR_BLOCKING) {
        add_symbol(d, "function", (const void *)(uintptr_t)info->object);
    } else if (info->reason == COSCHED_FOR_THREAD) {
        add_string(d, "executor", place((cosched_affinity)info->object));
    } else if (info->object != 0 && info->reason != COSCHED_FOR_TASK &&
               info->reason != COSCHED_FOR_INLINE && info->reason != COSCHED_FOR_CHILDREN) {
        add_hex(d, "object", info->object);
    }
    if (info->for_count != 0) {
        add_number(d, "count", info->for_count);
    }
    if (info->since_ns != 0) {
        add_number(d, "for_ms", ms_since(d, info->since_ns));
    }
    if (info->deadline_ns != COSCHED_NEVER) {
        uint64_t left = info->deadline_ns > d->now ? (uint64_t)(info->deadline_ns - d->now) : 0;
        add_number(d, "until_ms", left / COS_NS_PER_MS);
    }
    close_with(d, "}");
}

static void add_chain(struct dump *d, const cosched_task_info *info)
{
    if (info->call_count > 0) {
        open_with(d, "calls", "[");
        for (uint32_t i = 0; i < info->call_count; i++) {
            add_symbol(d, NULL, (const void *)(uintptr_t)info->calls[i].fn);
        }
        close_with(d, "]");
    }
    if (info->frame_count > 0) {
        open_with(d, "frames", "[");
        for (uint32_t i = 0; i < info->frame_count; i++) {
            add_symbol(d, NULL, info->frames[i]);
        }
        close_with(d, "]");
    }
    if (info->stack_size != 0) {
        open_with(d, "stack", "{");
        add_number(d, "used", info->stack_used);
        add_number(d, "size", info->stack_size);
        close_with(d, "}");
    }
}

static int each(void *data, const cosched_task_info *info)
{
    struct dump *d = data;
    d->now = cos_clock_now();
    d->told++;
    d->sets = info->stuck > d->sets ? info->stuck : d->sets;
    put_text(d, d->comma ? ",\n" : "\n");
    d->comma = false;
    open_with(d, NULL, "{");
    add_task(d, "task", info->task);
    if (info->name != NULL) {
        add_string(d, "name", info->name);
    }
    add_symbol(d, "fn", (const void *)(uintptr_t)info->fn);
    add_string(d, "on", place(info->affinity));
    add_string(d, "state", state(info->state));
    if (info->above_count > 0) {
        add_task(d, "parent", info->above[0]);
    }
    if (info->canceled) {
        begin(d, "canceled");
        put_text(d, "true");
    }
    if (info->reason != COSCHED_FOR_NOTHING) {
        add_wait(d, info);
    }
    if (info->stuck != 0) {
        add_number(d, "stuck", info->stuck);
    }
    add_chain(d, info);
    close_with(d, "}");
    return d->error;
}

int cosched_dump(cosched_runtime *rt, int fd)
{
    static const cosched_tasks_options options = {.struct_size = sizeof options,
                                                  .flags = COSCHED_TASKS_STUCK};
    int may = cos_tasks_may_look(rt);
    if (may < 0) {
        return may;
    }
    struct dump *d = cos_tasks_room(sizeof *d);
    if (d == NULL) {
        return -ENOMEM;
    }
    d->fd = fd;
    open_with(d, NULL, "{");
    open_with(d, "tasks", "[");
    int64_t rc = cosched_tasks_each(rt, &options, each, d);
    close_with(d, "\n]");
    add_number(d, "count", d->told);
    add_number(d, "stuck_sets", d->sets);
    close_with(d, "}\n");
    flush(d);
    int error = d->error;
    cos_tasks_room_end(d, sizeof *d);
    return rc < 0 ? (int)rc : error;
}
