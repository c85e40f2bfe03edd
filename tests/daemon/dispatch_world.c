/* See dispatch_world.h. */
#include "dispatch_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

static char folder[512];

void begin(struct world *w)
{
    struct store_recovery recovery = STORE_RECOVERY_INIT;
    const struct store_config store = {
        .dir = folder, .boot_id = "boot", .now_us = dispatch_wall_us()};
    ck_assert_msg(store_open(&w->store, &store, &recovery) == STORE_OK, "%s", store_open_error());
    for (size_t i = 0; i < recovery.count; i++) {
        recovery.jobs[i].repeatable = true;
    }
    struct store_effects effects = STORE_EFFECTS_INIT;
    if (recovery.count) {
        ck_assert_int_eq(store_recover_commit(w->store, &recovery, dispatch_wall_us(), &effects),
                         STORE_OK);
    }
    store_effects_fini(&effects);
    store_recovery_fini(&recovery);
    watch_init(&w->watch);
    metrics_init(&w->metrics);
    const struct dispatch_config config = {w->store,   &w->watch, &w->metrics,
                                           &w->config, &w->exec,  w->out_dir};
    ck_assert_int_eq(dispatch_create(&w->dispatch, &config), 0);
    ck_assert_int_eq(dispatch_load(w->dispatch), 0);
    ck_assert_int_eq(cosched_spawn(&w->task, dispatch_task, w->dispatch, NULL), 0);
}

void end(struct world *w)
{
    dispatch_drain(w->dispatch, true);
    dispatch_interrupt(w->dispatch, true);
    ck_assert_int_eq(dispatch_wait_idle(w->dispatch, cosched_in_ms(100000)), 0);
    dispatch_stop(w->dispatch);
    ck_assert_int_eq(cosched_await(&w->task, NULL, cosched_in_ms(100000)), 0);
    dispatch_destroy(w->dispatch);
    store_close(w->store);
    watch_fini(&w->watch);
    metrics_fini(&w->metrics);
}

static int64_t main_task(void *arg)
{
    struct world *w = arg;
    begin(w);
    w->body(w);
    end(w);
    return 0;
}

void play(void (*body)(struct world *w), int64_t parallel)
{
    static struct world w;
    char command[600], why[256];
    w = (struct world){.body = body};
    snprintf(folder, sizeof folder, TEST_DIR "/cosched-dispatch.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w.out_dir = output_dir_open(dir);
    ck_assert_int_ge(w.out_dir, 0);
    ck_assert_int_eq(config_init(&w.config), 0);
    w.config.queues[0].parallel = parallel;
    ck_assert_int_eq(config_set(&w.config, "queue other", "parallel", "1", why), 0);
    ck_assert_int_eq(cosched_run(NULL, main_task, &w), 0);
    config_fini(&w.config);
    close(w.out_dir);
    close(dir);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* --- jobs ---------------------------------------------------------------------------------------------- */

struct spec *spec_of(const char *text)
{
    struct json_error json_error;
    struct spec_error error;
    struct spec *spec = NULL;
    const struct spec_context context = {.admin = true};
    struct json *json = json_parse(text, strlen(text), &json_error);
    ck_assert_ptr_nonnull(json);
    ck_assert_msg(spec_parse(json, &context, &spec, &error) == SPEC_OK, "%s: %s", error.path,
                  error.reason);
    json_free(json);
    return spec;
}

int64_t submit(struct world *w, const char *text, enum job_state expected)
{
    struct dispatch_job job = {.spec = spec_of(text)};
    struct store_refusal refusal;
    ck_assert_int_eq(dispatch_submit(w->dispatch, &job, 1, 7, true, &refusal), STORE_OK);
    ck_assert_int_eq((int)job.state, (int)expected);
    return job.id;
}

struct store_job *get(struct world *w, int64_t id)
{
    struct store_job *job = NULL;
    ck_assert_int_eq(store_get(w->store, id, STORE_WITH_ATTEMPTS, &job), STORE_OK);
    return job;
}

enum job_state state_of(struct world *w, int64_t id)
{
    struct store_job *job = get(w, id);
    enum job_state state = job->state;
    store_job_free(job);
    return state;
}

static bool heard(struct world *w, int64_t id, enum job_state state)
{
    const struct row *row = dispatch_find(w->dispatch, id);
    return job_final(state) ? !row : row && row->state == (uint8_t)state;
}

void until(struct world *w, int64_t id, enum job_state state)
{
    int64_t deadline = cosched_in_ms(100000);
    while (state_of(w, id) != state || !heard(w, id, state)) {
        ck_assert_msg(cosched_now() < deadline, "job %lld stays %s", (long long)id,
                      job_state_name(state_of(w, id)));
        cosched_sleep_until(cosched_in_ms(2));
    }
}
