/* cosched.h - coroutines for C with affinity.
 *
 * A task runs on MAIN (the thread of a libuv loop) or on WORKER (threads with work-stealing queues) and moves
 * between them by an ordinary-looking call. Three rules cover the whole interface:
 *
 *  1. A function that takes a `deadline` may suspend the calling task; no other does, save cosched_hop, cosched_yield,
 *     cosched_blocking, cosched_group_run, cosched_event_wait_always, and in io.h the opening or closing of what has to
 *     travel for it. (cosched_run, cosched_runtime_loop, _call and _stop block a thread: outside tasks only.)
 *  2. A result is an int or an int64_t: >= 0 a value, < 0 a negative errno (the numbers of UV_E*). errno itself is never
 *     set: like any thread-local it does not survive a suspension, because the task may resume on another thread.
 *  3. Once cancelled, a task gets -ECANCELED from every suspending call until its scope ends; cosched_hop and
 *     cosched_yield alone cannot fail, so that clean-up can always go home.
 *
 * Unless a function says otherwise it is called inside a task, on any executor; called outside it answers
 * -EPERM. Memory passed in is borrowed for the length of the call. Handles are values: copies name the same
 * task, and the first use consumes them all. A struct that begins with struct_size holds its own size there: 0, or
 * more than the library knows, is -EINVAL; what a shorter one lacks is zero. Structs in your memory are {0} or made by
 * their init, and their private_ fields are not to be touched or copied.
 *
 * Contents, in reading order; each has a line of dashes and a man page, cosched(3) lists them:
 *
 *   words          the types that all the others use, the version
 *   time           deadlines
 *   config         what a runtime is made with
 *   hooks          memory, messages, failures: what the host brings along
 *   runtime        its life, and its doors for other threads
 *   tasks          spawn, await, cancel; call, hop, yield, sleep, tail
 *   failure        the end of a task: clean-ups, its own values, panic
 *   scopes         a deadline or a shield over a block
 *   tokens         later, at, again
 *   groups         no child outlives the block that opened it
 *   channels       values from task to task
 *   select         the first of several channels
 *   locks          mutex, condition, semaphore, readers and writers, barrier, once, wait group
 *   events         one waiter, one set
 *   blocking       calls that block a thread
 *   fairness       who runs when, and for how long somebody waits at most
 *   from outside   what is allowed outside tasks; fork, longjmp, C++ exceptions, thread-locals
 *   looking in     counters, stack marks
 *
 * I/O is in io.h. Programs to read: tests/examples/01_hello.c and on.
 */
#ifndef COSCHED_H
#define COSCHED_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(COSCHED_BUILD) && defined(__GNUC__)
#define COSCHED_API __attribute__((visibility("default")))
#else
#define COSCHED_API
#endif

/* --- words: the types that all the others use ------------------------------------------------------------- */

#define COSCHED_VERSION 0x000100            /* of this header: major, minor, patch, a byte each */
COSCHED_API uint32_t cosched_version(void); /* of the library found at run time; any thread */
/* Static text in English for a negative errno, "success" for the rest; never NULL. Any thread. */
COSCHED_API const char *cosched_strerror(int64_t result);

typedef struct cosched_runtime cosched_runtime; /* MAIN, workers, stacks, timers */

typedef struct {
    uint32_t index, generation;
} cosched_task; /* a handle by value; {0, 0} is none */

typedef struct {
    uint32_t index, generation;
} cosched_token; /* what cosched_after, _at or _every armed; {0, 0} is none */
typedef struct cosched_chan cosched_chan; /* counted; the last unref frees */
typedef int64_t (*cosched_fn)(void *arg); /* the body of a task */

typedef enum {
    COSCHED_INHERIT, /* where the caller runs */
    COSCHED_MAIN,    /* the thread of the libuv loop */
    COSCHED_WORKER,  /* the work-stealing pool; MAIN when the pool has no threads */
    COSCHED_BLOCKING /* spawn with COSCHED_PINNED only: the task owns a thread, and may block it */
} cosched_affinity;

/* --- time: absolute nanoseconds on the monotonic clock ---------------------------------------------------- */

#define COSCHED_NEVER INT64_MAX
#define COSCHED_NOW   INT64_C(0)       /* try once and never suspend: -ETIMEDOUT if it would */
COSCHED_API int64_t cosched_now(void); /* any thread */
/* cosched_now and so much more; saturating, so that a great many is COSCHED_NEVER. Any thread. */
COSCHED_API int64_t cosched_in_ms(int64_t ms);
COSCHED_API int64_t cosched_in_ns(int64_t ns);

/* --- config: what a runtime is made with ------------------------------------------------------------------ */

#define COSCHED_WORKERS_MAX 64

enum {
    /* Name the task on stderr when one overflows its stack, then die as before. Installs SIGSEGV and SIGBUS
     * handlers (SA_ONSTACK) that chain to the former ones. */
    COSCHED_REPORT_OVERFLOW = 1,
    /* For tests, one of the two: no await runs its child inline, or every one does that may (see cosched_await); what a
     * program computes must not depend on it. With ALWAYS_INLINE a child starts no earlier than its parent awaits or leaves. */
    COSCHED_ALWAYS_OWN = 2,
    COSCHED_ALWAYS_INLINE = 4,
    /* Measure how much of its stack each task uses, for cosched_stack_marks. Costs a look over the stack and its clearing a
     * task. */
    COSCHED_MEASURE_STACKS = 8,
    /* Report a task that keeps MAIN or a worker for longer than slice_main_ns, slice_worker_ns without a suspension: once for each
     * such slice, five times a minute at most, as a warning (see log) with its name, whether it computes or in which system call it
     * is, and its back trace. Installs a handler (SA_ONSTACK, SA_RESTART) of the highest real-time signal that nobody handles, sent
     * only to a thread that is found computing; a system call that it begins just then may end with EINTR. Nothing wakes up for it
     * while no task runs. */
    COSCHED_WATCH_SLICES = 16
};

/* What MAIN does when it has nothing of its own to do and WORKER tasks wait in line. A task that MAIN starts stays a WORKER
 * task (cosched_where says so); MAIN runs it until it suspends for the first time, then polls, and the workers go on with
 * it. What has started already, has a priority, or is PINNED, FPENV, ONE_EXECUTOR or NO_HELP is left to the workers. */
