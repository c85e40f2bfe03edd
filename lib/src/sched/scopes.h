/* Counted scope blocks: what cosched_scope_begin opens, and tasks spawned inside keep alive. */
#ifndef COS_SCHED_SCOPES_H
#define COS_SCHED_SCOPES_H
#include "sched/exec.h"

void cos_scope_release_block(struct cos_exec *e, struct cos_scope *s);

/* A scope gets, or loses, a child scope that names it as its parent. Only blocks count; others outlive their children. */
static inline void cos_scope_retain(struct cos_scope *s)
{
    if (COS_UNLIKELY((cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_NODE) != 0)) {
        /* relaxed: the caller holds one */
        cos_atomic_add(&COS_CONTAINER_OF(s, struct cos_task, scope)->refs, 1, relaxed);
    }
}

/* e NULL outside executors; s NULL is fine. */
static inline void cos_scope_release(struct cos_exec *e, struct cos_scope *s)
{
    if (s != NULL && COS_UNLIKELY((cos_atomic_load(&s->flags, relaxed) & COS_SCOPE_NODE) != 0)) {
        cos_scope_release_block(e, s);
    }
}

/* Ends what is open in the running fiber below `to`, whose code a panic leaves. */
void cos_scopes_end_all(struct cos_fiber *f, struct cos_scope *to);
#endif
