/* The table of test_outside.c for io.h. Signals and processes are closed by tasks: see the deaths there. */
#include <netinet/in.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test_outside.h"

static void sockets(struct world *w)
{
    cosched_listener *l = w->listener;
    cosched_stream *s = w->stream;
    char byte = 0;
    ANSWERS(-EPERM, cosched_listen_unix(&l, w->path, 0600, 1));
    EXPECT(l == NULL);
    ANSWERS(-EPERM, cosched_listen_fd(&l, 0));
    ANSWERS(-EPERM, cosched_listen_tcp(&l, "127.0.0.1", 0, 1));
    cosched_listener_close(NULL);
    ANSWERS(-EAFNOSUPPORT, cosched_listener_port(w->listener));
    ANSWERS(-EPERM, cosched_accept(w->listener, &s, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_connect_unix(&s, w->path, COSCHED_NEVER));
    EXPECT(s == NULL);
    ANSWERS(-EPERM, cosched_connect_tcp(&s, "127.0.0.1", 1, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_read(w->stream, &byte, 1, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_write(w->stream, &byte, 1, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_send_fd(w->stream, 0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_recv_fd(w->stream, COSCHED_NEVER));
    ANSWERS(-EOPNOTSUPP, cosched_stream_nodelay(w->stream, true));
    EXPECT(cosched_stream_fileno(w->stream) >= 0);
    ANSWERS(0, cosched_stream_shutdown_write(w->peer));
    cosched_stream_shut(w->peer);
    cosched_close(NULL);
    cosched_udp *u = w->udp;
    struct cosched_address from = {.size = 0};
    ANSWERS(-EPERM, cosched_udp_open(&u, "127.0.0.1", 0));
    EXPECT(cosched_udp_port(w->udp) > 0);
    ANSWERS(-EPERM, cosched_udp_recv_from(w->udp, &byte, 1, &from, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_udp_send_to(w->udp, &byte, 1, &from, COSCHED_NOW));
    cosched_udp_shut(w->udp);
    cosched_udp_close(NULL);
    struct cosched_addresses *a = NULL;
    ANSWERS(-EPERM, cosched_resolve("localhost", "80", COSCHED_NEVER, &a));
    cosched_addresses_free(a);
    ANSWERS(-EAFNOSUPPORT, cosched_address_port(&from));
}

static void streams_and_processes(struct world *w)
{
    cosched_stream *s[3] = {w->stream, w->stream, NULL};
    cosched_process *p = w->process;
    struct cosched_address a;
    char text[COSCHED_ADDRESS_TEXT];
    int status, columns, rows;
    const struct iovec part = {.iov_base = text, .iov_len = 1};
    ANSWERS(-EPERM, cosched_writev(w->stream, &part, 1, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_pipe(&s[0], &s[1]));
    EXPECT(s[0] == NULL && s[1] == NULL);
    ANSWERS(-EPERM, cosched_stream_pair(s));
    ANSWERS(-EPERM, cosched_stream_adopt(&s[0], 0));
    ANSWERS(-EPERM, cosched_tty_open(&s[0], 0));
    ANSWERS(-ENOTTY, cosched_tty_size(w->stream, &columns, &rows));
    ANSWERS(-ENOTTY, cosched_tty_raw(w->stream, true));
    ANSWERS(-EPERM, cosched_connect_name(&s[0], "localhost", "80", COSCHED_NEVER));
    ANSWERS(0, cosched_stream_local(w->stream, &a));
    ANSWERS(0, cosched_stream_peer(w->stream, &a));
    EXPECT(cosched_address_text(&a, text, sizeof text) > 0);
    ANSWERS(-EPERM, cosched_process_spawn(&p, s, NULL, COSCHED_NEVER));
    EXPECT(p == NULL);
    EXPECT(cosched_process_pid(w->process) > 0);
    ANSWERS(0, cosched_process_kill(w->process, 0));
    ANSWERS(-EPERM, cosched_process_wait(w->process, &status, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_process_end(w->process, &status, COSCHED_NOW));
    cosched_process_close(NULL);
}

static void names(void)
{
    struct stat st;
    ANSWERS(-EPERM, cosched_file_sync_data(0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_truncate(0, 0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_stat_fd(0, &st, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_rename("/a", "/b", COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_unlink("/a", COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_mkdir("/a", 0700, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_rmdir("/a", COSCHED_NEVER));
}

static void files_and_others(struct world *w)
{
    int status, number = SIGUSR2;
    char byte = 0;
    struct stat st;
    struct cosched_entries *entries = NULL;
    struct cosched_change change;
    cosched_signals *s = NULL;
    cosched_changes *c = NULL;
    ANSWERS(-EPERM, cosched_poll(0, COSCHED_READABLE, COSCHED_NOW));
    ANSWERS(-EPERM, cosched_signals_open(&s, &number, 1));
    ANSWERS(-EPERM, cosched_signals_wait(w->signals, COSCHED_NEVER));
    cosched_signals_close(NULL);
    ANSWERS(-EPERM, cosched_child_wait(getpid(), &status, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_open("/", 0, 0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_read_at(0, &byte, 1, 0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_write_at(0, &byte, 1, 0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_sync(0, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_stat("/", &st, COSCHED_NEVER));
    ANSWERS(-EPERM, cosched_file_close(0));
    ANSWERS(-EPERM, cosched_scandir("/", 1, COSCHED_NEVER, &entries));
    cosched_entries_free(entries);
    ANSWERS(-EPERM, cosched_changes_open(&c));
    ANSWERS(-EPERM, cosched_changes_add(w->changes, "/", IN_CREATE, COSCHED_NEVER));
    ANSWERS(-EINVAL, cosched_changes_remove(w->changes, 1));
    ANSWERS(-EPERM, cosched_changes_next(w->changes, &change, COSCHED_NEVER));
    cosched_changes_close(NULL);
}

void outside_io(struct world *w)
{
    sockets(w);
    streams_and_processes(w);
    names();
    files_and_others(w);
}
