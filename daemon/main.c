/* main.c - coschedd's table of contents: settings, log, checks; then, as the first task of the runtime, store, recovery,
 * dispatch, server, signals; ready; and the way back. Each step is a few lines that call the file which knows.
 */
#include <cosched/cosched.h>
#include <cosched/io.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "command.h"
#include "config.h"
#include "dispatch.h"
#include "exec_env.h"
#include "log.h"
#include "notify.h"
#include "output.h"
#include "prepare.h"
#include "process.h"
#include "recover.h"
#include "reload.h"
#include "server.h"
#include "store.h"
#include "watchdog.h"

#ifndef COSCHED_VERSION_TEXT
#define COSCHED_VERSION_TEXT "0.1.0"
#endif

#define STOP_LIMIT_MS 30000
#define LOCK_TRIES    20

struct daemon {
    struct config config;
    int state_dir, out_dir; /* owned */
    struct exec_env exec;
    struct store *store;
    struct watch watch;
    struct metrics metrics;
    struct users users;
    struct dispatch *dispatch;
    struct server *server;
    struct surface surface;
    struct bell bell; /* rung for everything below */
    int stop_requests;
    bool reload_requested;
    struct reload reload;
    cosched_task dispatch_task, server_task, signal_task, watchdog_task;
};

/* --- the store ---------------------------------------------------------------------------------- */

static void on_commit(void *ctx, int64_t commit_ns, size_t requests)
{
    (void)requests;
    metrics_commit(ctx, commit_ns);
}

static int open_store(struct daemon *d, struct store_recovery *recovery)
{
    const struct store_config config = {.dir = d->config.state_dir,
                                        .boot_id = process_boot_id(),
                                        .now_us = dispatch_wall_us(),
                                        .on_commit = on_commit,
                                        .ctx = &d->metrics};
    int rc = store_open(&d->store, &config, recovery);
    /* A daemon that was killed a moment ago may be dying still. (What a child of one that is gone has is waited for there.) */
    for (int i = 0;
         rc == STORE_LOCKED && i < LOCK_TRIES && cosched_sleep_until(cosched_in_ms(50)) == 0; i++) {
        rc = store_open(&d->store, &config, recovery);
    }
    if (rc == STORE_OK) {
        return 0;
    }
    log_error("cannot open the store", LOG_STR("path", d->config.state_dir),
              LOG_STR("reason", store_open_error()));
    if (rc == STORE_LOCKED) {
        return CONFIG_EXIT_BUSY;
    }
    return rc == -EACCES || rc == -EPERM || rc == -EROFS ? CONFIG_EXIT_PERMISSION
                                                         : CONFIG_EXIT_INTERNAL;
}

/* --- parts ------------------------------------------------------------------------------------------------ */

static void request_stop(void *ctx)
{
    struct daemon *d = ctx;
    if (d->stop_requests == 0) {
        d->stop_requests = 1;
    }
    bell_ring(&d->bell);
}

static int start_dispatch(struct daemon *d)
{
    const struct dispatch_config config = {d->store,   &d->watch,         &d->metrics,
                                           &d->config, &d->exec.settings, d->out_dir};
    int rc = dispatch_create(&d->dispatch, &config);
    if (rc == 0) {
        rc = dispatch_load(d->dispatch);
    }
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "dispatch", .affinity = COSCHED_MAIN};
    if (rc == 0) {
        rc = cosched_spawn(&d->dispatch_task, dispatch_task, d->dispatch, &attr);
    }
    if (rc == 0) {
        return 0;
    }
    log_error("cannot load the jobs", LOG_INT("answer", rc));
    return CONFIG_EXIT_INTERNAL;
}

static int reload(void *ctx, struct surface_reload *out)
{
    struct daemon *d = ctx;
    return reload_settings(&d->reload, out);
}

