/* exec - a command as a job.
 *
 *     start ──> on record ──> attend ──────────────────────────────────> sweep ──> drain ──> outcome
 *    (blocking │   │            │ cancelled                           │  (what is left
 *     thread)  │   └────────────┴─> TERM, attend for the grace, ──────┤  of the job is
 *              │    failed           KILL, attend                     │  killed)
 *              └─ over within QUIET_MS ───────────────────────────────┘
 *
 * attend waits for the main process while two tasks read its pipes. The job ends when the main
 * process does, as under systemd: what it left in the background is killed, so a daemonised
 * grandchild that holds the pipes open holds nobody up; what was in the pipes by then is still
 * read.
 *
 * From the moment the attempt is told to end, and for the clean-up of every attempt, a shield keeps
 * cancellation out; its limit is the grace and CLEANUP_MS. A process that survives even KILL (an
 * uninterruptible wait in the kernel) is given up then: the orphan reaper takes it when it goes.
 *
 * Most commands end within a moment and say little. So the thread that starts one waits QUIET_MS for
 * its end: a command that is over by then costs no readers, no registration of descriptors, no commit
 * of its number, and MAIN is woken once. A pipe holds what can be said in that time, or keeps its
 * writer waiting for the rest of it; recovery knows a process so young by its environment; a cancel
 * or a signal that comes meanwhile waits as long.
 *
 * Output is written to its file right here on MAIN: a write of up to 64 KiB into the page cache
 * takes less than the two hops to another thread and back would. The one buffer is shared by all
 * attempts, because between the read and the write no task is suspended.
 */
#include <cosched/cosched.h>
#include <cosched/io.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kinds/exec_args.h"
#include "log.h"

enum {
    QUIET_MS = 2,
    CLEANUP_MS = 60000,     /* for KILL, leftovers and the last output, after the grace */
    KILL_WAIT_MS = 30000,   /* how long a killed process may take to die */
    DRAIN_MAX = 17 * 65536, /* the largest pipe, and one read */
    EXIT_CANNOT = 126       /* the shell's code for "found, but not to be run" */
};

struct attempt {
    struct job_run *run; /* borrowed */
    struct process process;
    struct output output[2]; /* by enum output_stream */
    bool ended[2];           /* end of file seen */
    int status;              /* as in wait(2), once reaped */
    bool reaped;
    uint64_t start_time; /* of a process that lasts */
};

static char buffer[65536]; /* MAIN */

/* --- output --------------------------------------------------------------------------------- */

static int stream_fd(const struct attempt *a, enum output_stream stream)
{
    return stream == OUTPUT_STDOUT ? a->process.out : a->process.err;
}

/* One read and one write. How many bytes; 0: nothing there now, or the end. */
static size_t take_output(struct attempt *a, enum output_stream stream)
{
    struct output *output = &a->output[stream];
    ssize_t n;

    do {
        n = read(stream_fd(a, stream), buffer, sizeof buffer);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) {
        a->ended[stream] = n == 0 || errno != EAGAIN;
        return 0;
    }
    bool was_well = output->error == 0;
    int result = output_write(output, buffer, (size_t)n);
    if (result < 0 && was_well) {
        log_warning("output dropped", LOG_INT("job", a->run->id),
                    LOG_INT("attempt", a->run->attempt), LOG_ERR(result));
    }
    if (a->run->on_output) {
        a->run->on_output(a->run, stream, output->layout.written);
    }
    return (size_t)n;
}

static int64_t read_stream(struct attempt *a, enum output_stream stream)
{
    /* One read, then back to the poll: a command that floods must not keep MAIN. */
    while (!a->ended[stream]) {
        int ready = cosched_poll(stream_fd(a, stream), COSCHED_READABLE, COSCHED_NEVER);
        if (ready < 0) {
            return ready;
        }
        take_output(a, stream);
    }
    return 0;
}

static int64_t read_stdout(void *arg)
{
    return read_stream(arg, OUTPUT_STDOUT);
}

