/* See survivors.h. */
#include "sched/survivors.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hooks.h"
#include "base/text.h"
#include "sched/look.h"

#define SURVIVORS_MAX 256 /* told one by one */
#define TEXT_BYTES    320

static COS_ATOMIC(int64_t) grace_ns = COSCHED_STOP_GRACE_NS; /* relaxed: a number by itself */

int64_t cos_survivors_grace(void)
{
    return cos_atomic_load(&grace_ns, relaxed);
}

void cos_survivors_set_grace(int64_t ns)
{
    cos_atomic_store(&grace_ns, ns, relaxed);
}

static void tell(const struct cos_look *look, bool canceled)
{
    const cosched_hooks *hooks = cos_hooks();
    char place[128], line[TEXT_BYTES];
    struct cos_text text;
    cos_text_init(&text, place, sizeof place);
    cos_text_symbol(&text, (const void *)(uintptr_t)look->fn);
    cos_text_init(&text, line, sizeof line);
    cos_text_add(&text,
                 canceled ? "still alive after its cancellation: " : "alive at the deadline: ");
    cos_look_describe(&text, look, cos_clock_now());
    if (hooks->survivor == NULL) {
        cos_log(canceled ? COSCHED_LOG_ERROR : COSCHED_LOG_WARNING, line);
        return;
    }
    cosched_survivor survivor = {
        .struct_size = sizeof survivor,
        .task = look->task,
        .name = look->name,
        .fn = look->fn,
        .place = place,
        .affinity = (cosched_affinity)look->affinity,
        .state = look->state,
        .reason = look->reason,
        .object = look->object,
        .since_ns = look->since_ns,
        .canceled = canceled,
        .text = line,
    };
    hooks->survivor(hooks->data, &survivor);
}

void cos_survivors_report(bool canceled)
{
    struct cos_look *all = cos_alloc(SURVIVORS_MAX * sizeof *all);
    size_t n = cos_look_around(all, all != NULL ? SURVIVORS_MAX : 0);
    size_t told = all == NULL ? 0 : n < SURVIVORS_MAX ? n : SURVIVORS_MAX;
    for (size_t i = 0; i < told; i++) {
        tell(&all[i], canceled);
    }
    cos_free(all);
    if (n > told) {
        char line[64];
        struct cos_text text;
        cos_text_init(&text, line, sizeof line);
        cos_text_add(&text, "and ");
        cos_text_number(&text, n - told);
        cos_text_add(&text, " tasks more");
        cos_log(canceled ? COSCHED_LOG_ERROR : COSCHED_LOG_WARNING, line);
    }
}
