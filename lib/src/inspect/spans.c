/* An open hash with linear probing; see spans.h. Dropping moves back what stood behind, so that it never fills up with graves. */
#include "inspect/spans.h"

#include <string.h>

#include "base/alloc.h"

#define CAPACITY_FIRST 256U

void cos_spans_fini(struct cos_spans *s)
{
    cos_free(s->slot);
    *s = (struct cos_spans){.slot = NULL};
}

static size_t home(const struct cos_spans *s, uint64_t id, uint64_t kind)
{
    uint64_t h = (id ^ kind * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (size_t)(h >> 32) & (s->capacity - 1);
}

static bool is_free(const struct cos_span *one)
{
    return one->id == 0 && one->kind == 0;
}

/* Its slot, or the free one where it would be. There is always a free one. */
static struct cos_span *place(const struct cos_spans *s, uint64_t id, uint64_t kind)
{
    size_t at = home(s, id, kind);
    while (!is_free(&s->slot[at]) && (s->slot[at].id != id || s->slot[at].kind != kind)) {
        at = (at + 1) & (s->capacity - 1);
    }
    return &s->slot[at];
}

static bool grow(struct cos_spans *s)
{
    struct cos_spans larger = {.capacity = s->capacity != 0 ? 2 * s->capacity : CAPACITY_FIRST,
                               .used = s->used};
    larger.slot = cos_alloc(larger.capacity * sizeof *larger.slot);
    if (larger.slot == NULL) {
        return false;
    }
    for (size_t i = 0; i < s->capacity; i++) {
        if (!is_free(&s->slot[i])) {
            *place(&larger, s->slot[i].id, s->slot[i].kind) = s->slot[i];
        }
    }
    cos_free(s->slot);
    *s = larger;
    return true;
}

struct cos_span *cos_spans_find(const struct cos_spans *s, uint64_t id, uint64_t kind)
{
    struct cos_span *one = s->capacity != 0 ? place(s, id, kind) : NULL;
    return one != NULL && !is_free(one) ? one : NULL;
}

struct cos_span *cos_spans_get(struct cos_spans *s, uint64_t id, uint64_t kind)
{
    struct cos_span *one = cos_spans_find(s, id, kind);
    if (one != NULL) {
        return one;
    }
    if (2 * (s->used + 1) > s->capacity && !grow(s)) {
        return NULL;
    }
    one = place(s, id, kind);
    *one = (struct cos_span){.id = id, .kind = kind};
    s->used++;
    return one;
}

void cos_spans_drop(struct cos_spans *s, struct cos_span *one)
{
    size_t hole = (size_t)(one - s->slot), mask = s->capacity - 1;
    for (size_t at = (hole + 1) & mask; !is_free(&s->slot[at]); at = (at + 1) & mask) {
        size_t from = home(s, s->slot[at].id, s->slot[at].kind);
        if (((at - from) & mask) >= ((at - hole) & mask)) { /* it may stand in the hole */
            s->slot[hole] = s->slot[at];
            hole = at;
        }
    }
    memset(&s->slot[hole], 0, sizeof s->slot[hole]);
    s->used--;
}