typedef enum {
    /* While every worker is busy: tasks whose function is known to suspend or end within 250 us of CPU time. The workers
     * learn that by function, and only while they are behind; a function that they have not met is left to them. */
    COSCHED_HELP_IDLE,
    COSCHED_HELP_OFF,   /* nothing */
    COSCHED_HELP_ALWAYS /* for tests: whatever is in line, known or not, the workers busy or not */
} cosched_help;

typedef struct cosched_hooks cosched_hooks; /* see "hooks" */

typedef struct {
    size_t struct_size; /* sizeof: lets the struct grow */
    int32_t workers; /* threads, 0 … 64; -1: effective CPUs - 1, at least 1; 0: WORKER tasks run on MAIN */
    uint32_t blocking_max; /* threads for cosched_blocking, and the most for any other class; 0: 64 */
    size_t stack_size;     /* bytes a task may use of its stack; 0: what fits into 64 KiB */
    uint32_t tasks_max; /* 0: 4 Mi; beyond it spawn answers -EAGAIN. Threads keep up to a quarter of these at hand */
    uint32_t flags; /* COSCHED_REPORT_OVERFLOW … */
    cosched_help main_help;
    const cosched_hooks *hooks; /* what it points to is copied; data is borrowed until destroy. NULL: none */
    int64_t slice_main_ns;   /* with COSCHED_WATCH_SLICES; 0: 10 ms; COSCHED_NEVER: not watched */
    int64_t slice_worker_ns; /* the same; 0: 100 ms */
} cosched_config;

/* The CPUs this process can really use: its affinity mask, limited by the quota of its cgroup; at least 1. Any thread. */
COSCHED_API int32_t cosched_cpus(void);

/* --- hooks: memory, messages, failures -------------------------------------------------------------------- */

/* What a task waits for. */
typedef enum {
    COSCHED_FOR_NOTHING,
    COSCHED_FOR_TASK,   /* another task; object: its index << 32 | generation */
    COSCHED_FOR_INLINE, /* the same, and that one runs on its stack: what holds it up holds up both */
    COSCHED_FOR_ANY_TASK, /* one of several; object: the array of handles */
    COSCHED_FOR_CHILDREN, /* those that it has to join at its end; object: the one whose turn it is */
    COSCHED_FOR_GROUP,
    COSCHED_FOR_MUTEX,
    COSCHED_FOR_COND,
    COSCHED_FOR_SEM,
    COSCHED_FOR_READ_LOCK,
    COSCHED_FOR_WRITE_LOCK,
    COSCHED_FOR_BARRIER,
    COSCHED_FOR_ONCE,
    COSCHED_FOR_WAIT_GROUP,
    COSCHED_FOR_SEND,   /* into a channel */
    COSCHED_FOR_RECV,   /* from a channel */
    COSCHED_FOR_SELECT, /* object: the array of cases */
    COSCHED_FOR_EVENT,
    COSCHED_FOR_TIME,      /* cosched_sleep_until, the start of a token's run */
    COSCHED_FOR_IO,        /* object: the descriptor; UINT64_MAX: none, or one of several */
    COSCHED_FOR_BLOCKING,  /* cosched_blocking; object: the function */
    COSCHED_FOR_THREAD,    /* its turn on another executor; object: cosched_affinity */
    COSCHED_FOR_SOMETHING, /* internal */
    COSCHED_FOR_PROCESS    /* the end of a child process; object: its pid */
} cosched_reason;

typedef enum {
    COSCHED_UNSTARTED, /* it has not run yet: in line, or waiting for its time */
    COSCHED_ACTIVE,    /* it runs, or is in line to */
    COSCHED_WAITING
} cosched_state;

/* A task that is still alive when a shutdown's patience ends. Seen without stopping anybody: a moment's truth. Valid for the
 * length of the call. */
typedef struct {
    size_t struct_size;
    cosched_task task;
    const char *name;          /* NULL: none */
    cosched_fn fn;             /* its body */
    const char *place;         /* that function by name, as far as the dynamic linker knows it */
    cosched_affinity affinity; /* where it started */
    cosched_state state;
    cosched_reason reason; /* WAITING */
    uint64_t object;       /* what it waits for: the address, unless the reason says otherwise */
    int64_t since_ns;      /* since when, monotonic, to some milliseconds; 0: unknown */
    bool canceled;         /* true: it was cancelled COSCHED_STOP_GRACE_NS ago, and has not ended */
    const char *text;      /* all of that in words */
} cosched_survivor;

typedef enum { COSCHED_LOG_ERROR, COSCHED_LOG_WARNING, COSCHED_LOG_INFO } cosched_log_level;

/* A task that failed and whom nobody awaits; or any task that panicked. Valid for the length of the call. */
typedef struct {
    size_t struct_size;
    cosched_task task;         /* stale when the hook has returned */
    const char *name;          /* as in its attr; NULL: none */
    cosched_fn fn;             /* its body */
    cosched_affinity affinity; /* where it started */
    int64_t result;            /* negative; -ENOTRECOVERABLE: a panic */
    const char *text;          /* a panic: what it said. NULL: it returned that result */
    const char *trace; /* a panic: text, chain of awaits and back trace, in lines; NULL otherwise */
} cosched_failure;

/* What the host brings along; each may be NULL. Hooks are called outside of all tasks and locks of the runtime: they may
 * block their thread for a while, post, and call what any thread may; anything that would suspend answers -EPERM. They come from
 * any thread of the runtime, several at a time, and must return (no longjmp, no cosched_panic). */
struct cosched_hooks {
    size_t struct_size;
    void *data; /* handed to each */
    /* As malloc, realloc and free; all three or none. For the library's own records and queues: stacks and control blocks come
     * from mmap, and libuv has an allocator of its own. What lives longer than the runtime (a channel) goes back to the
     * allocator it came from; until then a runtime with another one is refused (-EBUSY). */
    void *(*alloc)(void *data, size_t bytes);
    void *(*realloc)(void *data, void *ptr, size_t bytes);
    void (*free)(void *data, void *ptr);
    /* The library's own messages: text without a newline at its end. NULL: errors go to stderr, the rest nowhere. */
    void (*log)(void *data, cosched_log_level level, const char *text);
    /* A negative result that nobody awaits: of a detached or posted task, or of a run of cosched_after, _at or _every; on the
     * thread where it ended, before the runtime counts it as gone. -ECANCELED from a task that was cancelled is no failure (its own
     * timeout does not count as that). Also each panic, awaited or not, on the thread where it happened. NULL: a warning in
     * the log. */
    void (*task_failed)(void *data, const cosched_failure *failure);
    /* cosched_runtime_stop, on its thread: each task (256 at most) that lives past the deadline, before it is cancelled; and
     * again, COSCHED_STOP_GRACE_NS later, each that lives still. NULL: warnings, then errors in the log. */
    void (*survivor)(void *data, const cosched_survivor *survivor);
};

