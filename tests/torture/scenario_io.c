/* Files, directories, changes, signals, children, polls. Paths lie in torture_dir and are unlinked by the scenario. */
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

static char path[128];

static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", torture_dir, name);
    return path;
}

/* What the scenario itself asks of the system is not the subject. */
static void drop(const char *name)
{
    torture_quiet(true);
    unlink(name);
    torture_quiet(false);
}

static int64_t use_file(void *arg)
{
    (void)arg;
    int fd = (int)NOTE(cosched_file_open(path, O_RDWR | O_CREAT | O_TRUNC, 0600, COSCHED_NEVER));
    if (fd < 0) {
        return 0;
    }
    char text[] = "twelve bytes", back[sizeof text] = "";
    NOTE(cosched_file_write_at(fd, text, sizeof text, 0, cosched_in_ms(60000)));
    size_t got = 0;
    while (got < sizeof back) {
        int64_t n = NOTE(
            cosched_file_read_at(fd, back + got, sizeof back - got, (int64_t)got, COSCHED_NEVER));
        if (n <= 0) {
            break;
        }
        got += (size_t)n;
    }
    if (torture_noted() == 0 && memcmp(text, back, sizeof text) != 0) {
        NOTE(-EPROTO);
    }
    NOTE(cosched_file_sync(fd, COSCHED_NEVER));
    struct stat st;
    NOTE(cosched_file_stat(path, &st, COSCHED_NEVER));
    NOTE(cosched_file_close(fd));
    struct cosched_entries *entries = NULL;
    NOTE(cosched_scandir(torture_dir, 10, COSCHED_NEVER, &entries));
    cosched_entries_free(entries);
    return 0;
}

static int64_t from_worker(void *arg)
{
    cosched_fn fn;
    memcpy(&fn, arg, sizeof fn);
    cosched_task t = torture_spawn(fn, NULL, COSCHED_WORKER);
    torture_join(&t);
    return 0;
}

/* fn as a task at WORKER below a MAIN task. */
static void run_at_worker(int workers, cosched_fn fn)
{
    cosched_config config = {.struct_size = sizeof config, .workers = workers};
    NOTE(cosched_run(&config, from_worker, &fn));
}

static void files(int workers)
{
    in_dir("file");
    run_at_worker(workers, use_file);
    drop(path);
}

/* --- changes ---------------------------------------------------------------------------------------------------- */

static int64_t watch_dir(void *arg)
{
    (void)arg;
    cosched_changes *c = NULL;
    if (NOTE(cosched_changes_open(&c)) < 0) {
        return 0;
    }
    int id = (int)NOTE(cosched_changes_add(c, torture_dir, IN_CREATE, COSCHED_NEVER));
    if (id >= 0) {
        torture_quiet(true);
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        close(fd);
        torture_quiet(false);
        struct cosched_change change;
        if (NOTE(cosched_changes_next(c, &change, COSCHED_NEVER)) == 0 && change.id != id) {
            NOTE(-EPROTO);
        }
        NOTE(cosched_changes_remove(c, id));
    }
    cosched_changes_close(c);
    return 0;
}

static void changes(int workers)
{
    in_dir("new");
    run_at_worker(workers, watch_dir);
    drop(path);
}

/* --- signals ------------------------------------------------------------------------------------------------------- */

static int64_t catch_some(void *arg)
{
    (void)arg;
    static const int numbers[] = {SIGUSR1, SIGUSR2};
    cosched_signals *s = NULL;
    if (NOTE(cosched_signals_open(&s, numbers, 2)) < 0) {
        return 0;
    }
    raise(SIGUSR2);
    int got = (int)NOTE(cosched_signals_wait(s, COSCHED_NEVER));
    if (got >= 0 && got != SIGUSR2) {
        NOTE(-EPROTO);
    }
    cosched_signals_close(s);
    return 0;
}

static void signals(int workers)
{
    torture_run(workers, catch_some); /* at MAIN, whose thread takes signals */
}

/* --- children -------------------------------------------------------------------------------------------------------- */

static int64_t wait_child(void *arg)
{
    (void)arg;
    int gate[2];
    torture_quiet(true);
    pid_t pid = -1;
    if (pipe2(gate, O_CLOEXEC) == 0) {
        pid = fork();
        if (pid == 0) {
            char c;
            close(gate[1]);
            _exit(read(gate[0], &c, 1) == 1 ? 7 : 8);
        }
    }
    torture_quiet(false);
    int status = 0;
    int rc = cosched_child_wait(pid, &status, cosched_in_ns(100000));
    if (rc != -ETIMEDOUT) {
        NOTE(rc);
    }
    torture_quiet(true);
    (void)!write(gate[1], "x", 1);
    close(gate[0]); /* open until now: the child may have been taken away */
    close(gate[1]);
    torture_quiet(false);
    if (NOTE(cosched_child_wait(pid, &status, COSCHED_NEVER)) < 0) {
        torture_quiet(true);
        waitpid(pid, &status, 0); /* it was not reaped, as io.h says */
        torture_quiet(false);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 7) {
        NOTE(-EPROTO);
    }
    return 0;
}

static void children(int workers)
{
    run_at_worker(workers, wait_child);
}

/* --- polls ------------------------------------------------------------------------------------------------------------- */

static int64_t write_later(void *arg)
{
    int fd = *(int *)arg;
    cosched_yield();
    torture_quiet(true);
    (void)!write(fd, "x", 1);
    torture_quiet(false);
    return 0;
}

static int64_t poll_pipe(void *arg)
{
    (void)arg;
    int ends[2];
    torture_quiet(true);
    int rc = pipe2(ends, O_CLOEXEC);
    torture_quiet(false);
    if (rc < 0) {
        return 0;
    }
    cosched_task t = torture_spawn(write_later, &ends[1], COSCHED_MAIN);
    int ready = cosched_poll(ends[0], COSCHED_READABLE,
                             torture_fired() ? cosched_in_ms(20) : cosched_in_ms(20000));
    if (ready < 0 && !(ready == -ETIMEDOUT && torture_fired())) {
        NOTE(ready);
    }
    torture_join(&t);
    ready = cosched_poll(ends[0], COSCHED_READABLE, cosched_in_ns(100000));
    if (ready < 0 && ready != -ETIMEDOUT) {
        NOTE(ready);
    }
    torture_quiet(true);
    close(ends[0]);
    close(ends[1]);
    torture_quiet(false);
    return 0;
}

static void polls(int workers)
{
    run_at_worker(workers, poll_pipe);
}

const struct torture_scenario torture_io[] = {
    {"files", files, 0},       {"changes", changes, 0}, {"signals", signals, 0},
    {"children", children, 0}, {"polls", polls, 0},
};
const size_t torture_io_count = sizeof torture_io / sizeof torture_io[0];