static int64_t read_stderr(void *arg)
{
    return read_stream(arg, OUTPUT_STDERR);
}

/* --- waiting -------------------------------------------------------------------------------- */

/* Right after the wait: from here on the number may be anybody's. */
static void note_reaped(struct attempt *a)
{
    a->reaped = true;
    process_reaped(a->process.pid);
}

/* Until the main process ends, while its output is read: 0, and it is reaped; -ETIMEDOUT, -ECANCELED;
 * or why it cannot be attended to. */
static int attend(struct attempt *a, int64_t deadline)
{
    const cosched_group_attr collect = {.struct_size = sizeof collect, .policy = COSCHED_COLLECT};
    cosched_attr out = {.struct_size = sizeof out, .name = "stdout", .affinity = COSCHED_MAIN};
    cosched_attr err = {.struct_size = sizeof err, .name = "stderr", .affinity = COSCHED_MAIN};
    cosched_group readers;

    int result = cosched_group_init(&readers, &collect);
    if (result < 0) {
        return result;
    }
    if (!a->ended[OUTPUT_STDOUT]) {
        result = cosched_group_spawn(&readers, read_stdout, a, &out);
    }
    if (result == 0 && !a->ended[OUTPUT_STDERR]) {
        result = cosched_group_spawn(&readers, read_stderr, a, &err);
    }
    if (result == 0) {
        result = cosched_child_wait(a->process.pid, &a->status, deadline);
    }
    if (result == 0) {
        note_reaped(a);
    }
    /* A reader that is stopped has read nothing since its last write: no byte is lost. */
    cosched_group_cancel(&readers);
    (void)cosched_group_join(&readers, COSCHED_NEVER);
    return result;
}

/* Where the scheduler cannot wait for the child (no descriptor, no memory): after the KILL a thread
 * can. */
static int64_t wait_blocking(void *arg)
{
    struct attempt *a = arg;
    pid_t pid;

    do {
        pid = waitpid(a->process.pid, &a->status, 0);
    } while (pid < 0 && errno == EINTR);
    if (pid == a->process.pid) {
        note_reaped(a);
    }
    return 0;
}

static void drain(struct attempt *a)
{
    for (int stream = OUTPUT_STDOUT; stream <= OUTPUT_STDERR; stream++) {
        for (size_t sum = 0, n = 1; n > 0 && sum < DRAIN_MAX && !a->ended[stream]; sum += n) {
            n = take_output(a, (enum output_stream)stream);
        }
    }
}

/* The grace is the whole group's: a shell dies of TERM at once, its workers may be busy cleaning
 * up. Nothing tells when a group is empty, so this looks, at growing intervals. */
static void await_group(struct attempt *a, int64_t deadline)
{
    for (int64_t ms = 1; process_group_lives(a->process.pid) && cosched_now() < deadline;
         ms = ms < 50 ? 2 * ms : ms) {
        drain(a);
        int64_t next = cosched_in_ms(ms);
        if (cosched_sleep_until(next < deadline ? next : deadline) < 0) {
            return;
        }
    }
}

/* TERM, grace, KILL. Shielded. */
static void stop(struct attempt *a, int why)
{
    int result = why;

    if (why == -ECANCELED) {
        int64_t grace_ends = cosched_in_ns(exec_args_grace_ns(a->run));
        process_signal_group(a->process.pid, SIGTERM);
        process_signal_group(a->process.pid, SIGCONT); /* a stopped one could not even be told */
        result = attend(a, grace_ends);
        if (a->reaped) {
            await_group(a, grace_ends);
        }
    }
    if (a->reaped) {
        return;
    }
    process_signal_group(a->process.pid, SIGKILL);
    if (result == -ETIMEDOUT) {
        result = attend(a, cosched_in_ms(KILL_WAIT_MS));
    }
    if (!a->reaped && result != -ETIMEDOUT && result != -ECANCELED) {
        (void)cosched_blocking(NULL, wait_blocking, a);
    }
}

/* --- the end -------------------------------------------------------------------------------- */

