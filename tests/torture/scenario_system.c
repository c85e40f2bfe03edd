/* Pipes and pairs, programs, names in the file system, connecting by name, terminals. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#define SOON cosched_in_ms(60000)

static void close_quietly(int fd)
{
    torture_quiet(true);
    close(fd);
    torture_quiet(false);
}

/* --- pipes, pairs, adopted descriptors --------------------------------------------------------------------------- */

static int64_t drain(void *arg)
{
    char buffer[16];
    int64_t n;
    do {
        n = NOTE(cosched_read(arg, buffer, sizeof buffer, COSCHED_NEVER));
    } while (n > 0);
    return 0;
}

static void use_pipe(void)
{
    cosched_stream *from = NULL, *to = NULL;
    if (NOTE(cosched_pipe(&from, &to)) < 0) {
        return;
    }
    cosched_task t = torture_spawn(drain, from, COSCHED_MAIN);
    cosched_yield();
    char text[] = "twenty-four bytes or so";
    struct iovec parts[] = {{text, 10}, {text + 10, sizeof text - 10}};
    NOTE(cosched_writev(to, parts, 2, COSCHED_NEVER));
    cosched_close(to);
    torture_join(&t);
    cosched_close(from);
}

static void use_pair(void)
{
    cosched_stream *ends[2];
    if (NOTE(cosched_stream_pair(ends)) < 0) {
        return;
    }
    struct cosched_address a;
    NOTE(cosched_stream_local(ends[0], &a));
    NOTE(cosched_stream_peer(ends[0], &a));
    char text[] = "word";
    struct iovec parts[] = {{text, 2}, {text + 2, 2}};
    if (NOTE(cosched_writev(ends[0], parts, 2, SOON)) > 0) {
        NOTE(cosched_read(ends[1], text, sizeof text, SOON));
    }
    cosched_close(ends[0]);
    cosched_close(ends[1]);
}

static void use_adopted(void)
{
    int fds[2];
    torture_quiet(true);
    int rc = pipe2(fds, O_CLOEXEC);
    torture_quiet(false);
    if (rc < 0) {
        return;
    }
    cosched_stream *s = NULL;
    if (NOTE(cosched_stream_adopt(&s, fds[1])) == 0) {
        NOTE(cosched_write(s, "x", 1, SOON));
        close_quietly(fds[0]); /* the next write meets SIGPIPE's case */
        int64_t n = cosched_write(s, "x", 1, SOON);
        if (n != -EPIPE) {
            NOTE(n < 0 ? n : -EPROTO);
        }
        cosched_close(s);
    } else {
        close_quietly(fds[0]);
        close_quietly(fds[1]);
    }
}

static int64_t pipe_talk(void *arg)
{
    (void)arg;
    use_pipe();
    use_pair();
    use_adopted();
    return 0;
}

static void pipes(int workers)
{
    torture_run(workers, pipe_talk);
}

/* --- programs ------------------------------------------------------------------------------------------------------ */

/* Talks with one that ends by itself. */
static void converse(void)
{
    static const char *const argv[] = {"sh", "-c", "cat; exit 7", NULL};
    cosched_process_attr attr = {.struct_size = sizeof attr, .argv = argv, .cwd = "/"};
    attr.stdio[0].how = attr.stdio[1].how = COSCHED_STDIO_PIPE;
    attr.stdio[2].how = COSCHED_STDIO_STDOUT;
    cosched_stream *ends[3];
    cosched_process *p = NULL;
    if (NOTE(cosched_process_spawn(&p, ends, &attr, SOON)) < 0) {
        return;
    }
    NOTE(cosched_write(ends[0], "word", 4, SOON));
    cosched_close(ends[0]);
    drain(ends[1]);
    cosched_close(ends[1]);
    int status = 0;
    if (NOTE(cosched_process_wait(p, &status, SOON)) == 0 &&
        (!WIFEXITED(status) || (WEXITSTATUS(status) != 7 && !torture_fired()))) {
        NOTE(-EPROTO);
    }
    cosched_process_close(p);
}

/* Ends, by force, those that would not. */
static void end_some(void)
{
    static const char *const argv[] = {"sleep", "1000", NULL};
    cosched_process_attr attr = {
        .struct_size = sizeof attr, .argv = argv, .flags = COSCHED_PROCESS_GROUP};
    attr.stdio[0] = (cosched_stdio){COSCHED_STDIO_FD, STDERR_FILENO};
    attr.stdio[1].how = COSCHED_STDIO_INHERIT;
    cosched_process *p = NULL;
    if (NOTE(cosched_process_spawn(&p, NULL, &attr, SOON)) == 0) {
        NOTE(cosched_process_end(p, NULL, cosched_in_ms(torture_fired() ? 5 : 50)));
        cosched_process_close(p);
    }
    attr.flags = COSCHED_PROCESS_SESSION;
    if (NOTE(cosched_process_spawn(&p, NULL, &attr, SOON)) == 0) {
        cosched_process_close(p);
    }
    static const char *const nothing[] = {"/nonexistent/program", NULL};
    attr.argv = nothing;
    int rc = cosched_process_spawn(&p, NULL, &attr, SOON);
    if (rc != -ENOENT) {
        NOTE(rc < 0 ? rc : -EPROTO);
    }
}

