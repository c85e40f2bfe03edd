/* Counted scope blocks: what cosched_scope_begin opens, and tasks spawned inside keep alive. */
#ifndef COS_SCHED_SCOPES_H
#define COS_SCHED_SCOPES_H
#include "sched/exec.h"

/* A scope gets, or loses, a child scope that names it as its parent. Only blocks count; others outlive their children. */
void cos_scope_retain(struct cos_scope *s);
void cos_scope_release(struct cos_exec *e, struct cos_scope *s); /* e NULL outside executors; s NULL is fine */
#endif
