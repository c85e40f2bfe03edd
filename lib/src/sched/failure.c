/* See failure.h. */
#include "sched/failure.h"

#include <errno.h>

#include "base/hooks.h"
#include "base/text.h"
#include "sched/current.h"

struct hook {
    void (*call)(void *arg);
    void *arg;
};

static int64_t run_hook(void *arg)
{
    const struct hook *hook = arg;
    hook->call(hook->arg);
    return 0;
}

void cos_hook_call(void (*call)(void *arg), void *arg)
{
    COS_INVARIANT(cos_lock_held() == 0);
    struct cos_exec *e = cos_exec_current();
    struct cos_fiber *running = e != NULL ? e->running : NULL;
    if (running == NULL) {
        call(arg);
        return;
    }
    struct hook hook = {call, arg};
    e->running = NULL;
    cos_fiber_with_room(running, run_hook, &hook);
    e->running = running; /* it could not suspend: the same thread */
}

static void log_failure(const cosched_failure *failure)
{
    char line[256];
    struct cos_text text;
    cos_text_init(&text, line, sizeof line);
    cos_text_add(&text, "task ");
    cos_text_add(&text, failure->name != NULL ? failure->name : "(unnamed)");
    cos_text_add(&text, " #");
    cos_text_number(&text, failure->task.index);
    cos_text_add(&text, " of ");
    cos_text_symbol(&text, (const void *)(uintptr_t)failure->fn);
    cos_text_add(&text, " failed: ");
    cos_text_add(&text, cosched_strerror(failure->result));
    cos_log(COSCHED_LOG_WARNING, line);
}

static void tell(void *arg)
{
    const cosched_failure *failure = arg;
    const cosched_hooks *hooks = cos_hooks();
    if (hooks->task_failed != NULL) {
        hooks->task_failed(hooks->data, failure);
    } else if (failure->text == NULL) { /* a panic was logged by itself */
        log_failure(failure);
    }
}

void cos_failure_report(struct cos_exec *e, const cosched_failure *failure)
{
    COS_COUNT(e, failed);
    cos_hook_call(tell, (void *)(uintptr_t)failure);
}

void cos_failure_of_root(struct cos_exec *e, const struct cos_task *t, int64_t result)
{
    uint32_t flags = cos_atomic_load(&t->scope.flags, relaxed); /* nobody's after our end */
    bool asked_to = result == -ECANCELED && (flags & COS_SCOPE_CANCELED) != 0;
    if (asked_to || (flags & COS_SCOPE_PANICKED) != 0) {
        return;
    }
    cosched_failure failure = {
        .struct_size = sizeof failure,
        .task = cos_task_handle(t),
        .name = t->name,
        .fn = t->fn,
        .affinity = (cosched_affinity)t->affinity,
        .result = result,
    };
    cos_failure_report(e, &failure);
}