#define COSCHED_STOP_GRACE_NS INT64_C(5000000000)

/* --- runtime: its life, and its doors for other threads --------------------------------------------------- */

struct uv_loop_s;

/* The whole life of a runtime: fn(arg) as a task on MAIN (this thread, a loop of its own); when it has returned
 * and its children are joined, everything is cancelled that still lives, and torn down. NULL config: defaults, workers -1.
 * Blocks this thread. Returns fn's result, or a negative errno when the runtime could not be made: as
 * cosched_runtime_create. */
COSCHED_API int64_t cosched_run(const cosched_config *config, cosched_fn fn, void *arg);

/* A runtime by parts; one per process at a time. With a loop of the host's, the thread that runs that
 * loop is MAIN, and the host runs it; the runtime keeps the loop alive only while tasks live. Without, use
 * cosched_runtime_loop. The runtime borrows the loop until close. On any thread; *out is the caller's, to destroy. -EBUSY: one
 * exists, or did in the process that forked this one; -EINVAL (config, hooks), -ENOMEM. What keeps threads from being made, or the
 * loop, comes through. */
COSCHED_API int cosched_runtime_create(cosched_runtime **out, const cosched_config *config,
                                       struct uv_loop_s *loop_or_null);
/* This thread becomes MAIN and runs until no task lives. 0, or -EBUSY: another thread is MAIN, or this is a task. */
COSCHED_API int cosched_runtime_loop(cosched_runtime *rt);
/* One pump of a host that owns the frame: due timers and ready MAIN tasks for at most about budget_ns, and one
 * poll of the loop that does not wait. Nanoseconds spent. On MAIN's thread (the first caller becomes MAIN; another's call, or a
 * task's: -EBUSY). */
COSCHED_API int64_t cosched_runtime_run_expired(cosched_runtime *rt, int64_t budget_ns);

/* Starts a detached task, from any thread, task or not, until stop; never suspends. arg_size bytes of *arg are copied into
 * the task (0: the pointer itself is passed). -ESHUTDOWN after stop, -EAGAIN at tasks_max, -EINVAL when
 * arg_size > COSCHED_ARG_MAX or `to` is neither MAIN nor WORKER. */
COSCHED_API int cosched_runtime_post(cosched_runtime *rt, cosched_affinity to, cosched_fn fn,
                                     const void *arg, size_t arg_size);
/* The same, and blocks this thread until fn has returned; its result in *result (may be NULL). Not inside a task nor on MAIN's
 * thread (-EDEADLK). */
COSCHED_API int cosched_runtime_call(cosched_runtime *rt, cosched_affinity to, cosched_fn fn,
                                     void *arg, int64_t *result);

/* Refuse posts; wait until the deadline for the tasks to end; tell the hook `survivor` what is left, and cancel it; wait for
 * its clean-up, and after COSCHED_STOP_GRACE_NS tell what holds it up. With COSCHED_NOW nobody was given time, and only the
 * second is told. Pumps MAIN itself when called on MAIN's thread (outside tasks). Returns how many tasks had to be cancelled;
 * -EDEADLK inside a task. */
COSCHED_API int cosched_runtime_stop(cosched_runtime *rt, int64_t deadline);
/* On a host's loop, after stop, on MAIN's thread: closes the runtime's handles and calls done(data) from the loop. Without a host's
 * loop there is nothing to close, and no need to call it. */
COSCHED_API void cosched_runtime_close(cosched_runtime *rt, void (*done)(void *data), void *data);
/* After stop (and, on a host's loop, close's callback): joins every thread and frees all. On any thread, outside tasks. -EBUSY while
 * anything lives. NULL is fine. */
COSCHED_API int cosched_runtime_destroy(cosched_runtime *rt);

COSCHED_API cosched_runtime *cosched_runtime_self(void); /* of the calling task; NULL outside tasks */

/* --- tasks: spawn, await, cancel; call, hop, yield, sleep, tail ------------------------------------------- */

#define COSCHED_ARG_MAX 32 /* bytes of argument that a task can hold itself */

enum {
    COSCHED_PINNED =
        1, /* stays where it was started: a call elsewhere is -EPERM, a hop does nothing */
    COSCHED_SKIP_IF_CANCELED = 2, /* cancelled before its start it does not run: -ECANCELED */
    COSCHED_NO_HELP = 4,          /* MAIN never helps the workers with it (cosched_help) */
    /* Its rounding mode and floating-point exceptions are its own, wherever it goes, and reach no other task. It begins with
     * those of the thread. Without the flag a task must leave them as they were before it suspends or ends. */
    COSCHED_FPENV = 8,
    /* Its whole tree stays on its affinity, MAIN or WORKER: a call elsewhere below it is a plain call, a hop stays, what is
     * spawned starts here and is bound likewise, detached or not. PINNED children (BLOCKING ones among them) go where
     * their attr says and are not bound; neither is what a token runs. */
    COSCHED_ONE_EXECUTOR = 16
};

typedef struct {
    size_t struct_size;
    const char *name;          /* static storage; shown in reports; NULL: none */
    cosched_affinity affinity; /* COSCHED_INHERIT by default */
    uint32_t flags;            /* COSCHED_PINNED … */
    size_t stack_size;         /* bytes the body may use; 0: the runtime's */
    size_t arg_size; /* > 0: that many bytes of *arg are copied into the task (<= COSCHED_ARG_MAX) */
    int64_t timeout_ns; /* > 0: from its start; then the task is cancelled */
    int8_t priority;    /* -1, 0, 1: see "fairness"; not inherited */
} cosched_attr;