static int64_t end_leftovers(void *arg)
{
    struct attempt *a = arg;
    return process_end_leftovers(a->run->exec->instance, a->run->id, a->process.pid);
}

static void sweep(struct attempt *a)
{
    int64_t killed = 0;

    if (!a->reaped) {
        log_error("process does not end", LOG_INT("job", a->run->id),
                  LOG_INT("pid", a->process.pid));
    }
    if (!a->reaped) {
        process_reaped(a->process.pid); /* given up */
    }
    if (!process_may_have_left(a->process.pid)) {
        return;
    }
    int result = cosched_blocking(&killed, end_leftovers, a);
    if (result < 0 || killed < 0) {
        log_warning("processes left behind", LOG_INT("job", a->run->id),
                    LOG_ERR(result < 0 ? result : killed));
    }
}

static void tell_report(const struct attempt *a, const struct process_report *report,
                        struct job_outcome *out)
{
    const char *why = cosched_strerror(-(int64_t)report->error);
    const char *command = json_string(json_first(json_get(a->run->args, "argv")));
    const char *cwd = json_string(json_get(a->run->args, "cwd"));

    if (strcmp(report->stage, "exec") == 0) {
        job_outcome_error(out, "exec_failed", "cannot run %s: %s", command, why);
    } else if (strcmp(report->stage, "interpreter") == 0) {
        job_outcome_error(out, "exec_failed", "cannot run %s: its interpreter: %s", command, why);
    } else if (strcmp(report->stage, "cwd") == 0) {
        job_outcome_error(out, "exec_failed", "cannot work in %s: %s", cwd ? cwd : "/", why);
    } else {
        job_outcome_error(out, "exec_failed", "cannot set %s: %s", report->stage, why);
    }
}

/* What the process left, whoever decided its end. */
static void tell_status(struct attempt *a, struct job_outcome *out)
{
    struct output_counts counts[2];

    if (a->reaped && WIFEXITED(a->status)) {
        out->exit_code = WEXITSTATUS(a->status);
    }
    if (a->reaped && WIFSIGNALED(a->status)) {
        out->signal = WTERMSIG(a->status);
    }
    for (int stream = OUTPUT_STDOUT; stream <= OUTPUT_STDERR; stream++) {
        output_close(&a->output[stream], &counts[stream]);
    }
    out->output = (struct job_stream_size){(int64_t)counts[OUTPUT_STDOUT].bytes,
                                           (int64_t)counts[OUTPUT_STDOUT].kept};
    out->errors = (struct job_stream_size){(int64_t)counts[OUTPUT_STDERR].bytes,
                                           (int64_t)counts[OUTPUT_STDERR].kept};
}

/* After an end of its own: success or failure, unless somebody recorded another cause before. */
static void tell_end(struct attempt *a, int result, bool on_record, struct job_outcome *out)
{
    struct process_report report;
    bool success = result == 0 && WIFEXITED(a->status) && WEXITSTATUS(a->status) == 0;

    if (!job_outcome_cause(out, success ? JOB_OUTCOME_SUCCEEDED : JOB_OUTCOME_FAILED) || success) {
        return;
    }
    if (!on_record) {
        job_outcome_error(out, "storage", "the process could not be recorded: %s",
                          cosched_strerror(result));
    } else if (result < 0) {
        job_outcome_error(out, "no_resources", "the process could not be attended to: %s",
                          cosched_strerror(result));
    } else if (process_failed(&a->process, &report)) {
        tell_report(a, &report, out);
    }
}

/* --- the attempt ---------------------------------------------------------------------------- */

/* On a blocking thread: building environment and arguments is linear in what a user sent, and the
 * spawn takes a tenth of a millisecond or, on a busy machine, several. */
