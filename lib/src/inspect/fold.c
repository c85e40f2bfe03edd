/* See fold.h. Open addressing: the table has twice as many places as there are kinds. */
#include "inspect/fold.h"

#include <string.h>

#define PLACES (2U * COS_FOLD_KINDS)

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t hash_of(const cosched_task_info *info)
{
    uint64_t hash = mix((uintptr_t)info->fn, (uintptr_t)info->name);
    hash = mix(hash, (uint64_t)info->affinity << 16 | (uint64_t)info->state << 8 |
                         (uint64_t)info->reason);
    hash = mix(hash, (uint64_t)info->stuck << 1 | info->canceled);
    for (uint32_t i = 0; i < info->call_count; i++) {
        hash = mix(hash, (uintptr_t)info->calls[i].fn);
    }
    for (uint32_t i = 0; i < info->frame_count; i++) {
        hash = mix(hash, (uintptr_t)info->frames[i]);
    }
    return hash;
}

static bool alike(const cosched_task_info *a, const cosched_task_info *b)
{
    bool same = a->fn == b->fn && a->name == b->name && a->affinity == b->affinity &&
                a->state == b->state && a->reason == b->reason && a->stuck == b->stuck &&
                a->canceled == b->canceled && a->call_count == b->call_count &&
                a->frame_count == b->frame_count &&
                memcmp(a->frames, b->frames, a->frame_count * sizeof a->frames[0]) == 0;
    for (uint32_t i = 0; same && i < a->call_count; i++) {
        same = a->calls[i].fn == b->calls[i].fn;
    }
    return same;
}

static void count(cosched_task_info *kind, const cosched_task_info *one)
{
    kind->count++;
    if (one->since_ns != 0) {
        bool first = kind->since_ns == 0 || one->since_ns < kind->since_ns;
        kind->since_ns = first ? one->since_ns : kind->since_ns;
        kind->since_last_ns =
            one->since_ns > kind->since_last_ns ? one->since_ns : kind->since_last_ns;
    }
}

bool cos_fold_add(struct cos_fold *f, const struct cos_sight *s)
{
    uint64_t hash = hash_of(&s->info);
    uint32_t at = (uint32_t)(hash % PLACES);
    for (; f->first[at] != 0; at = (at + 1) % PLACES) {
        uint32_t k = f->first[at] - 1U;
        if (f->hash[k] == hash && alike(&f->kind[k].info, &s->info)) {
            count(&f->kind[k].info, &s->info);
            return true;
        }
    }
    if (f->used == COS_FOLD_KINDS) {
        return false;
    }
    struct cos_sight *kind = &f->kind[f->used];
    *kind = *s;
    kind->info.above = kind->above;
    kind->info.calls = kind->calls;
    kind->info.frames = kind->frames + (s->info.frames - (const void *const *)s->frames);
    f->hash[f->used] = hash;
    f->first[at] = (uint16_t)++f->used;
    return true;
}
