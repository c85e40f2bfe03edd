/* The trace of a run: who did what at which virtual time. Numbers and names only, never an address: the same seed gives the
 * same trace in every process. Always hashed; COSCHED_SIM_TRACE=FILE also writes it down. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static int file = -1;
static char buffer[64 * 1024];
static size_t used;

static void mix(uint64_t value)
{
    sim.hash = (sim.hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
    sim.hash ^= sim.hash >> 29;
}

static void flush(void)
{
    if (file >= 0 && used > 0) {
        ssize_t ignored = (write)(file, buffer, used);
        (void)ignored;
    }
    used = 0;
}

void sim_trace_begin(void)
{
    sim.hash = UINT64_C(0xCBF29CE484222325);
    const char *path = getenv("COSCHED_SIM_TRACE");
    if (path != NULL) {
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        used = 0;
    }
}

void sim_trace_end(void)
{
    flush();
}

void sim_trace(const char *what, int64_t value, const char *where)
{
    mix((uint64_t)what[0] << 56 ^ (uint64_t)sim.self->id << 48 ^ (uint64_t)sim.now);
    mix((uint64_t)value);
    if (__builtin_expect(file < 0, 1)) {
        return;
    }
    if (sizeof buffer - used < 256) {
        flush();
    }
    int n = snprintf(buffer + used, 256, "%" PRId64 " %u %s %" PRId64 " %s\n",
                     sim.now - SIM_EPOCH_NS, sim.self->id, what, value, where != NULL ? where : "-");
    used += n < 256 ? (size_t)n : 255;
}

uint64_t sim_hash(void)
{
    return sim.hash;
}

void sim_note(const char *text, int64_t value)
{
    for (const char *p = text; *p != '\0'; p++) {
        mix((uint8_t)*p);
    }
    sim_trace(text, value, NULL);
}
