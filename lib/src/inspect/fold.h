/* Tasks that are alike, told as one. */
#ifndef COS_INSPECT_FOLD_H
#define COS_INSPECT_FOLD_H
#include "inspect/sight.h"

#define COS_FOLD_KINDS 512

struct cos_fold { /* zeroed: empty */
    uint32_t used;
    uint16_t first[2 * COS_FOLD_KINDS]; /* by hash: 1 + place of a kind; 0: none */
    uint64_t hash[COS_FOLD_KINDS];
    struct cos_sight kind[COS_FOLD_KINDS];
};

/* Counts it. False: there is no room for another kind. */
bool cos_fold_add(struct cos_fold *f, const struct cos_sight *s);
#endif
