/* Whom a task waits for, as far as that can be known. */
#ifndef COS_INSPECT_WAITS_H
#define COS_INSPECT_WAITS_H
#include "inspect/sight.h"

#define COS_WAITS_MAX 256

struct cos_waits {
    bool known; /* any one of these, and nobody else, can end the wait */
    uint32_t count;
    uint64_t print; /* of all that was found: another print, another wait */

    struct {
        uint32_t task;       /* its index */
        uint32_t generation; /* 0: whoever has that index now */
        bool reach;          /* its descendants may, too */
    } on[COS_WAITS_MAX];
};

/* Is it for tasks to end a wait of this kind, and for known ones? */
bool cos_waits_can_be_known(cosched_reason reason);
/* Of a task that is still (sight.h); wrong if that does not hold any more. A group waits for its children, who know it themselves:
 * none are told. */
void cos_waits_read(struct cos_waits *w, struct cos_peek *p, const struct cos_sight *s);
#endif