/* A child task. *out names it; whoever holds the handle awaits or detaches it. A child that is neither is cancelled
 * and joined when its parent returns. out NULL: detached from the start. attr NULL: defaults. arg is fn's to interpret: it must
 * live as long as fn needs it, or is copied (attr.arg_size). Never suspends. -EAGAIN at tasks_max, or 64 tasks own threads
 * already; -ENOMEM; -EINVAL (an affinity or flag that does not exist, BLOCKING without PINNED or with ONE_EXECUTOR, arg_size,
 * priority, a stack_size past 4 MiB). */
COSCHED_API int cosched_spawn(cosched_task *out, cosched_fn fn, void *arg, const cosched_attr *attr);

/* Waits for a task to end. The return value says how the *waiting* went: 0 and the task's own result in *result (may
 * be NULL), and only then the handle is consumed (*task becomes {0, 0}); -ETIMEDOUT; -ECANCELED (the waiter was);
 * -ESTALE (consumed before, detached, or never valid); -EDEADLK (itself); -EBUSY (another task awaits it, or
 * consumes its handle this moment).
 * The youngest child that waits in line on this executor is run as a call, on the caller's stack, if it has the caller's
 * affinity, priority, binding (ONE_EXECUTOR) and innermost scope, no timeout and no stack_size of its own, neither is PINNED
 * or FPENV, and the deadline is COSCHED_NEVER. That is the fast way and nothing else: fn cannot tell. (Mohr, Kranz and Halstead,
 * "Lazy task creation", IEEE TPDS 1991.) */
COSCHED_API int cosched_await(cosched_task *task, int64_t *result, int64_t deadline);
#define COSCHED_ANY_MAX 64
/* Waits for the first of n tasks (1 … COSCHED_ANY_MAX) to end: its index, its result in *result (may be NULL), and only its
 * handle is consumed; the others stay as they were. Entries {0, 0} are passed over, so that a loop may use one array until
 * -ESTALE says that nothing is left. Otherwise as cosched_await; -ESTALE, -EDEADLK and -EBUSY speak of any one of them. */
COSCHED_API int cosched_await_any(cosched_task *tasks, size_t n, int64_t *result, int64_t deadline);
/* Lets it run on without anybody waiting, under the root scope. Consumes the handle; stale ones are ignored. */
COSCHED_API void cosched_detach(cosched_task *task);
/* Asks a task and all below it to end: any thread, idempotent, asynchronous; the handle stays valid. A task that has
 * not started still runs (its first suspending call answers -ECANCELED) so that it can free its arg. */
COSCHED_API void cosched_cancel(cosched_task task);

/* co_await fn(arg): fn runs as part of this task. On the same affinity it is a plain call (on a fresh stack when
 * this one is nearly used up: depth is bounded by memory only). On another, this task goes there, runs fn and comes
 * back; the thread it leaves goes on with other tasks. 0, and fn's result in *result (may be NULL), when fn ran;
 * -ECANCELED or -ETIMEDOUT when the way there was withdrawn and fn never ran; -ENOMEM, -EPERM (pinned). The deadline
 * limits only the way there, never fn. */
COSCHED_API int cosched_call(int64_t *result, cosched_affinity where, cosched_fn fn, void *arg,
                             int64_t deadline);
/* The same, and forces the whole tree below fn onto `where`: inside, COSCHED_ONE_EXECUTOR holds for this task too. In a tree
 * that is bound already it is a plain call, whatever `where` says. Children that outlive the call stay bound. -EPERM also:
 * a task that owns its thread, for it cannot spawn there. */
COSCHED_API int cosched_call_all(int64_t *result, cosched_affinity where, cosched_fn fn, void *arg,
                                 int64_t deadline);

/* One of the calls of a cosched_invoke: lies on the caller's stack, as a rule, until that has returned. fn and arg are the
 * caller's to set; a record may be used again. */
typedef struct {
    cosched_fn fn;
    void *arg;
    int64_t result; /* what fn returned; -ECANCELED: it was not called */
    uint64_t private_[2];
} cosched_branch;

/* Fork and join: calls all of them and returns when all have ended. The caller calls the first; each other one is offered to
 * the executors of its affinity that have nothing to do, and the caller calls, in order, those that nobody took. So a branch is a
 * call: it counts for the caller's task, goes back to the caller's affinity at its end, and a panic in it is the caller's. What
 * another executor takes is a task of its own from there on, with the caller's priority and binding (ONE_EXECUTOR), below the
 * caller's innermost scope: what a branch asks about itself (cosched_self, its locals) or leaves open (children, deferred
 * clean-ups) belongs to the one or the other. So a branch should await what it spawns, and must not wait for another branch of
 * the same call, which may not have begun. Its task cannot be awaited or detached by a handle.
 * 0: all were called. -ECANCELED: the caller is cancelled, and some were not, or answered so; a branch that has begun is
 * waited for. -ENOMEM: no stack for one on the caller's side, which was not called and has that result. -EPERM: outside tasks. Never
 * -EAGAIN: with no task left to offer, it calls. A task with COSCHED_FPENV, whose settings its branches share, offers none. */
COSCHED_API int cosched_invoke(cosched_branch *branches, size_t n);

/* Goes on at `to`, MAIN or WORKER, and returns where it was; a task that is pinned or bound (ONE_EXECUTOR) stays. Suspends, has no
 * deadline, cannot be cancelled and cannot fail. */
COSCHED_API cosched_affinity cosched_hop(cosched_affinity to);
/* Lets others that are ready on this executor run first. Suspends; cannot be cancelled and cannot fail. */
COSCHED_API void cosched_yield(void);
/* 0 at that time, -ECANCELED before it; COSCHED_NEVER waits for the cancel. */
COSCHED_API int cosched_sleep_until(int64_t deadline);
/* `return cosched_tail(fn, arg);` as the last act of a body or a called function: fn(arg) takes its place, on the same stack,
 * with the frame gone. Endless chains need one stack. Never suspends. Outside tasks a plain call. */
COSCHED_API int64_t cosched_tail(cosched_fn fn, void *arg);

COSCHED_API bool cosched_cancelled(void); /* this task's scope is cancelled; false outside tasks */
COSCHED_API cosched_task cosched_self(void);      /* {0, 0} outside tasks */
COSCHED_API cosched_affinity cosched_where(void); /* where this code runs now; INHERIT outside tasks */
COSCHED_API size_t cosched_stack_left(void); /* bytes of the stack this code runs on; 0 outside tasks */

