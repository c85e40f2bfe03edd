/* top: a full-screen view of the daemon, or blocks of plain lines where there is no screen. One thread; one wait for the
 * socket, the keyboard and the next look. Nothing here waits for an answer: a daemon that is busy or gone leaves the keys
 * alive. */
#include "top.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "terminal.h"
#include "top_keys.h"
#include "top_screen.h"
#include "wire/units.h"

#define PLAIN_COLUMNS 120
#define PLAIN_JOBS    20
#define INTERVAL_MIN  INT64_C(100000000) /* by keys; options may ask for less */
#define INTERVAL_MAX  INT64_C(60000000000)
#define SECOND_NS     INT64_C(1000000000)

static volatile sig_atomic_t got_signal; /* INT, TERM, HUP; WINCH only ends a wait */

static void note_signal(int number)
{
    if (number != SIGWINCH) {
        got_signal = number;
    }
}

int64_t top_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

static struct top_view view_of(const struct top *top)
{
    return (struct top_view){.model = &top->model,
                             .jobs = &top->jobs,
                             .ui = &top->ui,
                             .trouble = top->trouble[0] ? top->trouble : NULL,
                             .interval_s = (double)top->interval_ns / 1e9,
                             .now_us = top->now_us,
                             .plain = top->plain};
}

int top_page(const struct top *top)
{
    struct top_view view = view_of(top);
    return top_view_page(&view, top->grid.height);
}

/* --- showing ---------------------------------------------------------------------------------------------- */

static void show_screen(struct top *top)
{
    int width, height;
    struct top_view view = view_of(top);
    top_screen_size(&width, &height);
    if (grid_reset(&top->grid, width, height, top->utf8)) {
        top_view_draw(&view, &top->grid);
        top_screen_show(&top->grid);
    }
}

