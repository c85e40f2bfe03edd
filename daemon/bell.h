/* bell.h - wakes one waiting task; ringing twice is ringing once, and a ring before the wait is not lost.
 *
 * A channel of one byte. Ringing never suspends and is for any thread; one task waits at a time.
 */
#ifndef DAEMON_BELL_H
#define DAEMON_BELL_H
#include <cosched/cosched.h>

struct bell {
    cosched_chan *chan; /* counted; NULL: zeroed or finished */
};

static inline int bell_init(struct bell *bell)
{
    return cosched_chan_create(&bell->chan, 1, 1);
}

static inline void bell_fini(struct bell *bell)
{
    cosched_chan_unref(bell->chan);
    bell->chan = NULL;
}

static inline void bell_ring(struct bell *bell)
{
    unsigned char ring = 1;
    (void)cosched_chan_send(bell->chan, &ring, COSCHED_NOW); /* full: it rings already */
}

/* 0, -ETIMEDOUT, -ECANCELED. */
static inline int bell_wait(struct bell *bell, int64_t deadline)
{
    unsigned char ring;
    return cosched_chan_recv(bell->chan, &ring, deadline);
}

#endif