/* --- failure: the end of a task, its clean-ups, its own values, panic ------------------------------------- */

/* fn(arg) at the end of the calling task, whether it returns, was cancelled or panics: last deferred, first run, on the task's
 * stack, after its children were cancelled and joined, so that they may use what fn gives back; before whoever awaits it goes
 * on. Calls belong to their task: what a called function defers runs at the end of the task. fn may suspend; in a task that was
 * cancelled that answers -ECANCELED, unless fn opens a COSCHED_SHIELD scope. It may defer more. Never suspends. 0, -ENOMEM (fn
 * will not run), -EINVAL (NULL). */
COSCHED_API int cosched_defer(void (*fn)(void *arg), void *arg);

/* A value of the calling task under a key: any address, compared and never read. Seen by what the task calls and by its deferred
 * clean-ups; gone with the task, which does not free it (cosched_defer does). A child starts without any: hand it what it
 * needs. NULL takes a value away. A search along what the task has set: for a handful of keys. 0, -ENOMEM, -EINVAL (key
 * NULL). */
COSCHED_API int cosched_local_set(const void *key, void *value);
COSCHED_API void *cosched_local_get(const void *key); /* NULL: none, or outside tasks */

#if defined(__GNUC__)
#define COSCHED_PRINTF_NORETURN __attribute__((__format__(__printf__, 1, 2), __noreturn__))
#else
#define COSCHED_PRINTF_NORETURN
#endif
/* Fails the calling task, and only that one: its result is -ENOTRECOVERABLE. A message with the chain of awaits and the back
 * trace goes to the log and to the hook task_failed. Then the groups it has open are cancelled and joined, its scopes end, it goes
 * back to where it started (out of a call elsewhere), its children are cancelled and joined, its clean-ups run, and whoever
 * awaits it goes on. A cosched_once whose function panics is done, with that result.
 *
 * The frames between are left, not unwound: no destructor, no __attribute__((cleanup)), no unlock of theirs happens. What must
 * happen is deferred. Never through a frame of a library that does not expect it (a qsort's comparison is fine, a callback of
 * libuv is not a task's). Outside tasks, in a blocking call and in a hook it ends the process. */
COSCHED_API void cosched_panic(const char *format, ...) COSCHED_PRINTF_NORETURN;

/* --- scopes: a deadline or a shield over a block ---------------------------------------------------------- */

typedef struct {
    void *private_[8];
} cosched_scope; /* on your stack, until scope_end */

enum { COSCHED_SHIELD = 1 }; /* cancellation from outside waits; see below */

/* Scopes form a tree, and a cancellation goes from one to all below it (Smith, "Notes on structured concurrency", 2018).
 *
 * Until scope_end, suspending calls of this task, and tasks it spawns meanwhile, are cancelled at the deadline. With
 * COSCHED_SHIELD a cancellation from outside does not enter, until the deadline, which must not be COSCHED_NEVER:
 * clean-up gets a grace limit. Ends in reverse order of begin, on the same task, before its function returns.
 * Never suspends. 0, -ENOMEM (or tasks_max), -EINVAL (flags, a shield without a deadline). */
COSCHED_API int cosched_scope_begin(cosched_scope *scope, int64_t deadline, unsigned flags);
/* Children spawned inside and still running stay below the enclosing scope, without this deadline. Returns true when
 * this scope's own deadline had passed. Never suspends. Anything but the innermost open scope of this task ends the process. */
COSCHED_API bool cosched_scope_end(cosched_scope *scope);

/* --- tokens: later, at, again; a token may outlive its task and the reverse ------------------------------- */

/* What an interval does about times that passed while its last run still went on. */
typedef enum {
    COSCHED_SKIP,  /* drops them: on at the next t0 + k * interval */
    COSCHED_BURST, /* makes up for each, back to back */
    COSCHED_DELAY  /* runs once at once, and counts the intervals from then on */
} cosched_overrun;

/* One of these in the attr.flags of cosched_every says what it does after a negative result; without, it goes on. */
enum {
    COSCHED_STOP_ON_ERROR = 0x100, /* that was the last run */
    COSCHED_BACK_OFF = 0x200       /* the n-th failure in a row: 2^n intervals, at most 64 */
};

/* Arm a run of fn(arg) under the root scope: once after a delay, once when the wall clock shows unix_ns (a clock that is set is
 * noticed within a second), or now (t0) and again at each t0 + k * interval_ns (> 0). Runs of one token never overlap; each is a
 * task of its own with what attr says (its timeout counts from the run's start; arg_size bytes of *arg are kept). MAIN's start
 * in the order of their times. What is armed keeps the runtime alive as any detached task does; when that is stopped it ends
 * without another run. *out is written before the first run; NULL: nobody will cancel it. 0, or errors as cosched_spawn. A run that
 * finds no room for its task comes late; no memory for a stack is, as with any task, the end. */
COSCHED_API int cosched_after(cosched_token *out, int64_t delay_ns, cosched_fn fn, void *arg,
                              const cosched_attr *attr);
COSCHED_API int cosched_at(cosched_token *out, int64_t unix_ns, cosched_fn fn, void *arg,
                           const cosched_attr *attr);
COSCHED_API int cosched_every(cosched_token *out, int64_t interval_ns, cosched_overrun overrun,
                              cosched_fn fn, void *arg, const cosched_attr *attr);
/* True: this call has seen to it that fn will not run (again); a run that goes on goes on. False: it has run, or has begun to
 * (after, at), has ended, or was cancelled before. Exactly one of many callers gets true. Any thread, any time, also when the
 * runtime is gone. */
COSCHED_API bool cosched_token_cancel(const cosched_token *token);
/* Whether a cancel would return true now: it is armed, or, of an interval, its last run goes on. Any thread, any time. */
COSCHED_API bool cosched_token_valid(const cosched_token *token);
/* Cancels it and makes *token none: what cancel returns. Other copies keep their name for it. */
COSCHED_API bool cosched_token_drop(cosched_token *token);
/* Takes it out of *from, which becomes none: the new holder is the one that drops it. */
COSCHED_API cosched_token cosched_token_move(cosched_token *from);
#if defined(__GNUC__)
/* COSCHED_TOKEN_SCOPED cosched_token t = {0, 0}; is dropped at the end of its block, unless it was moved out of it. */
#define COSCHED_TOKEN_SCOPED __attribute__((cleanup(cosched_token_drop)))
#endif

