/* Connecting to one of several addresses; the lookup and the pace are parameters, for tests. */
#ifndef COS_IO_CONNECT_H
#define COS_IO_CONNECT_H
#include "io/resolve.h"

/* RFC 8305: how long an attempt has before the next one starts beside it. */
#define COS_CONNECT_STAGGER_NS    INT64_C(250000000)
/* So many addresses of a name are tried. */
#define COS_CONNECT_ADDRESSES_MAX 16

/* The order of RFC 8305, section 4: the families take turns, the first address's first; within one nothing changes. */
void cos_connect_interleave(struct cosched_addresses *a);
int cos_connect_first(cosched_stream **out, const struct cosched_addresses *a, int64_t stagger_ns,
                      int64_t deadline);
int cos_connect_by(cosched_stream **out, cos_lookup_fn lookup, const char *host,
                   const char *service, int64_t stagger_ns, int64_t deadline);
#endif
