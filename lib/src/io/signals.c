/* Signals: one uv_signal a number. Its callback sets a bit and wakes; the waiter takes bits. uv chains nothing and gives
 * the former action back when the last watcher of a number is closed. */
#include <cosched/io.h>

#include <errno.h>
#include <uv.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "io/source.h"
#include "sched/exec.h"
#include "sched/hop.h"
#include "sched/mainloop.h"

#define SIGNALS_MAX 64 /* of one object: a bit each */

struct cosched_signals {
    struct cos_source source;     /* its read side is used */
    COS_ATOMIC(uint64_t) pending; /* bit i: handle[i]'s came; set on MAIN, taken by the waiter */
    size_t opened;                /* MAIN only: handles to be closed */
    uv_signal_t handle[];
};

static struct cosched_signals *signals_of(struct cos_source *s)
{
    return COS_CONTAINER_OF(s, struct cosched_signals, source);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    struct cosched_signals *s = handle->data;
    /* release: pairs with the acquire in take. */
    cos_atomic_or(&s->pending, UINT64_C(1) << (handle - s->handle), release);
    cos_source_wake(&s->source, COS_READ_SIDE);
}

static void on_closed(uv_handle_t *handle)
{
    struct cosched_signals *s = handle->data;
    if (--s->opened == 0) {
        cos_free(s);
    }
}

/* On MAIN, whatever it takes; a pinned task of another thread cannot, and neither can a thread without a task. */
static void dispose(struct cos_source *source)
{
    struct cosched_signals *s = signals_of(source);
    struct cos_exec *e;
    struct cos_fiber *f = cos_fiber_current(&e);
    COS_ASSERT((f != NULL ? !f->pinned || cos_is_here(e, f, COSCHED_MAIN)
                          : e != NULL && e->kind == COS_EXEC_MAIN) &&
               "signals are closed by tasks that can reach MAIN, or on MAIN");
    cosched_affinity home = f != NULL ? (cosched_affinity)f->affinity : COSCHED_MAIN;
    if (home != COSCHED_MAIN) {
        cos_hop(COSCHED_MAIN);
    }
    size_t opened = s->opened; /* the callbacks come later, from the loop */
    for (size_t i = 0; i < opened; i++) {
        uv_close((uv_handle_t *)&s->handle[i], on_closed);
    }
    if (opened == 0) {
        cos_free(s);
    }
    if (home != COSCHED_MAIN) {
        cos_hop(home);
    }
}

static int start(struct cosched_signals *s, const int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uv_signal_t *handle = &s->handle[i];
        int rc = uv_signal_init(cos_mainloop_uv(), handle);
        if (rc < 0) {
            return rc;
        }
        s->opened++;
        handle->data = s;
        uv_unref((uv_handle_t *)handle);
        rc = uv_signal_start(handle, on_signal, numbers[i]);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int cosched_signals_open(cosched_signals **out, const int *numbers, size_t count)
{
    *out = NULL;
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    struct cos_exec *e;
    const struct cos_fiber *f = cos_fiber_self(&e);
    if (f->pinned && !cos_is_here(e, f, COSCHED_MAIN)) {
        return -EPERM;
    }
    if (count == 0 || count > SIGNALS_MAX) {
        return -EINVAL;
    }
    struct cosched_signals *s = cos_alloc(sizeof *s + count * sizeof s->handle[0]);
    if (s == NULL) {
        return -ENOMEM;
    }
    cos_source_init(&s->source, dispose);
    cosched_affinity home = (cosched_affinity)f->affinity;
    if (home != COSCHED_MAIN) { /* the library's own travel: a task that is bound goes too */
        cos_hop(COSCHED_MAIN);
    }
    rc = start(s, numbers, count);
    if (rc < 0) {
        cos_source_close(&s->source);
    } else {
        *out = s;
    }
    if (home != COSCHED_MAIN) {
        cos_hop(home);
    }
    return rc;
}

/* The number of one that is pending, or 0. */
static int take(struct cosched_signals *s)
{
    uint64_t bits = cos_atomic_load(&s->pending, acquire); /* pairs with the release in on_signal */
    if (bits == 0) {
        return 0;
    }
    int i = __builtin_ctzll(bits);
    /* relaxed: only this side takes bits away. */
    cos_atomic_and(&s->pending, ~(UINT64_C(1) << i), relaxed);
    return s->handle[i].signum;
}

int cosched_signals_wait(cosched_signals *s, int64_t deadline)
{
    struct cos_op op;
    int rc = cos_op_begin(&op, &s->source, COS_READ_SIDE);
    if (rc < 0) {
        return rc;
    }
    int number = take(s);
    if (number == 0 && cos_io_expired(deadline)) {
        rc = -ETIMEDOUT;
    }
    while (rc == 0 && number == 0) {
        rc = cos_op_wait(&op, deadline);
        number = take(s);
    }
    cos_op_end(&op);
    return number != 0 ? number : rc;
}

void cosched_signals_close(cosched_signals *s)
{
    if (s != NULL) {
        cos_source_close(&s->source);
    }
}