/* --- groups: no child outlives the block that opened it --------------------------------------------------- */

typedef enum {
    COSCHED_FAIL_FAST, /* the first child with a negative result cancels the rest; join returns that result, or 0 */
    COSCHED_COLLECT, /* all run to their end; join returns how many had a negative result */
    COSCHED_RACE, /* the first child to end cancels the rest; join returns its result, whatever it is */
    COSCHED_FIRST_N, /* the first_n-th result that is not negative cancels the rest; join returns how many there
                        * were, first_n at most */
    COSCHED_SUPERVISE /* a child with a negative result is run again, until it succeeds or this happens too often: then
                        * the rest is cancelled and join returns that result (Armstrong, "Making reliable distributed systems
                        * in the presence of software errors", 2003) */
} cosched_policy;

#define COSCHED_RESTARTS_MAX 1024 /* of a group with a restart_window_ns */

typedef struct {
    size_t struct_size;
    cosched_policy policy;
    uint32_t max_parallel; /* so many children run at a time, the others wait their turn in order; 0: no limit */
    uint32_t first_n;      /* FIRST_N: at least 1 */
    uint32_t restarts_max; /* SUPERVISE: of all its children together, within the window; 0: no limit */
    int64_t restart_window_ns; /* 0: for as long as the group lives */
    int64_t backoff_ns;        /* SUPERVISE: the pause before each restart */
} cosched_group_attr;

typedef struct {
    void *private_[32];
} cosched_group; /* on your stack, from init to join */

/* attr NULL: FAIL_FAST. Never suspends. 0, -EINVAL, -ENOMEM (SUPERVISE). */
COSCHED_API int cosched_group_init(cosched_group *g, const cosched_group_attr *attr);
/* A child of the group. Only the task that called init spawns into it. Never suspends. Errors as cosched_spawn;
 * -ECANCELED when the group is cancelled or decided already (fn does not run). A child that waits for its turn when the group is
 * cancelled still has it, as any task that was cancelled before its start. With SUPERVISE a copied arg is the same for each run. */
COSCHED_API int cosched_group_spawn(cosched_group *g, cosched_fn fn, void *arg,
                                    const cosched_attr *attr);
/* Asks all its children to end, and lets no more in. Any thread, while the group lives; idempotent, asynchronous. */
COSCHED_API void cosched_group_cancel(cosched_group *g);
/* Returns when no child is left: the policy's result, or -ETIMEDOUT (past the deadline) or -ECANCELED (the caller
 * was); in both cases the children were cancelled and waited for. By the task that called init, exactly once: there
 * is no other way out. */
COSCHED_API int64_t cosched_group_join(cosched_group *g, int64_t deadline);
/* init, body, join as one: body's negative result cancels the children and wins; otherwise the policy's. Suspends in join. */
COSCHED_API int64_t cosched_group_run(const cosched_group_attr *attr,
                                      int64_t (*body)(cosched_group *, void *), void *arg);

/* --- channels: values from task to task; they block the task, never the thread ---------------------------- */

/* A queue of values of one size between tasks on any executor, bounded by capacity (0 … 2^20). The creator holds one
 * reference. First in, first out; waiting tasks are served in order. Capacity 0 is a rendezvous (Hoare,
 * "Communicating sequential processes", CACM 1978): a send ends when a receiver has the value. Any thread. 0, -EINVAL
 * (sizes), -ENOMEM. */
COSCHED_API int cosched_chan_create(cosched_chan **out, size_t value_size, size_t capacity);
COSCHED_API cosched_chan *cosched_chan_ref(cosched_chan *ch); /* any thread */
COSCHED_API void cosched_chan_unref(cosched_chan *ch);        /* any thread; NULL is fine */
/* 0, -ETIMEDOUT, -ECANCELED, -EPIPE (closed, also while it waited). The value is copied. COSCHED_NOW from any thread, task or not. */
COSCHED_API int cosched_chan_send(cosched_chan *ch, const void *value, int64_t deadline);
/* 0, -ETIMEDOUT, -ECANCELED, -EPIPE (closed and drained). COSCHED_NOW from any thread, task or not. */
COSCHED_API int cosched_chan_recv(cosched_chan *ch, void *value, int64_t deadline);
COSCHED_API void cosched_chan_close(cosched_chan *ch);         /* any thread; idempotent */
COSCHED_API size_t cosched_chan_count(const cosched_chan *ch); /* values waiting now; any thread; a hint */

/* --- select: the first of several channels ---------------------------------------------------------------- */

/* One case receives or sends: exactly one of recv_into and send_from is not NULL. ch NULL: the case is left out. */
typedef struct {
    cosched_chan *ch; /* borrowed for the call */
    void *recv_into;
    const void *send_from;
    int result; /* of the chosen case: 0, or -EPIPE: closed (and drained) */
} cosched_case;

/* Does exactly one of the cases and returns its index; of several that are ready, any. Channels may appear more than
 * once; a send and a receive of the same call never meet. Suspends while none is ready. -ETIMEDOUT, -ECANCELED: nothing
 * was taken and nothing given. -EINVAL: n > 64, or a case with no or two directions. n 0 waits for time or cancel.
 * COSCHED_NOW from any thread, task or not. */
COSCHED_API int cosched_select(cosched_case *cases, size_t n, int64_t deadline);

/* --- locks: mutex, condition, semaphore, readers and writers, barrier, once, wait group ------------------- */

/* They block the task, never the thread. All of these lie in your memory; {0} is ready for use, save where there is an init
 * that has to be called first, on any thread, before others know the object. They need no end: the memory may go
 * when nobody waits or will call. Tasks on MAIN, WORKER and threads of their own share them freely; whoever waits is
 * served in order of arrival. A task that is served just when its deadline passes or it is cancelled has been served: the
 * call answers 0. Each waiting function answers 0 or -ETIMEDOUT, -ECANCELED, and -EPERM outside tasks; the object is
 * then as if the call had not been made. A mistake that would leave an object in pieces ends the process: an unlock of what
 * is not locked by that task, more done than added, a count past 2^32 - 1. */

