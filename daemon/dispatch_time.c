/* dispatch_time.c - delays, deadlines of waiting jobs, and what is done now and then.
 *
 * One timerfd on the wall clock serves both heaps: it is armed for the earliest, it also fires when somebody sets the
 * clock, and it needs no wake-ups in between. Times that count from a moment (delay, backoff, relative deadline) are kept
 * as wall times too, and are shifted when the clock is set, so they last what they should; `at` and absolute deadlines
 * stay where they are.
 */
#include <cosched/io.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "dispatch_internal.h"
#include "log.h"
#include "output.h"
#include "process.h"

#define CLOCK_STEP_US INT64_C(20000) /* smaller ones are slewing and jitter of this measurement */

static int64_t boot_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int dispatch_time_open(struct dispatch *d)
{
    d->clock_offset_us = dispatch_wall_us() - boot_us();
    d->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    return d->timer_fd < 0 ? -errno : 0;
}

void dispatch_time_close(struct dispatch *d)
{
    if (d->timer_fd >= 0) {
        close(d->timer_fd);
    }
    d->timer_fd = -1;
}

void dispatch_time_arm(struct dispatch *d)
{
    const struct row *due = row_heap_first(&d->delayed);
    const struct row *over = row_heap_first(&d->deadlines);
    int64_t at_us = due ? due->run_at_us : INT64_MAX;
    if (over && over->deadline_us < at_us) {
        at_us = over->deadline_us;
    }
    struct itimerspec when = {0};
    if (at_us != INT64_MAX) {
        at_us = at_us < 1 ? 1 : at_us; /* zero would disarm */
        when.it_value.tv_sec = (time_t)(at_us / 1000000);
        when.it_value.tv_nsec = (long)(at_us % 1000000) * 1000;
    }
    if (timerfd_settime(d->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) < 0) {
        log_error("cannot arm the timer", LOG_ERR(-errno));
    }
}

/* --- the clock was set ---------------------------------------------------------------------------------- */

struct shift {
    int64_t by_us;
};

static void shift_row(void *ctx, struct row *row)
{
    const struct shift *shift = ctx;
    if (row->run_at_us && !(row->flags & ROW_RUN_AT_WALL)) {
        row->run_at_us += shift->by_us;
    }
    if (row->deadline_us && !(row->flags & ROW_DEADLINE_WALL)) {
        row->deadline_us += shift->by_us;
    }
}

static void look_at_clock(struct dispatch *d)
{
    int64_t offset_us = dispatch_wall_us() - boot_us();
    struct shift shift = {offset_us - d->clock_offset_us};
    if (llabs(shift.by_us) < CLOCK_STEP_US) {
        return;
    }
    d->clock_offset_us = offset_us;
    log_info("the clock was set", LOG_INT("by_ms", shift.by_us / 1000));
    rows_each(&d->rows, shift_row, &shift);
    row_heap_rebuild(&d->delayed);
    row_heap_rebuild(&d->deadlines);
}

/* --- moves ---------------------------------------------------------------------------------------------- */

static void move_later(struct dispatch *d, int64_t id, enum job_event event)
{
    if (d->move_first + d->move_count == d->move_room) {
        if (d->move_first > 0) {
            memmove(d->moves, d->moves + d->move_first, d->move_count * sizeof *d->moves);
            d->move_first = 0;
        }
        if (d->move_count == d->move_room) {
            size_t room = d->move_room ? d->move_room * 2 : 64;
            struct move *grown = realloc(d->moves, room * sizeof *grown);
            if (!grown) {
                log_error("out of memory: a job's time is not kept", LOG_INT("id", id));
                return;
            }
            d->moves = grown;
            d->move_room = room;
        }
    }
    d->moves[d->move_first + d->move_count++] = (struct move){id, event};
    bell_ring(&d->kick);
}

static void commit_move(struct dispatch *d, const struct move *move)
{
    enum job_state state = JOB_NEW;
    int64_t seq = 0, pause_ns = 100000000;
    struct store_effects effects = STORE_EFFECTS_INIT;
    for (;;) {
        const struct row *row = dispatch_find(d, move->id);
        bool moot = !row || (row->flags & ROW_STARTING) || row->state == JOB_RUNNING ||
                    (move->event == JOB_EVENT_DUE && row->state != JOB_DELAYED);
        if (moot) {
            return; /* started or ended meanwhile */
        }
        unsigned epoch = dispatch_enter(d);
        int rc = store_move(d->config.store, move->id, move->event, dispatch_wall_us(), &state,
                            &seq, &effects);
        row = dispatch_find(d, move->id);
        if (rc == STORE_OK && row) {
            const struct job_row news = {.id = row->id,
                                         .queue = d->queues[row->queue].name,
                                         .state = (uint8_t)state,
                                         .uid = row->uid,
                                         .priority = row->priority,
                                         .attempt = row->attempt,
                                         .run_at_us = row->run_at_us,
                                         .deadline_us = row->deadline_us};
            dispatch_apply(d, &news, seq, row->flags & (ROW_RUN_AT_WALL | ROW_DEADLINE_WALL));
        }
        if (rc == STORE_OK) {
            dispatch_apply_effects(d, &effects);
        }
        store_effects_fini(&effects);
        dispatch_leave(d, epoch);
        if (rc != STORE_UNAVAILABLE && rc != -ENOMEM) {
            return;
        }
        if (cosched_sleep_until(cosched_in_ns(pause_ns)) < 0) {
            return;
        }
        pause_ns = pause_ns < 5000000000 ? pause_ns * 2 : pause_ns;
    }
}