static int start_server(struct daemon *d)
{
    d->surface = (struct surface){.config = &d->config,
                                  .dispatch = d->dispatch,
                                  .store = d->store,
                                  .watch = &d->watch,
                                  .metrics = &d->metrics,
                                  .users = &d->users,
                                  .out_dir = d->out_dir,
                                  .version = COSCHED_VERSION_TEXT,
                                  .boot_id = process_boot_id(),
                                  .stop = request_stop,
                                  .reload = reload,
                                  .ctx = d};
    int inherited = notify_listen_fds();
    const struct server_config config = {&d->surface, d->config.socket_path,
                                         inherited > 0 ? NOTIFY_LISTEN_FD_FIRST : -1,
                                         d->config.user_instance, d->config.admin_group};
    int rc = server_open(&d->server, &config);
    d->reload.config = &d->config;
    d->reload.dispatch = d->dispatch;
    d->reload.server = d->server;
    d->reload.stop_requests = &d->stop_requests;
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "server", .affinity = COSCHED_MAIN};
    if (rc == 0) {
        rc = cosched_spawn(&d->server_task, server_task, d->server, &attr);
    }
    switch (-rc) {
    case 0: return 0;
    case EADDRINUSE: return CONFIG_EXIT_BUSY;
    case ENAMETOOLONG:
    case ENOTSOCK: return CONFIG_EXIT_CONFIG;
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT: return CONFIG_EXIT_PERMISSION;
    default: return CONFIG_EXIT_INTERNAL;
    }
}

/* TERM and INT: stop, the second time at once. HUP: read the settings again. */
static int64_t signal_task(void *arg)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    struct daemon *d = arg;
    cosched_signals *signals = NULL;
    int rc = cosched_signals_open(&signals, numbers, sizeof numbers / sizeof *numbers);
    if (rc < 0) {
        log_error("cannot wait for signals", LOG_ERR(rc));
        return rc;
    }
    while ((rc = cosched_signals_wait(signals, COSCHED_NEVER)) >= 0) {
        log_info("signal", LOG_STR("name", job_signal_name(rc)));
        if (rc == SIGHUP) {
            d->reload_requested = true;
        } else {
            d->stop_requests++;
        }
        bell_ring(&d->bell);
    }
    cosched_signals_close(signals);
    return 0;
}

static int start_tasks(struct daemon *d)
{
    const cosched_attr attr = {
        .struct_size = sizeof attr, .name = "signals", .affinity = COSCHED_MAIN};
    int rc = cosched_spawn(&d->signal_task, signal_task, d, &attr);
    if (rc == 0) {
        rc = cosched_spawn(&d->watchdog_task, watchdog_task, NULL, &attr);
    }
    return rc == 0 ? 0 : CONFIG_EXIT_INTERNAL;
}

/* --- the way back -------------------------------------------------------------------------------------------- */

static void wait_for_stop(struct daemon *d)
{
    while (d->stop_requests == 0) {
        if (bell_wait(&d->bell, COSCHED_NEVER) < 0) {
            return;
        }
        if (d->reload_requested) {
            struct surface_reload out = {"", ""};
            d->reload_requested = false;
            (void)reload_settings(&d->reload, &out);
        }
    }
}

/* Nothing new starts; what runs may end by itself until drain_timeout, then it is ended. A second request: at once. */
static void drain(struct daemon *d)
{
    struct watch_node node;
    int64_t deadline = cosched_in_ns(d->config.drain_timeout_ns);
    (void)notify_stopping("draining");
    dispatch_drain(d->dispatch, true);
    bool watched = watch_add(&d->watch, &node, WATCH_DAEMON, WATCH_IDLE, &d->bell) == 0;
    int rc = 0;
    while (rc == 0 && dispatch_running(d->dispatch) > 0 && d->stop_requests < 2) {
        rc = bell_wait(&d->bell, deadline);
    }
    bool forced = false;
    if (dispatch_running(d->dispatch) > 0) {
        log_info("ending running jobs", LOG_INT("running", dispatch_running(d->dispatch)));
        dispatch_interrupt(d->dispatch, false);
    }
    for (rc = 0; rc == 0 && dispatch_running(d->dispatch) > 0;) {
        if (d->stop_requests >= 2 && !forced) {
            forced = true;
            dispatch_interrupt(d->dispatch, true);
        }
        rc = bell_wait(&d->bell, COSCHED_NEVER);
    }
    if (watched) {
        watch_remove(&d->watch, &node);
    }
}

/* A task of ours that has been told to end; one that does not is named and left to the runtime's own end. */
static void join(cosched_task *task, const char *name)
{
    int rc = cosched_await(task, NULL, cosched_in_ms(STOP_LIMIT_MS));
    if (rc < 0 && rc != -ESTALE) { /* stale: it was never started */
        log_error("a task does not end", LOG_STR("task", name), LOG_ERR(rc));
    }
}

