/* What the tests of dispatch share: a store in a folder of its own, dispatch above it, and jobs of kind sleep. */
#ifndef TESTS_DISPATCH_WORLD_H
#define TESTS_DISPATCH_WORLD_H
#include "dispatch_internal.h"

struct world {
    struct config config;
    struct store *store;
    struct watch watch;
    struct metrics metrics;
    struct dispatch *dispatch;
    struct exec_settings exec;
    int out_dir;
    cosched_task task;
    void (*body)(struct world *w);
};

/* Runs body(world) as a task on MAIN, with two queues: "default" with so many slots, "other" with one. */
void play(void (*body)(struct world *w), int64_t parallel);
/* For restarts within a body. */
void begin(struct world *w);
void end(struct world *w);

struct spec *spec_of(const char *text);
/* Of user 7. Fails unless the job is accepted in this state. */
int64_t submit(struct world *w, const char *text, enum job_state expected);
struct store_job *get(struct world *w, int64_t id);
enum job_state state_of(struct world *w, int64_t id);
void until(struct world *w, int64_t id, enum job_state state);

#define LONG  "{\"kind\":\"sleep\",\"args\":{\"for\":\"1h\"}}"
#define SHORT "{\"kind\":\"sleep\",\"args\":{\"for\":\"1ms\"}}"

#endif
