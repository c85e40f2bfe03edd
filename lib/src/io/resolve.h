/* Looking names up, with the lookup itself as a parameter: tests bring one that answers when they say so. */
#ifndef COS_IO_RESOLVE_H
#define COS_IO_RESOLVE_H
#include <cosched/io.h>

/* Lookups that nobody waits for any more, but which still hold a thread of the blocking pool (or wait for one). */
#define COS_RESOLVE_LEFT_MAX    16
#define COS_RESOLVE_THREADS_MAX 32 /* so those that were left behind never hold them all */

/* Blocks, on a thread of the pool: 0 and *out, from cos_alloc, or a negative errno. */
typedef int (*cos_lookup_fn)(const char *host, const char *service, struct cosched_addresses **out);

int cos_lookup_system(const char *host, const char *service, struct cosched_addresses **out);
int cos_resolve_by(cos_lookup_fn lookup, const char *host, const char *service, int64_t deadline,
                   struct cosched_addresses **out);
#endif