/* One of a few that commit side by side, so that the store has something to group. */
int64_t dispatch_mover_task(void *arg)
{
    struct dispatch *d = arg;
    while (d->move_count > 0 && !cosched_cancelled()) {
        struct move move = d->moves[d->move_first];
        d->move_count--;
        d->move_first = d->move_count ? d->move_first + 1 : 0;
        commit_move(d, &move);
    }
    d->movers--;
    return 0;
}

/* --- what is due ---------------------------------------------------------------------------------------- */

static void release_due(struct dispatch *d, int64_t now_us)
{
    for (struct row *row; (row = row_heap_first(&d->delayed)) && row->run_at_us <= now_us;) {
        row_heap_remove(&d->delayed, row);
        row->order = dispatch_next_order(d);
        /* It may start at once, which takes it through queued in the same commit; what does not start is moved. */
        dispatch_line_push(d, row);
        move_later(d, row->id, JOB_EVENT_DUE);
    }
}

static void end_overdue(struct dispatch *d, int64_t now_us)
{
    for (struct row *row; (row = row_heap_first(&d->deadlines)) && row->deadline_us <= now_us;) {
        row_heap_remove(&d->deadlines, row);
        move_later(d, row->id, JOB_EVENT_DEADLINE);
    }
}

int64_t dispatch_time_task(void *arg)
{
    struct dispatch *d = arg;
    for (;;) {
        look_at_clock(d);
        int64_t now_us = dispatch_wall_us();
        release_due(d, now_us);
        end_overdue(d, now_us);
        dispatch_time_arm(d);
        int rc = cosched_poll(d->timer_fd, COSCHED_READABLE, COSCHED_NEVER);
        if (rc < 0) {
            return rc;
        }
        uint64_t expirations;
        ssize_t n = read(d->timer_fd, &expirations, sizeof expirations);
        (void)n; /* nothing there, or ECANCELED when the clock was set: look in either case */
    }
}

/* --- now and then --------------------------------------------------------------------------------------- */

/* Takes in orphans while jobs run and a little longer, once a second; sleeps for good otherwise. */
int64_t dispatch_tend_task(void *arg)
{
    struct dispatch *d = arg;
    for (;;) {
        bool busy = d->running_count > 0 || cosched_now() < d->tend_until_ns;
        if (d->running_count > 0) {
            d->tend_until_ns = cosched_in_ms(3000);
        }
        int rc =
            busy ? cosched_sleep_until(cosched_in_ms(1000)) : bell_wait(&d->tend, COSCHED_NEVER);
        if (rc < 0) {
            return rc;
        }
        (void)process_reap_orphans();
    }
}

struct expiry {
    int dir;
    const int64_t *ids;
    size_t count;
};

static int64_t remove_expired(void *arg)
{
    const struct expiry *expiry = arg;
    for (size_t i = 0; i < expiry->count; i++) {
        (void)output_remove(expiry->dir, expiry->ids[i]);
    }
    return 0;
}

#define EXPIRE_BATCH 256

static int expire_all(struct dispatch *d, int64_t *ids)
{
    const struct config *config = d->config.config;
    size_t count = EXPIRE_BATCH;
    while (count == EXPIRE_BATCH) {
        const struct store_retention retention = {.now_us = dispatch_wall_us(),
                                                  .keep_ns = config->keep_ns,
                                                  .keep_count = (uint64_t)config->keep_count,
                                                  .keep_bytes = (uint64_t)config->keep_bytes};
        int rc = store_expire(d->config.store, &retention, ids, EXPIRE_BATCH, &count);
        if (rc != STORE_OK) {
            return rc;
        }
        struct expiry expiry = {d->config.out_dir, ids, count};
        rc = count ? cosched_blocking(NULL, remove_expired, &expiry) : 0;
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* Retention: after jobs ended, at most every ten seconds; every ten minutes in any case, for those whose time is up. */
int64_t dispatch_expire_task(void *arg)
{
    struct dispatch *d = arg;
    int64_t *ids = malloc(EXPIRE_BATCH * sizeof *ids);
    int rc = ids ? 0 : -ENOMEM;
    while (rc == 0 || rc == -ETIMEDOUT) {
        (void)expire_all(d, ids);
        rc = cosched_sleep_until(cosched_in_ms(10000));
        if (rc == 0) {
            rc = bell_wait(&d->expire, cosched_in_ms(600000));
        }
    }
    free(ids);
    return rc;
}
