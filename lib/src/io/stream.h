/* Streams: connected sockets, pipes, terminals. */
#ifndef COS_IO_STREAM_H
#define COS_IO_STREAM_H
#include "io/watch.h"

struct termios;

enum cos_stream_kind {
    COS_STREAM_FILE,   /* read(2) and write(2) */
    COS_STREAM_SOCKET, /* recv(2) and send(2) */
    COS_STREAM_TCP     /* the same; a short read has taken all there was */
};

struct cosched_stream {
    struct cos_watch watch;    /* first */
    enum cos_stream_kind kind; /* const */
    bool drained;              /* who holds the read side: its last read took all there was */
    struct termios *former;    /* owned; what cosched_tty_raw gives back; NULL: as it was */
};

/* A new stream on a descriptor, which is its own from then on. */
void cos_stream_init(struct cosched_stream *s, int fd, enum cos_stream_kind kind);
#endif
