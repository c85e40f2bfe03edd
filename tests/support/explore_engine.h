/* What the two halves of the explorer share: explore.c chooses and switches, explore_memory.c is the memory model.
 * Not for programs: theirs is explore.h. */
#ifndef COS_TESTS_EXPLORE_ENGINE_H
#define COS_TESTS_EXPLORE_ENGINE_H
#include <setjmp.h>

#include "explore.h"
#include "explore_atomic.h"

enum {
    VIEW = 64, /* entries of a view: the first EX_THREADS_MAX are the threads' own clocks */
    MESSAGES_MAX = 200, /* stores to one location */
    POOL_MAX = 8192,    /* stores of one execution */
    CHOICES_MAX = 4096, /* choices of one execution */
    STEPS_MAX = 3000,   /* beyond, the program does not end */
    EVENTS_MAX = 4096,  /* printed of a failing execution */
    RANGES_MAX = 16,
    HASH = 256,
    STACK_BYTES = 64 * 1024,
    ARENA_BYTES = 256 * 1024,
};

struct view {
    _Alignas(64) uint8_t at[VIEW];
};

struct message {
    struct view view; /* what an acquire of this store brings */
    uint64_t value;
    unsigned writer;
};

struct location {
    uintptr_t address;
    const char *name;
    unsigned count; /* messages; the last is the newest */
    struct message *message[MESSAGES_MAX];
    int holder; /* as a lock: thread number or -1 */
    struct view lock_view;
    unsigned write_thread, write_clock; /* as plain data: last write, and last read of each thread */
    uint8_t read_clock[EX_THREADS_MAX];
};

enum thread_state { READY, ASLEEP, LOCKED, DONE };

struct thread {
    enum thread_state state;
    bool timed; /* asleep with a deadline: may wake by itself */
    bool timed_out;
    bool fresh; /* after cos_relax: next loads read the newest */
    uintptr_t wait_address;
    struct view now, acquired, released;

    struct {
        bool set;
        void *p;
        size_t size;
        uint64_t value;
        enum ex_order order;
    } held; /* the store that waits for the next step */

    jmp_buf at;
    bool primed; /* its coroutine stands at the top of its loop */
    char *stack;
};

struct event {
    unsigned thread;
    const char *what;
    uintptr_t address;
    uint64_t value;
    unsigned message, newest;
};

enum range_kind { IGNORED = -1, DEAD = -2 };

struct range {
    uintptr_t from, to;
    int writer; /* a thread, or one of enum range_kind */
};

struct ex_engine {
    const struct ex_program *program;
    unsigned preemptions_max;
    bool running; /* inside an execution: otherwise atomics are plain memory */
    unsigned self, preemptions, stale, steps;
    struct thread thread[EX_THREADS_MAX];
    struct location location[VIEW - EX_THREADS_MAX];
    unsigned locations;

    struct {
        uint32_t stamp;
        uint16_t location;
        uintptr_t address;
    } hash[HASH];

    uint32_t stamp; /* number of the execution, as far as the hash is concerned */
    struct message pool[POOL_MAX];
    unsigned pooled;
    struct view fences;  /* joined by every full fence */
    struct view seq_cst; /* per location: the latest store that a seq_cst access made or met */
    struct range range[RANGES_MAX];
    unsigned ranges;

    struct {
        uintptr_t address;
        const char *name;
    } name[VIEW];

    unsigned names;

    struct {
        uint16_t taken, of;
    } choice[CHOICES_MAX];

    unsigned choices, choice_at;

    struct event event[EVENTS_MAX];
    unsigned events;
    uint64_t executions, outcomes;
    unsigned deepest;
    jmp_buf engine;
    const char *failure;
    _Alignas(64) char arena[ARENA_BYTES];
    size_t arena_used;
};

extern struct ex_engine ex;

/* Which of `of` answers comes next at this point; 0 is tried first. */
unsigned ex_choose(unsigned of);
/* A point where another thread may run first. */
void ex_step(void);
/* The running thread sleeps: any other may go on, at no cost. Ends the execution when none can. */
void ex_give_up(void);
/* The running thread waits for others: it is their turn, and that is no preemption. */
void ex_yield(void);
void ex_record(const char *what, const struct location *l, uint64_t value, unsigned message);

struct location *ex_location_find(const void *p);
/* Performs the store that the running thread holds back, if any. */
void ex_release_held(void);
#endif
