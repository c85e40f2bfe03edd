/* usage: bench_ours WORKLOAD [COUNT [WORKERS [EXTRA]]] */
#include "ours.h"

static const struct {
    const char *name;
    cosched_fn body;
} workloads[] = {
    {"call", run_call},
    {"await", run_await},
    {"bunch", run_bunch},
    {"yield", run_yield},
    {"fib", run_fib},
    {"fib_await", run_fib_await},
    {"skynet", run_skynet},
    {"skynet_await", run_skynet_await},
    {"hop", run_hop},
    {"hops", run_hops},
    {"hop_tail", run_hop_tail},
    {"channel", run_channel},
    {"across", run_channel_across},
    {"suspended", run_suspended},
    {"queued", run_queued},
    {"memory_back", run_memory_back},
    {"sleepers", run_sleepers},
    {"idle", run_idle},
    {"look", run_look},
};

int64_t leaf(void *arg)
{
    return (int64_t)(intptr_t)arg + 1;
}

int main(int argc, char **argv)
{
    struct load load = {
        .count = param(argc, argv, 1, 1000),
        .workers = (int)param(argc, argv, 2, 0),
        .extra = param(argc, argv, 3, 0),
    };
    cosched_config config = {.struct_size = sizeof config, .workers = load.workers};
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(argv[1], workloads[i].name) == 0) {
            int64_t result = cosched_run(&config, workloads[i].body, &load);
            if (result < 0) {
                fprintf(stderr, "bench_ours: %s\n", cosched_strerror(result));
            }
            return result < 0;
        }
    }
    return unknown("bench_ours");
}