static int64_t start(void *arg)
{
    struct attempt *a = arg;
    struct exec_command command;

    int result = exec_command_init(&command, a->run);
    if (result == 0) {
        result = process_spawn(&command.command, &a->process);
    }
    exec_command_fini(&command);
    if (result == 0) {
        a->reaped = process_ends_within(a->process.pid, QUIET_MS, &a->status);
    }
    /* Not reaped before we say so: its entry in /proc is there even if it has ended since. */
    if (result == 0 && !a->reaped && process_start_time(a->process.pid, &a->start_time) < 0) {
        a->start_time = 0;
    }
    return result;
}

static int start_failed(const struct attempt *a, int error, struct job_outcome *out)
{
    const char *command = json_string(json_first(json_get(a->run->args, "argv")));

    if (!job_outcome_cause(out, JOB_OUTCOME_FAILED)) {
        return 0;
    }
    out->exit_code = EXIT_CANNOT;
    job_outcome_error(out, "exec_failed", "cannot start %s: %s", command ? command : "it",
                      cosched_strerror(error));
    return 0;
}

static int exec_run(struct job_run *run, struct job_outcome *out)
{
    struct attempt a = {.run = run, .process = PROCESS_NULL};
    cosched_scope shield;
    int64_t started = 0;

    int result = cosched_blocking(&started, start, &a);
    if (result == -ECANCELED) {
        return result;
    }
    if (result < 0 || started < 0) {
        return start_failed(&a, result < 0 ? result : (int)started, out);
    }
    uint64_t cap = exec_args_output_max(run);
    output_open(&a.output[OUTPUT_STDOUT], run->out_dir, run->id, run->attempt, OUTPUT_STDOUT, cap);
    output_open(&a.output[OUTPUT_STDERR], run->out_dir, run->id, run->attempt, OUTPUT_STDERR, cap);

    if (!a.reaped && run->on_process) {
        result = run->on_process(run, a.process.pid, a.start_time);
    }
    bool on_record = result >= 0;
    if (!a.reaped && on_record) {
        result = attend(&a, COSCHED_NEVER);
    }

    int64_t limit = cosched_in_ns(exec_args_grace_ns(run) + INT64_C(1000000) * CLEANUP_MS);
    bool shielded = cosched_scope_begin(&shield, limit, COSCHED_SHIELD) == 0;
    if (!a.reaped) {
        stop(&a, result);
    }
    sweep(&a);
    drain(&a);
    if (result != -ECANCELED) {
        tell_end(&a, result, on_record, out);
    }
    tell_status(&a, out);
    if (shielded) {
        cosched_scope_end(&shield);
    }
    process_close(&a.process);
    return result == -ECANCELED ? -ECANCELED : 0;
}

const struct kind kind_exec = {
    .name = "exec",
    .repeatable = false,
    .check = exec_args_check,
    .schema =
        "{\"type\":\"object\",\"properties\":{"
        "\"argv\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"minItems\":1},"
        "\"cwd\":{\"type\":\"string\",\"pattern\":\"^/\"},"
        "\"env\":{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"null\"]}},"
        "\"clear_env\":{\"type\":\"boolean\",\"default\":false},"
        "\"stdin\":{\"type\":\"string\",\"maxLength\":65536},"
        "\"umask\":{\"type\":[\"string\",\"integer\"],\"description\":\"octal digits, such as "
        "022\"},"
        "\"limits\":{\"type\":\"object\",\"properties\":{"
        "\"nofile\":{\"type\":\"integer\",\"minimum\":3},"
        "\"memory\":{\"type\":[\"string\",\"integer\"]},"
        "\"cpu_time\":{\"type\":\"string\",\"description\":\"duration; whole seconds count\"},"
        "\"file_size\":{\"type\":[\"string\",\"integer\"]},"
        "\"processes\":{\"type\":\"integer\",\"minimum\":1}},\"additionalProperties\":false},"
        "\"grace\":{\"type\":\"string\",\"description\":\"from TERM to KILL; at most 1h\"},"
        "\"output_max\":{\"type\":[\"string\",\"integer\"],\"description\":\"bytes a stream\"}},"
        "\"required\":[\"argv\"],\"additionalProperties\":false}",
    .run = exec_run,
};
