/* dispatch_internal.h - shared by the files of dispatch and nobody else: dispatch.c (memory follows the store), dispatch_task.c (the jobs group),
 * dispatch_submit.c (the verbs), dispatch_queue.c (queues), dispatch_run.c (one attempt), dispatch_time.c (delays and deadlines).
 */
#ifndef DAEMON_DISPATCH_INTERNAL_H
#define DAEMON_DISPATCH_INTERNAL_H
#include "dispatch.h"
#include "pace.h"

#define DISPATCH_MOVERS_MAX 64

/* What was changed of a queue at run time, as the store keeps it. */
struct queue_change {
    bool there;   /* kept at all: the queue was changed, or made */
    bool deleted; /* though it is configured */
    struct dispatch_queue_change made;
};

struct queue {
    char *name; /* owned */
    int64_t parallel, weight;
    double rate_per_s;
    bool paused;
    bool known; /* configured or made; else it is only here because jobs name it, and held */
    struct queue_change change;
    struct queue *heir; /* of one that was deleted: where its jobs are now; or NULL */
    struct pace_rate rate;
    struct pace_share share;
    uint32_t running;   /* slots taken: running, starting, or claimed by an insertion */
    uint32_t inserting; /* insertions on their way that did not claim: nobody may overtake them */
    uint32_t entering;  /* all insertions on their way */
    uint32_t jobs;      /* rows that have not ended */
    struct row_heap line;
};

/* An attempt: from the taking of its slot to the commit of its end. */
struct running {
    struct running *next, **link; /* in dispatch.all */
    struct running *next_claimed;
    struct dispatch *d;
    int64_t id;
    uint32_t attempt, uid;
    uint16_t queue;
    bool has_slot;     /* counted in its queue's running */
    bool on_disk;      /* JOB_RUNNING with this attempt is committed */
    struct spec *spec; /* owned; NULL until on_disk */
    int64_t deadline_us, ready_us, started_us, started_ns;
    cosched_task task;   /* dispatch_run_task; {0, 0}: it has not begun */
    cosched_task body;   /* the kind's task; {0, 0}: none now */
    cosched_event ended; /* set by the kind's task as its last act */
    pid_t pid;           /* 0: none now */
    uint64_t start_time; /* of it */
    cosched_task record; /* the task that records it when the disk refused at first */
    bool idle_kill;      /* interrupted at once: a process that appears now dies at once */
    struct job_outcome outcome;
    struct job_run run;
};

struct move {
    int64_t id;
    enum job_event event;
};

struct user {
    uint32_t uid;
    uint64_t jobs;     /* not ended */
    uint64_t entering; /* submitted, on their way to the disk */
};

struct tombs {
    int64_t *ids; /* owned */
    size_t count, room;
};

struct dispatch {
    struct dispatch_config config;
    struct bell kick; /* something may start, or dispatch_task should look around */
    bool stopping, draining;
    bool loading; /* the rows of a former life come in */
    struct rows rows;
    struct row_heap delayed, deadlines;
    struct queue *queues; /* owned */
    size_t queue_count;
    uint64_t turn;            /* of the queue that started last: pace.h */
    cosched_mutex queue_lock; /* changes of queues, and edits of jobs, one at a time */
    uint64_t by_state[JOB_STATES];
    struct user *users; /* owned */
    size_t user_count;
    uint64_t entering; /* of all users */
    int64_t last_order;
    /* attempts */
    struct running *all;
    struct running *claimed, **claimed_tail; /* committed as running, waiting for a task */
    size_t running_count;
    int64_t store_again_ns; /* the store was not available: no start before */
    /* late news (see dispatch.c) */
    unsigned epoch;
    uint64_t in_flight[3];
    struct tombs tombs[3];
    /* time */
    int timer_fd;            /* owned */
    int64_t clock_offset_us; /* wall clock less boot clock when last looked */
    struct move *moves;      /* owned: a queue of moves to commit */
    size_t move_first, move_count, move_room;
    unsigned movers;
    /* housekeeping */
    int64_t tend_until_ns; /* orphans may still turn up */
    struct bell tend;
    struct bell expire;
    uint64_t random;
};

uint32_t dispatch_random(struct dispatch *d);

/* Brackets every call into the store whose answer will be applied; see dispatch.c. */
struct user *dispatch_user(struct dispatch *d, uint32_t uid); /* until the next new one */
unsigned dispatch_enter(struct dispatch *d);
void dispatch_leave(struct dispatch *d, unsigned epoch);

/* What a commit said of a job takes effect in memory, unless newer news was there first. `flags`: ROW_*_WALL. */
void dispatch_apply(struct dispatch *d, const struct job_row *news, int64_t seq, unsigned flags);
void dispatch_apply_effects(struct dispatch *d, struct store_effects *effects);
struct queue *dispatch_queue(struct dispatch *d, const char *name, bool make);
int dispatch_queues_load(struct dispatch *d); /* what was changed in former lives */
/* A slot and the rate allow a start now: true, and it is counted against the rate. */
bool dispatch_queue_take(struct queue *q, int64_t now_ns);
/* Who starts the first of its line now, counted against its rate; NULL: nobody, and *wake_ns becomes the time when a
 * rate lets somebody, if that is earlier. */
struct queue *dispatch_queue_next(struct dispatch *d, int64_t now_ns, int64_t *wake_ns);
void dispatch_line_push(struct dispatch *d, struct row *row);
/* Nothing without a deadline, or when it is there already. */
void dispatch_deadline_push(struct dispatch *d, struct row *row);
int64_t dispatch_next_order(struct dispatch *d);

struct running *dispatch_running_new(struct dispatch *d, uint16_t queue);
void dispatch_slot_free(struct running *r); /* the next may start */
void dispatch_running_free(struct running *r);
struct running *dispatch_running_find(struct dispatch *d, int64_t id);
int64_t dispatch_run_task(void *arg);
void dispatch_interrupt_one(struct running *r, enum job_outcome_kind cause, bool at_once);

int dispatch_time_open(struct dispatch *d);
void dispatch_time_close(struct dispatch *d);
void dispatch_time_arm(struct dispatch *d);
int64_t dispatch_time_task(void *arg);
int64_t dispatch_mover_task(void *arg);
int64_t dispatch_tend_task(void *arg);
int64_t dispatch_expire_task(void *arg);

#endif
