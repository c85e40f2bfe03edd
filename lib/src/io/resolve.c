/* cosched_resolve. getaddrinfo can neither be stopped nor given a deadline, so its record is on the heap and belongs to
 * two: the task that asked, and a detached one that takes it through the blocking pool. The one that comes second to
 * its end frees it; who has no patience goes at once.
 *
 *     state: UNDER_WAY -> DONE (the carrier was first)  or  LEFT (the asker was first) */
#include "io/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "io/address.h"
#include "io/source.h"
#include "sched/current.h"
#include "sched/runtime.h"
#include "sched/spawn.h"

enum { UNDER_WAY, DONE, LEFT };

struct lookup {
    struct cos_group link; /* first: told by cos_task_complete, also of a carrier that got no stack */
    struct cosched_runtime *rt;      /* const */
    COS_ATOMIC(uint32_t) state;      /* each of the two exchanges it once, at its end: acq_rel */
    cosched_event done;              /* set by the carrier after DONE */
    cos_lookup_fn fn;                /* const */
    const char *service;             /* const; within text, or NULL */
    int rc;                          /* the carrier's, until DONE or LEFT */
    struct cosched_addresses *found; /* as rc; owned */
    char text[];                     /* const; the host, then the service */
};

static COS_ATOMIC(uint32_t) left; /* lookups without an asker */
static cosched_blocking_class names = {.name = "names", .limit = COS_RESOLVE_THREADS_MAX};

static int error_of(int gai, int system_error)
{
    switch (gai) {
    case EAI_SYSTEM: return system_error != 0 ? -system_error : -EIO;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_FAIL: return -EIO;
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_SERVICE: return -ENOENT;
    default: return -EINVAL;
    }
}

static struct cosched_addresses *room_for(size_t count)
{
    struct cosched_addresses *a = cos_alloc(sizeof *a + count * sizeof a->at[0]);
    if (a != NULL) {
        a->at = (struct cosched_address *)(void *)(a + 1);
    }
    return a;
}

int cos_lookup_system(const char *host, const char *service, struct cosched_addresses **out)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc = getaddrinfo(host, service, &hints, &list);
    if (rc != 0) {
        return error_of(rc, errno);
    }
    size_t count = 0;
    for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
        count++;
    }
    struct cosched_addresses *found = room_for(count);
    if (found != NULL) {
        for (const struct addrinfo *i = list; i != NULL; i = i->ai_next) {
            if (i->ai_addrlen <= sizeof found->at[0].to) {
                struct cosched_address *a = &found->at[found->count++];
                memcpy(&a->to, i->ai_addr, i->ai_addrlen);
                a->size = i->ai_addrlen;
            }
        }
    }
    freeaddrinfo(list);
    *out = found;
    return found != NULL ? 0 : -ENOMEM;
}

static void lookup_free(struct lookup *l)
{
    cosched_addresses_free(l->found);
    cos_free(l);
}

/* On a thread of the pool. */
static int64_t run(void *arg)
{
    struct lookup *l = arg;
    /* relaxed: only spares the work; the end looks again. */
    if (cos_atomic_load(&l->state, relaxed) == LEFT) {
        return -ECANCELED;
    }
    return l->fn(l->text, l->service, &l->found);
}

/* The body of the detached task. */
static int64_t carry(void *arg)
{
    int64_t result = 0;
    int rc = cosched_blocking_in(&names, &result, run, arg, COSCHED_NEVER);
    return rc < 0 ? rc : result;
}

static void carrier_ended(struct cos_group *link, int64_t result)
{
    struct lookup *l = COS_CONTAINER_OF(link, struct lookup, link);
    struct cosched_runtime *rt = l->rt;
    l->rc = (int)result;
    /* acq_rel: publishes rc and found to the asker, or takes the record over from it. */
    if (cos_atomic_exchange(&l->state, DONE, acq_rel) == LEFT) {
        lookup_free(l);
        (void)cos_atomic_sub(&left, 1, relaxed);
    } else {
        cosched_event_set(&l->done);
    }
    cos_roots_remove(rt);
}

static int start_carrier(struct lookup *l)
{
    struct cos_exec *e;
    (void)cos_fiber_current(&e);
    struct cos_task *t;
    cosched_attr attr = {.struct_size = sizeof attr, .name = "resolve", .affinity = COSCHED_WORKER};
    l->link.child_done = carrier_ended;
    l->rt = e->rt;
    int rc = cos_task_make(&t, e, &e->rt->root, COSCHED_WORKER, carry, l, &attr);
    if (rc < 0) {
        return rc;
    }
    t->group = &l->link;
    cos_task_make_detached(t);
    cos_roots_add(e->rt);
    COS_COUNT(e, spawned);
    cos_submit(e, t);
    return 0;
}

static struct lookup *lookup_create(cos_lookup_fn fn, const char *host, const char *service)
{
    size_t host_size = strlen(host) + 1;
    size_t service_size = service != NULL ? strlen(service) + 1 : 0;
    struct lookup *l = cos_alloc(sizeof *l + host_size + service_size);
    if (l != NULL) {
        cos_atomic_init(&l->state, UNDER_WAY);
        cosched_event_init(&l->done);
        l->fn = fn;
        memcpy(l->text, host, host_size);
        if (service != NULL) {
            l->service = memcpy(l->text + host_size, service, service_size);
        }
    }
    return l;
}

/* Waits for the carrier, or leaves the record to it. */
static int wait_or_leave(struct lookup *l, int64_t deadline, struct cosched_addresses **out)
{
    int rc = cosched_event_wait(&l->done, deadline);
    if (rc < 0) {
        (void)cos_atomic_add(&left, 1, relaxed); /* before the carrier may take it off */
        if (cos_atomic_exchange(&l->state, LEFT, acq_rel) == UNDER_WAY) {
            return rc;
        }
        (void)cos_atomic_sub(&left, 1, relaxed);
        cosched_event_wait_always(&l->done); /* it is about to be set: what is there wins */
    }
    rc = l->rc;
    *out = l->found;
    l->found = NULL;
    lookup_free(l);
    return rc;
}

static int ask(cos_lookup_fn fn, const char *host, const char *service, int64_t deadline,
               struct cosched_addresses **out)
{
    if (cos_io_expired(deadline)) {
        return -ETIMEDOUT;
    }
    if (cos_atomic_load(&left, relaxed) >= COS_RESOLVE_LEFT_MAX) {
        return -EAGAIN; /* the threads for names are for others, too */
    }
    struct lookup *l = lookup_create(fn, host, service);
    if (l == NULL) {
        return -ENOMEM;
    }
    int rc = start_carrier(l);
    if (rc < 0) {
        lookup_free(l);
        return rc;
    }
    return wait_or_leave(l, deadline, out);
}

int cos_resolve_by(cos_lookup_fn lookup, const char *host, const char *service, int64_t deadline,
                   struct cosched_addresses **out)
{
    *out = NULL;
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    struct cosched_address numeric;
    uint16_t port;
    if (!cos_address_port_numeric(&port, service) || !cos_address_numeric(&numeric, host, port)) {
        return ask(lookup, host, service, deadline, out);
    }
    struct cosched_addresses *one = room_for(1);
    if (one == NULL) {
        return -ENOMEM;
    }
    one->at[one->count++] = numeric;
    *out = one;
    return 0;
}

int cosched_resolve(const char *host, const char *service, int64_t deadline,
                    struct cosched_addresses **out)
{
    return cos_resolve_by(cos_lookup_system, host, service, deadline, out);
}

void cosched_addresses_free(struct cosched_addresses *addresses)
{
    cos_free(addresses);
}