typedef struct {
    void *private_[4];
} cosched_mutex;

/* 0: this task holds it, also over suspensions and on other threads. Also -EDEADLK: it holds it already. An unlock gives
 * the mutex to the first in line, never to a later one. */
COSCHED_API int cosched_mutex_lock(cosched_mutex *m, int64_t deadline);
COSCHED_API bool cosched_mutex_try(cosched_mutex *m); /* never suspends; false outside tasks */
/* By the task that holds it. Never suspends; the new holder may drop m at once. */
COSCHED_API void cosched_mutex_unlock(cosched_mutex *m);

typedef struct {
    void *private_[4];
} cosched_cond;

/* Unlocks m, waits for a signal and locks m again, whatever happens: the locking takes its time past the deadline and
 * cannot be cancelled. m is locked by this task, before and after. There are no wakes without a signal; but others may
 * have locked m since, so look at the condition again. (Lampson and Redell, "Experience with processes and monitors in Mesa",
 * CACM 1980.) */
COSCHED_API int cosched_cond_wait(cosched_cond *c, cosched_mutex *m, int64_t deadline);
COSCHED_API void cosched_cond_signal(cosched_cond *c);    /* wakes the first, if any; any thread */
COSCHED_API void cosched_cond_broadcast(cosched_cond *c); /* wakes all that wait now; any thread */

typedef struct {
    void *private_[4];
} cosched_sem;

COSCHED_API void cosched_sem_init(cosched_sem *s, uint32_t n);         /* {0} is n = 0 */
COSCHED_API int cosched_sem_acquire(cosched_sem *s, int64_t deadline); /* takes 1 */
COSCHED_API bool cosched_sem_try(cosched_sem *s); /* takes 1 if it can at once; any thread */
/* Gives n: to those who wait, first come first served, the rest to the count. Any thread. */
COSCHED_API void cosched_sem_release(cosched_sem *s, uint32_t n);

typedef struct {
    void *private_[4];
} cosched_rwlock;

/* Many readers or one writer. A reader waits behind writers that came before it, so a task must not lock again what it
 * reads already. -EDEADLK: this task is the writer. */
COSCHED_API int cosched_rwlock_read_lock(cosched_rwlock *l, int64_t deadline);
COSCHED_API int cosched_rwlock_write_lock(cosched_rwlock *l, int64_t deadline);
COSCHED_API bool cosched_rwlock_read_try(cosched_rwlock *l); /* never suspends; false outside tasks */
COSCHED_API bool cosched_rwlock_write_try(cosched_rwlock *l);
/* By a task that reads, and by the one that writes. Never suspend. */
COSCHED_API void cosched_rwlock_read_unlock(cosched_rwlock *l);
COSCHED_API void cosched_rwlock_write_unlock(cosched_rwlock *l);

typedef struct {
    void *private_[4];
} cosched_barrier;

COSCHED_API int cosched_barrier_init(cosched_barrier *b, uint32_t n); /* 0; -EINVAL: n is 0 */
/* Waits until n tasks wait, then lets them go on: 1 for exactly one of them, 0 for the others. Then it starts anew. A
 * task that gives up has not been here. */
COSCHED_API int cosched_barrier_wait(cosched_barrier *b, int64_t deadline);

typedef struct {
    void *private_[5];
} cosched_once; /* outlives every call */

/* The first caller runs fn(arg), as with cosched_call; whoever comes meanwhile waits, whoever comes later does not. 0, and
 * fn's result for all in *result (may be NULL). -EDEADLK: called by fn itself; -ENOMEM: fn could not be started, and
 * another call may try. The deadline limits the waiting, never fn. */
COSCHED_API int cosched_once_run(cosched_once *o, int64_t *result, cosched_fn fn, void *arg,
                                 int64_t deadline);

typedef struct {
    void *private_[4];
} cosched_wait_group;

COSCHED_API void cosched_wait_group_add(cosched_wait_group *g, uint32_t n); /* any thread */
COSCHED_API void cosched_wait_group_done(cosched_wait_group *g); /* one of those added; any thread */
/* Until as many are done as were added. Add before you wait: a group at 0 does not wait. */
COSCHED_API int cosched_wait_group_wait(cosched_wait_group *g, int64_t deadline);

/* --- events: one waiter, one set -------------------------------------------------------------------------- */

/* A one-shot on the waiting task's stack: {0} is a ready event. Set once, from any thread or task; the setter touches
 * the event for the last time inside that call, so the waiter may return and drop it as soon as wait has. */
typedef struct {
    uint64_t private_[1];
} cosched_event;

/* Not set, whatever it was before. Any thread. */
COSCHED_API void cosched_event_init(cosched_event *e);
/* 0 once set; -ETIMEDOUT, -ECANCELED: not set yet, wait again before the event goes out of scope if somebody may still
 * set it. -EBUSY: another task waits. */
COSCHED_API int cosched_event_wait(cosched_event *e, int64_t deadline);
/* Waits until it is set, whatever happens to the task: for answers that will come and point into this frame. */
COSCHED_API void cosched_event_wait_always(cosched_event *e);
COSCHED_API void cosched_event_set(cosched_event *e); /* any thread; never suspends */

/* --- blocking: calls that block a thread ------------------------------------------------------------------ */

/* Runs fn on a thread that may block, with 1 MiB of stack, and waits; cosched calls inside fn answer -EPERM. 0, and
 * fn's result in *result (may be NULL); -ECANCELED when it had not started; -EAGAIN: no thread could be made. Once started it is
 * waited for, whatever happens to the task. */
COSCHED_API int cosched_blocking(int64_t *result, cosched_fn fn, void *arg);

/* A kind of blocking work with a limit of its own: at most so many of its calls run at a time, the others wait their turn in
 * order. The classes share threads and nothing else: what one does never delays another. In static storage, or at least as long as
 * a call is under way: static cosched_blocking_class disk = {"disk", 8}; */
typedef struct {
    const char *name;  /* static storage; shown in reports */
    uint32_t limit;    /* at least 1; more than the runtime's blocking_max counts as that */
    void *private_[6]; /* zero */
} cosched_blocking_class;

/* cosched_blocking in a class (NULL: that of cosched_blocking). The deadline limits the waiting for a thread, never fn:
 * -ETIMEDOUT when it passed and fn has not run. -EINVAL: limit 0. */