static int64_t run_programs(void *arg)
{
    (void)arg;
    converse();
    end_some();
    return 0;
}

static void programs(int workers)
{
    torture_run(workers, run_programs);
}

/* --- names in the file system ------------------------------------------------------------------------------------------ */

static char dir[128], file[160], other[160];

static int64_t use_names(void *arg)
{
    (void)arg;
    if (NOTE(cosched_mkdir(dir, 0700, SOON)) < 0) {
        return 0;
    }
    int fd = (int)NOTE(cosched_file_open(file, O_RDWR | O_CREAT, 0600, SOON));
    if (fd >= 0) {
        struct stat st;
        NOTE(cosched_file_truncate(fd, 100, SOON));
        if (NOTE(cosched_file_stat_fd(fd, &st, SOON)) == 0 && st.st_size != 100 && !torture_fired()) {
            NOTE(-EPROTO);
        }
        NOTE(cosched_file_sync_data(fd, SOON));
        NOTE(cosched_file_close(fd));
        if (NOTE(cosched_rename(file, other, SOON)) == 0) {
            NOTE(cosched_unlink(other, SOON));
        }
    }
    torture_quiet(true);
    unlink(file);
    unlink(other);
    torture_quiet(false);
    NOTE(cosched_rmdir(dir, SOON));
    return 0;
}

static void file_names(int workers)
{
    snprintf(dir, sizeof dir, "%s/dir", torture_dir);
    snprintf(file, sizeof file, "%s/file", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    torture_run(workers, use_names);
    torture_quiet(true);
    rmdir(dir);
    torture_quiet(false);
}

/* --- connecting by name -------------------------------------------------------------------------------------------------- */

/* "localhost" is of both families on most machines; nobody listens on one of them, so addresses take turns. */
static int64_t call_by_name(void *arg)
{
    (void)arg;
    cosched_listener *l = NULL;
    if (NOTE(cosched_listen_tcp(&l, "127.0.0.1", 0, 4)) < 0) {
        return 0;
    }
    char service[16];
    int port = (int)NOTE(cosched_listener_port(l));
    snprintf(service, sizeof service, "%d", port);
    cosched_stream *s = NULL;
    if (port > 0 && NOTE(cosched_connect_name(&s, "localhost", service, SOON)) == 0) {
        cosched_stream *t = NULL;
        NOTE(cosched_accept(l, &t, SOON));
        cosched_close(t);
        cosched_close(s);
    }
    cosched_listener_close(l);
    int rc = port > 0 ? cosched_connect_name(&s, "127.0.0.1", service, SOON) : 0;
    if (rc != -ECONNREFUSED) {
        NOTE(rc);
    }
    return 0;
}

static void by_name(int workers)
{
    torture_run(workers, call_by_name);
}

/* --- terminals ------------------------------------------------------------------------------------------------------------- */

static int open_terminal(int *slave)
{
    char name[64];
    torture_quiet(true);
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool ready = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
                 ptsname_r(master, name, sizeof name) == 0;
    *slave = ready ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
    torture_quiet(false);
    return master;
}

static void use_keys(int master, int slave)
{
    cosched_stream *s = NULL;
    if (NOTE(cosched_tty_open(&s, slave)) < 0) {
        return;
    }
    int columns, rows;
    NOTE(cosched_tty_size(s, &columns, &rows));
    if (NOTE(cosched_tty_raw(s, true)) == 0) {
        char key;
        torture_quiet(true);
        (void)!write(master, "k", 1);
        torture_quiet(false);
        NOTE(cosched_read(s, &key, 1, SOON));
        NOTE(cosched_write(s, "k", 1, SOON));
        NOTE(cosched_tty_raw(s, false));
    }
    NOTE(cosched_tty_raw(s, true));
    cosched_close(s);
    if (NOTE(cosched_tty_open(&s, master)) == 0) {
        cosched_close(s);
    }
}

static int64_t use_terminal(void *arg)
{
    (void)arg;
    int slave, master = open_terminal(&slave);
    if (slave >= 0) { /* else this machine has none to give */
        use_keys(master, slave);
        close_quietly(slave);
    }
    if (master >= 0) {
        close_quietly(master);
    }
    return 0;
}

static void terminals(int workers)
{
    torture_run(workers, use_terminal);
}

const struct torture_scenario torture_system[] = {
    {"pipes", pipes, 0},     {"programs", programs, 0},   {"file_names", file_names, 0},
    {"by_name", by_name, 0}, {"terminals", terminals, 0},
};
const size_t torture_system_count = sizeof torture_system / sizeof torture_system[0];
