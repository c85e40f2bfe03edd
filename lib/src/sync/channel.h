/* A channel's inside, for those who wait on more than one (select.c). */
#ifndef COS_SYNC_CHANNEL_H
#define COS_SYNC_CHANNEL_H
#include <cosched/cosched.h>

#include "sync/line.h"

#define COS_CHAN_USERS  4
#define COS_CHAN_THREAD UINT32_MAX /* no task: above every index */

/* The tasks that have been on one side of a channel, by their indices. None is forgotten: when there are more, or a thread that
 * is no task was there, that side may be used by anybody. */
struct cos_chan_users {
    uint32_t task[COS_CHAN_USERS]; /* 0: free; filled from the first */
    uint32_t anybody;
};

struct cosched_chan {
    struct cos_lock lock;        /* guards all but refs and the constants */
    COS_ATOMIC(uint32_t) refs;   /* acq_rel at the end: the last sees what all did */
    size_t value_size, capacity; /* const */
    size_t head;
    COS_ATOMIC(size_t) count; /* written under the lock, read by anybody */
    bool closed;
    struct cos_line senders, receivers; /* of the tasks that could be served, one is empty */
    struct cos_chan_users users[2];     /* receivers', senders'; for who looks in (inspect/) */
    _Alignas(16) char ring[];
};

static inline struct cos_line *cos_chan_line(cosched_chan *ch, bool sends)
{
    return sends ? &ch->senders : &ch->receivers;
}

void cos_chan_note_new(struct cos_chan_users *users, uint32_t self);

/* Under the lock: f, NULL outside tasks, is on this side. */
static inline void cos_chan_note(cosched_chan *ch, bool sends, const struct cos_fiber *f)
{
    struct cos_chan_users *users = &ch->users[sends];
    uint32_t self = f != NULL ? f->current->index : COS_CHAN_THREAD;
    if (COS_UNLIKELY(users->task[0] != self && users->anybody == 0)) {
        cos_chan_note_new(users, self);
    }
}

/* Under the lock: 0, -EPIPE, or -EAGAIN: it would have to wait. */
int cos_chan_try(cosched_chan *ch, bool sends, void *value);
#endif
