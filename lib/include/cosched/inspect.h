/* inspect.h - eyes into a running system. Nothing stops for them, and what they cost while nobody looks is next to nothing.
 *
 *   latency   how long hops take, and how long MAIN stays away from its poll
 *   tasks     every task: what it is, what it waits for, since when, its chain of awaits; those that wait for each other
 *   trace     what every executor did last, for Perfetto and chrome://tracing
 *
 * Any thread, while the runtime lives, unless a function says otherwise; in a forked child -EPERM. Structs begin with struct_size
 * as in cosched.h. */
#ifndef COSCHED_INSPECT_H
#define COSCHED_INSPECT_H
#include <cosched/cosched.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- latency: what was measured, of everything that happened, since the runtime began ------------------------ */

typedef enum {
    COSCHED_LATENCY_HOP_TO_WORKER, /* from the moment a task leaves until it runs on the other executor */
    COSCHED_LATENCY_HOP_TO_MAIN,
    COSCHED_LATENCY_HOP, /* both of them; hops home to a thread that a task owns are in none */
    COSCHED_LATENCY_POLL_GAP /* from a poll of MAIN's loop to the next one: what anything that becomes ready waits for at most */
} cosched_latency_kind;

#define COSCHED_LATENCY_STEPS 24

/* Quantiles are those of a log-linear histogram: up to 6 % too high, never too low. */
typedef struct {
    size_t struct_size;
    uint64_t count, sum_ns, max_ns;
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns;
    uint64_t within[COSCHED_LATENCY_STEPS]; /* [i]: how many took 2^i us at most, to 6 % */
} cosched_latency;

/* Fills *out up to the struct_size it came with. Within two milliseconds of the first runtime's creation it waits for them to
 * pass, in place. 0; -EINVAL: kind, struct_size. */
COSCHED_API int cosched_latency_get(cosched_runtime *rt, cosched_latency_kind kind,
                                    cosched_latency *out);

/* --- tasks: every task, what it waits for, its chain of awaits ---------------------------------------------- */

/* A body, or a function that one called by cosched_call, on the task's stack. */
typedef struct {
    cosched_fn fn;
    cosched_task task; /* the task whose body it is; {0, 0}: a call */
} cosched_task_call;

/* One task, or with COSCHED_TASKS_FOLD as many as are alike. Valid for the length of the call. */
typedef struct {
    size_t struct_size;
    cosched_task task;         /* of several: one of them */
    const char *name;          /* NULL: none */
    cosched_fn fn;             /* its body */
    cosched_affinity affinity; /* where it started */
    cosched_state state;
    cosched_reason reason; /* WAITING, or UNSTARTED: FOR_TIME */
    uint64_t object;       /* what it waits for, as cosched_reason says */
    cosched_task for_task; /* the task it waits for: to join it, or the one that holds what it wants; {0, 0}: not known, or
                            * nobody in particular */
    uint32_t for_count;  /* FOR_ANY_TASK, FOR_SELECT: how many the array has */
    int64_t since_ns;    /* since when, monotonic, to some milliseconds; 0: unknown */
    int64_t deadline_ns; /* of that wait; COSCHED_NEVER */
    bool canceled;
    /* Whose child it is, whose child that is, and so on, as far as they live; groups do not count. A detached task is nobody's. */
    const cosched_task *above;
    uint32_t above_count;
    /* The rest is known while it waits on a stack of its own or of the task that awaits it inline, innermost first. */
    const cosched_task_call *calls; /* its chain of awaits: calls, and last its body */
    uint32_t call_count;
    /* Where its functions go on (cosched_symbol), as far as frame pointers lead, to its body. */
    const void *const *frames;
    uint32_t frame_count;
    size_t stack_used; /* bytes, without those of the tasks it awaits inline; 0: unknown */
    size_t stack_size; /* of its stack, the further ones of deep calls not counted */
    uint32_t stuck;    /* from 1: number of the stuck set it is in; 0: in none, or not asked for */
    uint64_t count;    /* how many are like this one */
    int64_t since_last_ns; /* of several: since when the one waits that came last; since_ns is of the first */
} cosched_task_info;

enum {
    COSCHED_TASKS_NO_FRAMES = 1, /* leaves `frames` out */
    /* Tasks that are alike in all but handle, object, times and stack_used are told as one, up to 512 kinds of them; the rest one
     * by one. Told at the end. */
    COSCHED_TASKS_FOLD = 2,
    COSCHED_TASKS_STUCK = 4 /* fills `stuck`: as cosched_tasks_stuck, which is done first */
};

typedef struct {
    size_t struct_size;
    unsigned flags; /* COSCHED_TASKS_… */
    /* Which are to be told (and folded); NULL: all. `data` is that of the call. Must not suspend. */
    bool (*want)(void *data, const cosched_task_info *info);
} cosched_tasks_options;

/* Tells each task that lives, in no order. On any thread, while the runtime lives. It has no allocator: its room is one mapping,
 * made and given back. `each` is called outside of all locks and may suspend, if this is a task; an answer that is not 0 ends the
 * call. A task that begins or ends meanwhile may be missing; what is told of any one is whole. options NULL: none.
 * How many were told, or each's answer; -EINVAL; -ENOMEM. */
