/* Values of 8 bytes through a channel: between two tasks of one executor, and from MAIN to a worker. */
#include "ours.h"

enum { CAPACITY = 64 };

static int64_t receive_all(void *ch)
{
    int64_t value, n = 0;
    while (cosched_chan_recv(ch, &value, COSCHED_NEVER) == 0) {
        n++;
    }
    return n;
}

static int64_t run(struct load *load, cosched_affinity receiver_runs)
{
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = receiver_runs};
    cosched_chan *ch;
    cosched_task receiver;
    int64_t received = 0;
    if (cosched_chan_create(&ch, sizeof(int64_t), CAPACITY) < 0) {
        return -1;
    }
    int result = cosched_spawn(&receiver, receive_all, ch, &attr);
    int64_t start = now_ns();
    for (int64_t i = 0; i < load->count && result == 0; i++) {
        result = cosched_chan_send(ch, &i, COSCHED_NEVER);
    }
    cosched_chan_close(ch);
    cosched_await(&receiver, &received, COSCHED_NEVER);
    figure("channel", (double)(now_ns() - start) / (double)load->count, "ns");
    cosched_chan_unref(ch);
    return received == load->count ? result : -1;
}

int64_t run_channel(void *load)
{
    return run(load, COSCHED_MAIN);
}

int64_t run_channel_across(void *load)
{
    return run(load, COSCHED_WORKER);
}