static void stop(struct daemon *d)
{
    if (d->server) {
        server_close(d->server, cosched_in_ms(500));
        join(&d->server_task, "server");
    }
    if (d->dispatch_task.generation) {
        dispatch_stop(d->dispatch);
        join(&d->dispatch_task, "dispatch");
    }
    cosched_cancel(d->signal_task);
    join(&d->signal_task, "signals");
    cosched_cancel(d->watchdog_task);
    join(&d->watchdog_task, "watchdog");
    server_free(d->server);
    dispatch_destroy(d->dispatch);
    store_close(d->store);
    watch_fini(&d->watch);
    metrics_fini(&d->metrics);
    bell_fini(&d->bell);
}

static int start(struct daemon *d)
{
    struct store_recovery recovery = STORE_RECOVERY_INIT;
    watch_init(&d->watch);
    metrics_init(&d->metrics);
    if (bell_init(&d->bell) < 0) {
        return CONFIG_EXIT_INTERNAL;
    }
    int code = open_store(d, &recovery);
    if (code == 0) {
        d->out_dir = output_dir_open(d->state_dir);
        code = d->out_dir < 0 ? CONFIG_EXIT_PERMISSION : 0;
    }
    if (code == 0) {
        code = recover(d->store, &recovery, d->exec.instance) < 0 ? CONFIG_EXIT_INTERNAL : 0;
    }
    d->metrics.interrupted += recovery.count;
    store_recovery_fini(&recovery);
    if (code == 0) {
        code = start_dispatch(d);
    }
    if (code == 0) {
        code = start_tasks(d);
    }
    if (code == 0) {
        code = start_server(d);
    }
    return code;
}

/* The first task: on MAIN. */
static int64_t daemon_main(void *arg)
{
    struct daemon *d = arg;
    int code = start(d);
    if (code == 0) {
        log_info("ready", LOG_STR("version", COSCHED_VERSION_TEXT), LOG_INT("pid", getpid()));
        (void)notify_ready("serving");
        wait_for_stop(d);
        drain(d);
    }
    stop(d);
    log_info("stopped", LOG_INT("exit", code));
    return code;
}

/* What the scheduler has to say, on any thread. */
static void on_scheduler_log(void *unused, cosched_log_level level, const char *text)
{
    (void)unused;
    const struct log_field none[] = {LOG_NONE};
    log_write(level == COSCHED_LOG_ERROR     ? LOG_LEVEL_ERROR
              : level == COSCHED_LOG_WARNING ? LOG_LEVEL_WARNING
                                             : LOG_LEVEL_INFO,
              text, none);
}

static int64_t or_never(int64_t ns)
{
    return ns > 0 ? ns : COSCHED_NEVER;
}

int main(int argc, char **argv)
{
    static struct daemon d = {.state_dir = -1, .out_dir = -1};
    d.reload.argc = argc;
    d.reload.argv = argv;
    int code = config_load(&d.config, argc, argv, stdout, stderr);
    if (code >= 0) {
        config_fini(&d.config);
        return code;
    }
    log_open((enum log_level)d.config.log_level);
    code = prepare_user(&d.config);
    if (code == 0) {
        code = prepare_process(&d.config, &d.state_dir, &d.exec);
    }
    if (code == 0) {
        static const cosched_hooks hooks = {.struct_size = sizeof hooks, .log = on_scheduler_log};
        const cosched_config runtime = {.struct_size = sizeof runtime,
                                        .workers = (int32_t)d.config.workers,
                                        .main_help = (cosched_help)d.config.main_help,
                                        .flags = COSCHED_REPORT_OVERFLOW | COSCHED_WATCH_SLICES,
                                        .hooks = &hooks,
                                        .slice_main_ns = or_never(d.config.slice_main_ns),
                                        .slice_worker_ns = or_never(d.config.slice_worker_ns)};
        int64_t result = cosched_run(&runtime, daemon_main, &d);
        code = result < 0 ? CONFIG_EXIT_INTERNAL : (int)result;
        if (result < 0) {
            log_error("cannot run", LOG_ERR((int)result));
        }
    }
    exec_env_fini(&d.exec);
    if (d.out_dir >= 0) {
        close(d.out_dir);
    }
    if (d.state_dir >= 0) {
        close(d.state_dir);
    }
    config_fini(&d.config);
    notify_close();
    return code;
}