static void show_lines(struct top *top)
{
    struct buf out = BUF_INIT;
    struct top_view view = view_of(top);
    if (!grid_reset(&top->grid, PLAIN_COLUMNS, top_view_plain_rows(&view, PLAIN_JOBS), top->utf8)) {
        top->status = ctl_out_of_memory(top->ctl);
        top->quit = true;
        return;
    }
    top_view_draw(&view, &top->grid);
    if (top->shown > 0) {
        buf_putc(&out, '\n');
    }
    for (int y = 0; y < top->grid.height; y++) {
        grid_text(&top->grid, y, &out);
    }
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

/* A round is complete. */
static void show_round(struct top *top)
{
    top->round_done = false;
    if (top->plain && !top->ctl->json) {
        show_lines(top);
    }
    top->quit |= top->plain && (fflush(stdout) != 0 || ferror(stdout) != 0);
    top->shown++;
    top->quit |= top->count > 0 && top->shown == top->count;
}

/* --- the connection --------------------------------------------------------------------------------------- */

static void set_trouble(struct top *top, const char *what, int error)
{
    char text[300];
    (void)snprintf(text, sizeof text, "%s %s: %s; trying again", what, top->ctl->client.path,
                   error == -ECONNRESET ? "it closed the connection" : strerror(-error));
    top_text(top->trouble, sizeof top->trouble, text);
}

static void lost(struct top *top, int error)
{
    struct client *client = &top->ctl->client;
    char path[CLIENT_PATH_MAX + 1];
    const sigset_t *mask = client->wait_mask;
    if (top->plain && top->count > 0) { /* so many were wanted: less is a failure */
        top->status = ctl_lost(top->ctl, error);
        top->quit = true;
        return;
    }
    set_trouble(top, "lost the daemon at", error);
    if (top->plain && !top->said_lost) {
        (void)fprintf(stderr, "coschedctl: %s\n", top->trouble);
    }
    top->said_lost = true;
    memcpy(path, client->path, sizeof path);
    client_close(client);
    memcpy(client->path, path, sizeof path); /* where to look for it again */
    client->wait_mask = mask;
    top_ask_forget(top);
}

static void reconnect(struct top *top)
{
    char path[CLIENT_PATH_MAX + 1];
    memcpy(path, top->ctl->client.path, sizeof path);
    int error = client_open(&top->ctl->client, path);
    if (error < 0) {
        set_trouble(top, "cannot connect to", error);
    }
}

/* The time of a look has come. */
static void look(struct top *top)
{
    int64_t now = top_clock_ns();
    top->next_ns = now + top->interval_ns;
    if (top->ctl->client.fd < 0) {
        reconnect(top);
    }
    if (top->ctl->client.fd < 0) {
        return;
    }
    int64_t patience = 3 * top->interval_ns > 3 * SECOND_NS ? 3 * top->interval_ns : 3 * SECOND_NS;
    if (top->asked[TOP_ASK_STATS] != 0 && now - top->sent_ns > patience) {
        (void)snprintf(top->trouble, sizeof top->trouble, "no answer for %lld s",
                       (long long)((now - top->sent_ns) / SECOND_NS));
    }
    top_ask_round(top);
}

/* --- the loop --------------------------------------------------------------------------------------------- */

static void obey(struct top *top, enum top_wish wish)
{
    bool connected = top->ctl->client.fd >= 0;
    switch (wish) {
    case TOP_NOTHING: break;
    case TOP_QUIT: top->quit = true; break;
    case TOP_REFRESH: top->next_ns = top_clock_ns(); break;
    case TOP_FASTER:
        top->interval_ns /= top->interval_ns >= 2 * INTERVAL_MIN ? 2 : 1;
        top->next_ns = top_clock_ns();
        break;
    case TOP_SLOWER: top->interval_ns *= top->interval_ns <= INTERVAL_MAX / 2 ? 2 : 1; break;
    case TOP_CANCEL:
        if (connected) {
            top_ask_cancel(top, top->ui.confirm);
        }
        break;
    case TOP_OPEN:
        buf_reset(&top->ui.lines);
        if (connected) {
            top_ask_detail(top);
        }
        break;
    }
}

static void read_keys(struct top *top)
{
    for (int key; !top->quit && (key = top_screen_key()) >= 0;) {
        if (key == TOP_KEY_REDRAW) {
            top_screen_redraw();
        } else if (key != TOP_KEY_RESIZE) {
            obey(top, top_keys(&top->ui, &top->jobs, key, top_page(top)));
        }
    }
}

static void wait_and_take(struct top *top)
{
    struct response message;
    struct pollfd keyboard = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t until = top->ui.paused ? top_clock_ns() + 3600 * SECOND_NS : top->next_ns;
    int result =
        client_next_until(&top->ctl->client, top->screen ? &keyboard : NULL, until, &message);
    if (result > 0) {
        top_take_answer(top, &message);
        message_response_fini(&message);
    } else if (result < 0 && result != -EINTR) {
        lost(top, result);
    }
    if (top->screen) {
        read_keys(top);
        /* A terminal that is gone has nothing more to say, at once and for ever. */
        top->quit |= (keyboard.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
    }
    top->quit |= got_signal != 0;
}

static void run(struct top *top)
{
    while (!top->quit) {
        if (!top->ui.paused && top_clock_ns() >= top->next_ns) {
            look(top);
        }
        if (top->screen) {
            show_screen(top);
        }
        wait_and_take(top);
        if (top->round_done) {
            show_round(top);
        }
    }
}

/* Signals come while it waits and at no other time; what was set before is set again at the end. */
struct signals {
    sigset_t before, waiting;
    struct sigaction old[4];
};

static const int watched[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};

static void signals_begin(struct signals *s, struct client *client)
{
    sigset_t blocked;
    struct sigaction note = {.sa_handler = note_signal};
    (void)sigemptyset(&blocked);
    (void)sigemptyset(&note.sa_mask);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigaction(watched[i], &note, &s->old[i]);
        (void)sigaddset(&blocked, watched[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &s->before);
    s->waiting = s->before;
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigdelset(&s->waiting, watched[i]);
    }
    client->wait_mask = &s->waiting;
}

static void signals_end(struct signals *s, struct client *client)
{
    client->wait_mask = NULL;
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigaction(watched[i], &s->old[i], NULL);
    }
    (void)sigprocmask(SIG_SETMASK, &s->before, NULL);
}

/* --- the command ------------------------------------------------------------------------------------------ */

enum { OPT_INTERVAL = 256, OPT_COUNT, OPT_ONCE, OPT_PLAIN };

static int parse(struct top *top, int argc, char **argv)
{
    static const struct option long_options[] = {{"interval", required_argument, NULL, OPT_INTERVAL},
                                                 {"count", required_argument, NULL, OPT_COUNT},
                                                 {"once", no_argument, NULL, OPT_ONCE},
                                                 {"plain", no_argument, NULL, OPT_PLAIN},
                                                 OPTIONS_COMMON,
                                                 {NULL, 0, NULL, 0}};
    struct ctl *ctl = top->ctl;
    int option, status = 0;
    options_start(argv);
    while (status == 0 && (option = getopt_long(argc, argv, OPTIONS_ANY, long_options, NULL)) != -1) {
        switch (option) {
        case OPT_INTERVAL:
            if (units_parse_duration(optarg, &top->interval_ns) < 0 || top->interval_ns == 0) {
                status = options_usage(ctl, "--interval needs a duration such as 500ms");
            }
            break;
        case OPT_COUNT:
            if (!options_integer(optarg, 1, 1000000000, &top->count)) {
                status = options_usage(ctl, "--count needs a number from 1 on");
            }
            break;
        case OPT_ONCE:
            top->plain = true;
            top->count = 1;
            break;
        case OPT_PLAIN: top->plain = true; break;
        default: status = options_common(ctl, option); break;
        }
    }
    if (status == 0 && optind < argc) {
        status = options_usage(ctl, "unexpected \"%s\"", argv[optind]);
    }
    return status;
}

static int run_connected(struct top *top)
{
    struct ctl *ctl = top->ctl;
    struct signals signals;
    top->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    top->plain |= ctl->json || isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1;
    signals_begin(&signals, &ctl->client);
    top->screen = !top->plain && top_screen_open(terminal_colored(stdout, ctl->no_color));
    top->plain = !top->screen;
    run(top);
    top_screen_close();
    signals_end(&signals, &ctl->client);
    int number = (int)got_signal;
    if (number == SIGTERM || number == SIGHUP) {
        (void)raise(number); /* the terminal is as it was: now it may have its way */
    }
    return top->status;
}

int command_top(struct ctl *ctl, int argc, char **argv)
{
    static struct top top; /* too large for a stack that a shell limits */
    top.ctl = ctl;
    top.interval_ns = SECOND_NS;
    top_model_init(&top.model);
    top_jobs_init(&top.jobs);
    int status = parse(&top, argc, argv);
    if (status == 0) {
        status = ctl_connect(ctl);
    }
    if (status == 0) {
        status = run_connected(&top);
    }
    top_jobs_fini(&top.jobs);
    grid_fini(&top.grid);
    buf_free(&top.ui.lines);
    buf_free(&top.fresh);
    return status;
}
