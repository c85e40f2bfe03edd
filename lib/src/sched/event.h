/* Waiting for an event as part of something larger, which is what reports shall name (COS_PARK_FOR, and its object). */
#ifndef COS_SCHED_EVENT_H
#define COS_SCHED_EVENT_H
#include <cosched/cosched.h>

#include "sched/park.h"

int cos_event_wait(cosched_event *ev, uint64_t object, int64_t deadline, unsigned flags);
void cos_event_wait_always(cosched_event *ev, uint64_t object, unsigned flags);
#endif
