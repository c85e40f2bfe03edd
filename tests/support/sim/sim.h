/* What a scenario may ask of the simulator (tests/sim/README.md). A source that also runs outside includes it under
 * #if RUN_SIM. */
#ifndef SIM_H
#define SIM_H
#include <stdbool.h>
#include <stdint.h>

/* This virtual thread computes for so long: its executor is busy, the others go on. */
void sim_busy(int64_t ns);

/* For loops that wait in place: a few microseconds. Outside a run: nothing. */
void sim_pause(void);

/* Random numbers of this run, from its seed; below(n): 0 … n - 1. */
uint64_t sim_random(void);
uint64_t sim_below(uint64_t n);

/* From now on a runnable thread may be held up while the deadlines of others pass, if they lie within `horizon_ns` (a machine
 * under load). 0, the default: time passes by work done, and otherwise only while nobody is runnable. */
void sim_stalls(int64_t horizon_ns);

/* The run fails when nothing is runnable before so much time has passed since its beginning: a wake-up that was lost may be
 * made up for by a timer much later, and then nothing but the time shows it. */
void sim_within(int64_t ns);

/* A mark in the trace. */
void sim_note(const char *text, int64_t value);

/* Ends the run as failed, with a picture of who waits for what. */
_Noreturn __attribute__((format(printf, 1, 2))) void sim_fail(const char *format, ...);

/* What one run was, for tests of the simulator itself. */
uint64_t sim_hash(void); /* of the trace up to here */
uint64_t sim_steps(void);
#endif