COSCHED_API int64_t cosched_tasks_each(cosched_runtime *rt, const cosched_tasks_options *options,
                                       int (*each)(void *data, const cosched_task_info *info),
                                       void *data);

/* The same for one task, then the task that it waits for (for_task), then the one that waits for, and so on: at most 64, and none
 * twice. -ESTALE: the first does not live. */
COSCHED_API int64_t cosched_tasks_chain(cosched_runtime *rt, cosched_task task,
                                        int (*each)(void *data, const cosched_task_info *info),
                                        void *data);

/* The same for those that wait for each other and will go on only when somebody cancels one: sets of tasks of which every one
 * waits, without a deadline of its own or of a scope around it, for what only others of the set can bring about.
 *
 * Known is: a join waits for that task, a group for all its children; a mutex, a once, a lock that is held to write for the task
 * that has it; several tasks or channels for any of them. A channel waits for the tasks that have been on its other side before (a
 * send or receive of theirs, ever) and still live, and for their living children: if there are none, or more than four, or if a
 * thread that is no task was there, it is taken to be served one day. So two tasks that wait on a channel nobody has used
 * yet are not found; and a task that would come to a channel for the first time, without being a child of those known, is not
 * thought of. Whoever waits for anything else (time, descriptors, threads, conditions, semaphores, events, …) is never
 * in a set. How many were told. */
COSCHED_API int64_t cosched_tasks_stuck(cosched_runtime *rt,
                                        int (*each)(void *data, const cosched_task_info *info),
                                        void *data);

/* All of that as one JSON object, a task a line, written to a descriptor; blocks the thread while that takes nothing. On any thread,
 * while the runtime lives, and without an allocator, so that it works in a process that has none left. 0, -ENOMEM, or what
 * write answered. */
COSCHED_API int cosched_dump(cosched_runtime *rt, int fd);

/* The function that an address lies in, as far as the dynamic linker knows it or the file's symbol table, where it was not
 * stripped: name+0x1f, else file+0x1234 or 0x5566…; cut off after size - 1 bytes. May read a file. Any thread. */
COSCHED_API void cosched_symbol(char *out, size_t size, const void *address);
/* What a reason is called: "mutex", "task" …; static text. Any thread. */
COSCHED_API const char *cosched_reason_name(cosched_reason reason);

/* --- trace: what every executor did last ----------------------------------------------------------------------
 *
 * Switches between tasks, what made tasks go on, hops, thefts, sleep: always recorded, a few nanoseconds each, in rings that keep the
 * last 4,096 of each executor. Calls and awaits that run on their caller's stack leave no record. */

typedef enum {
    COSCHED_TRACE_BEGIN,
    COSCHED_TRACE_END,
    COSCHED_TRACE_INSTANT,
    COSCHED_TRACE_UNDER_WAY /* as BEGIN, for what began earlier and elsewhere: a reader who comes later shall see it */
} cosched_trace_phase;

/* Something of the program's own in the same picture: a span from BEGIN to the END of the same name and id, or a moment. name:
 * static storage, and no other than that of its BEGIN (the address counts). Any thread; nothing without a runtime. */
COSCHED_API void cosched_trace_mark(const char *name, int64_t id, cosched_trace_phase phase);

/* One event in the Chrome trace format, a JSON object, n bytes and a zero behind them. Valid for the length of the call, in which
 * no function of cosched.h may be called that may suspend. */
typedef void (*cosched_trace_fn)(void *data, const char *json, size_t n);

typedef struct cosched_trace cosched_trace; /* somebody who reads; one thread at a time */

typedef struct {
    size_t struct_size;
    uint64_t records; /* read from the rings */
    uint64_t lost;    /* overwritten before they were read, or left out for want of memory */
    uint64_t events;  /* made of them */
} cosched_trace_counts;

/* A reader of all that happens from `since` on, as far as it is still there (COSCHED_NOW: everything that is). It must be closed
 * before the runtime is destroyed. 0, -ENOMEM, -EINVAL. */
COSCHED_API int cosched_trace_open(cosched_trace **out, cosched_runtime *rt, int64_t since);
/* Hands over what has happened since it was called last: as often as a busy executor needs for 4,096 records. Executors are
 * tracks, what runs on them slices; tasks, marks and blocking calls are spans beside them; arrows lead from a wake or a hop to
 * the slice that follows. Slices of one track come in order of time. Needs memory for what is new, and 8 KiB of stack. 0, -ENOMEM
 * (nothing was lost yet). */
COSCHED_API int cosched_trace_read(cosched_trace *trace, cosched_trace_fn event, void *data);
/* Fills *out up to the struct_size it came with. 0, -EINVAL. */
COSCHED_API int cosched_trace_count(const cosched_trace *trace, cosched_trace_counts *out);
/* Hands over the ends of all that is still open, unless event is NULL, and frees the reader. NULL is fine. */
COSCHED_API void cosched_trace_close(cosched_trace *trace, cosched_trace_fn event, void *data);

/* All of it at once, as a file: what the rings still have from `since` on. Blocks the thread while the descriptor does. 0, or a
 * negative errno of write(2), -ENOMEM, -EINVAL. */
COSCHED_API int cosched_trace_write(cosched_runtime *rt, int64_t since, int fd);

#ifdef __cplusplus
}
#endif
#endif