COSCHED_API int cosched_blocking_in(cosched_blocking_class *c, int64_t *result, cosched_fn fn,
                                    void *arg, int64_t deadline);

/* --- fairness: who runs when, and for how long somebody waits at most ------------------------------------- */

/* The workers steal from one another (Blumofe and Leiserson, "Scheduling multithreaded computations by work stealing", JACM 1999).
 *
 * A slice is one uninterrupted run of a task, with all that it calls and awaits inline. An executor goes from one slice to
 * the next directly. After 61 slices, or awaits inside one, it looks at all that comes from elsewhere: its inbox, the
 * workers' common queue, due timers and, on MAIN, the loop's I/O (at least every 250 us). If any of these wants it, an await
 * that would have run its child inline lets them go first. A task that neither waits nor awaits is never interrupted.
 * An entry that MAIN has a look at, to help with it, is in its hands for some microseconds of its time; if it may not, that entry
 * goes before its line.
 *
 * attr.priority: 1 goes before 0, and -1 goes when nothing else would. Lines are first in, first out, and whoever is first in
 * one is passed over for at most COSCHED_SLICES_MAX slices of any one executor that serves it: others have one slice after 8 of
 * priority 1 in a row, and -1 has one after some 60 of the others. A worker's own line is served by that worker and by
 * those who have nothing else to do; what a task has spawned and not awaited yet stands there until that task waits or ends.
 * Priority is not inherited, and who waits for a task of lower priority waits as long as that takes. */
#define COSCHED_SLICES_MAX 64

/* --- from outside: what is allowed outside tasks -------------------------------------------------------------
 *
 * Outside a task is every thread of yours, MAIN's between two turns of its loop, and whatever runs inside cosched_blocking.
 * From there, on any thread: words and time; cosched_run and the cosched_runtime_ functions as they say (_stop not inside
 * cosched_blocking, which it would wait for); cosched_cancel and cosched_group_cancel; the cosched_token_ functions; channels and
 * select with COSCHED_NOW; the inits of locks and events; cosched_sem_try, signal, broadcast, release, add, done, set; the statistics.
 * Everything else answers -EPERM, false, {0, 0} or nothing, and has done nothing. What ends the process: unlocking what one cannot hold,
 * cosched_scope_end, cosched_group_join, cosched_event_wait_always, cosched_panic, and closing an I/O object anywhere but in a
 * task or on MAIN.
 *
 * fork: the child is outside, whoever forked; what needs the runtime answers -EPERM (-EBUSY: create and run). It may only exec or
 * _exit: to return from a task's body there ends it. Where no runtime lives a fork is as any other, and the child may make its own.
 * posix_spawn and vfork are not touched.
 *
 * longjmp works within the frames of one body or called function, also over suspensions and to another thread. Over a frame
 * of cosched (cosched_call, cosched_await, a body's end) it is undefined; at the end of the task it is found, and ends the process.
 * C++ exceptions likewise: thrown and caught within one body they work; none may leave it. Above the first frame of a task
 * is nothing, so one that nobody catches ends in std::terminate, with nothing unwound and the chain intact. No suspension inside
 * a catch block or while unwinding: what is being handled belongs to the thread (keep a std::exception_ptr).
 *
 * A pthread mutex belongs to a thread: held over a suspension, the next task of that thread deadlocks on it, and the task may
 * wake where it cannot unlock it (PTHREAD_MUTEX_ERRORCHECK says EDEADLK and EPERM). Use cosched_mutex. The same goes for
 * thread-locals, errno, and the floating-point environment without COSCHED_FPENV. */

/* --- looking in: counters, stack marks -------------------------------------------------------------------- */

typedef struct {
    uint64_t slices;      /* uninterrupted runs of a task */
    uint64_t steals;      /* tasks taken from another's deque */
    uint64_t stolen_from; /* tasks that others took from this one's deque */
    uint64_t parks;       /* times it went to sleep */
    uint64_t wakes;       /* times it was woken by new work */
    uint64_t busy_ns;     /* time not asleep and not searching */
    uint64_t deque;       /* tasks waiting in its deque now */
} cosched_worker_stats;

/* Counters only grow; levels are read one by one without stopping anything, so they may disagree by a few. */
typedef struct {
    size_t struct_size;
    uint64_t tasks_live, spawned, completed;
    uint64_t tasks_peak; /* the most that a call of this function has seen alive */
    uint64_t switches, calls_stack_grown, yields;
    uint64_t hops_to_worker, hops_to_main;
    uint64_t main_ready, main_inbox, main_slices, main_polls, main_busy_ns;
    uint64_t injector_depth, injector_pushed, injector_popped, injector_overflowed;
    uint64_t stacks_in_use, stacks_cached, stack_bytes;
    const char *stack_guard; /* "madvise", "mprotect" or "canary" */
    uint64_t timers;
    uint64_t blocking_threads, blocking_queued;
    uint32_t workers; /* entries of worker[] in use */
    cosched_worker_stats worker[COSCHED_WORKERS_MAX];
    uint64_t failed;      /* failures as the hook task_failed knows them, panics included */
    uint64_t main_helped; /* WORKER tasks that MAIN started for the workers */
    uint64_t slices_long,
        slices_reported; /* with COSCHED_WATCH_SLICES: found over their time; told of */
} cosched_stats;

/* Fills *out up to the struct_size it came with. Any thread, while the runtime lives. 0, -EINVAL. */
COSCHED_API int cosched_stats_get(cosched_runtime *rt, cosched_stats *out);

/* How deep the tasks of one function have used their stacks, those included that they awaited inline, but not the further stacks
 * that deep calls take. */
typedef struct {
    cosched_fn fn;    /* the body; NULL: all those for which the table of 255 had no room */
    const char *name; /* of the first such task */
    uint64_t bytes; /* the most that one used, the library's frames included; compare with stack_size */
    uint64_t tasks; /* how many were measured: those that have ended on a stack of their own */
} cosched_stack_mark;

/* Writes the max deepest, deepest first, and returns how many functions there are. Any thread, while the runtime lives.
 * -EINVAL: it does not measure. */
COSCHED_API int cosched_stack_marks(cosched_runtime *rt, cosched_stack_mark *out, size_t max);

#ifdef __cplusplus
}
#endif
#endif
