/* Streams: connected sockets. */
#ifndef COS_IO_STREAM_H
#define COS_IO_STREAM_H
#include "io/watch.h"

struct cosched_stream {
    struct cos_watch watch; /* first */
};
#endif
