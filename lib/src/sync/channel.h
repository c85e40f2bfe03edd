/* A channel's inside, for those who wait on more than one (select.c). */
#ifndef COS_SYNC_CHANNEL_H
#define COS_SYNC_CHANNEL_H
#include <cosched/cosched.h>

#include "sync/line.h"

struct cosched_chan {
    struct cos_lock lock;        /* guards all but refs and the constants */
    COS_ATOMIC(uint32_t) refs;   /* acq_rel at the end: the last sees what all did */
    size_t value_size, capacity; /* const */
    size_t head;
    COS_ATOMIC(size_t) count; /* written under the lock, read by anybody */
    bool closed;
    struct cos_line senders, receivers; /* of the tasks that could be served, one is empty */
    _Alignas(16) char ring[];
};

static inline struct cos_line *cos_chan_line(cosched_chan *ch, bool sends)
{
    return sends ? &ch->senders : &ch->receivers;
}

/* Under the lock: 0, -EPIPE, or -EAGAIN: it would have to wait. */
int cos_chan_try(cosched_chan *ch, bool sends, void *value);
#endif
