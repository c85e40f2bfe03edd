/* Free stacks: taking, putting, giving back (cos_stack_trim).
 *
 * Of each class, slabs with warm slots stand in one list, the one put to last first, and those with cold slots only in another.
 * Slots are taken from the newest, lowest first, so that what is not needed gathers elsewhere and can go.
 *
 * What is given back: all of a slab that nothing was put to for a second, or, where stacks come and go, as many as have been
 * warm without a break for that long. */
#include "arch/stack_depot.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

#define TRIM_STACKS 128 /* a call: below a millisecond */
#define BITS        64u

enum place { NOWHERE, WARM, COLD };

struct cos_lock cos_stack_lock;

/* All under the lock. */
static struct slab_list {
    struct cos_stack_slab *newest, *oldest;
} lists[COS_STACK_CLASSES][COLD + 1];

static size_t free_slots;

static uint32_t n_cold(const struct cos_stack_slab *s)
{
    return s->fresh - s->n_out - s->n_warm;
}

static void leave(struct cos_stack_slab *s)
{
    if (s->place != NOWHERE) {
        struct slab_list *list = &lists[s->class_index][s->place];
        *(s->newer != NULL ? &s->newer->older : &list->newest) = s->older;
        *(s->older != NULL ? &s->older->newer : &list->oldest) = s->newer;
        s->place = NOWHERE;
    }
}

static void enter(struct cos_stack_slab *s, enum place place)
{
    struct slab_list *list = &lists[s->class_index][place];
    leave(s);
    s->place = place;
    s->newer = NULL;
    s->older = list->newest;
    *(s->older != NULL ? &s->older->newer : &list->oldest) = s;
    list->newest = s;
}

/* Where it belongs now; a slab that stays in its list keeps its place there. */
static void settle(struct cos_stack_slab *s)
{
    enum place place = s->n_warm > 0 ? WARM : n_cold(s) > 0 ? COLD : NOWHERE;
    if (place == NOWHERE) {
        leave(s);
    } else if (place != (enum place)s->place) {
        enter(s, place);
    }
}

/* --- take and put ------------------------------------------------------------------------------------------ */

/* The slots of a word that may be taken: warm ones, or if there are none in the slab, cold ones. */
static uint64_t takable(const struct cos_stack_slab *s, uint32_t word, bool warm)
{
    uint32_t cut = s->fresh - word * BITS;
    uint64_t is_cut = cut < BITS ? (UINT64_C(1) << cut) - 1 : UINT64_MAX;
    return warm ? s->warm[word] : ~(s->out[word] | s->warm[word]) & is_cut;
}

static uint32_t take_from(struct cos_stack_slab *s, struct cos_stack_slot *slots, uint32_t n)
{
    bool warm = s->n_warm > 0;
    uint32_t k = 0;
    for (uint32_t w = s->from_word; k < n && w * BITS < s->fresh; w++) {
        uint64_t bits = takable(s, w, warm);
        if (bits == 0 && w == s->from_word && takable(s, w, !warm) == 0) {
            s->from_word++;
        }
        for (; bits != 0 && k < n; k++) {
            uint32_t bit = (uint32_t)__builtin_ctzll(bits);
            bits &= bits - 1;
            s->out[w] |= UINT64_C(1) << bit;
            s->warm[w] &= ~(UINT64_C(1) << bit);
            slots[k] = (struct cos_stack_slot){.slab = s, .number = w * BITS + bit};
        }
    }
    s->n_out += k;
    s->n_warm -= warm ? k : 0;
    s->least = s->n_warm < s->least ? s->n_warm : s->least;
    free_slots -= k;
    settle(s);
    return k;
}

int cos_stack_depot_take(uint32_t class_index, struct cos_stack_slot *slots, uint32_t n)
{
    struct slab_list *of = lists[class_index];
    uint32_t k = 0;
    while (k < n && of[WARM].newest != NULL) {
        k += take_from(of[WARM].newest, slots + k, n - k);
    }
    while (k == 0 && of[COLD].newest != NULL) {
        k = take_from(of[COLD].newest, slots, n);
    }
    if (k == 0) {
        int cut;
        struct cos_stack_slab *s = cos_stack_slab_cut(class_index, n, &cut);
        if (s == NULL) {
            return cut;
        }
        uint32_t word = (s->fresh - (uint32_t)cut) / BITS;
        s->from_word = word < s->from_word ? word : s->from_word;
        free_slots += (uint32_t)cut;
        settle(s);
        k = take_from(s, slots, n);
    }
    COS_ASSERT(k > 0);
    return (int)k;
}

void cos_stack_depot_put(const struct cos_stack_slot *slots, uint32_t n, int64_t since_ns)
{
    for (uint32_t i = 0; i < n; i++) {
        struct cos_stack_slab *s = slots[i].slab;
        uint32_t w = slots[i].number / BITS;
        uint64_t bit = UINT64_C(1) << slots[i].number % BITS;
        COS_ASSERT((s->out[w] & bit) != 0 && "a stack was put twice");
        s->out[w] &= ~bit;
        s->warm[w] |= bit;
        s->n_out--;
        if (s->n_warm++ == 0) {
            s->least = 0;
            s->period_ns = since_ns;
        }
        s->put_ns = since_ns > s->put_ns ? since_ns : s->put_ns;
        s->from_word = w < s->from_word ? w : s->from_word;
        if (lists[s->class_index][WARM].newest != s) {
            enter(s, WARM);
        }
    }
    free_slots += n;
}

size_t cos_stack_depot_free(void)
{
    return free_slots;
}

void cos_stack_depot_unmap_all(void)
{
    cos_stack_slab_unmap_all();
    memset(lists, 0, sizeof lists);
    free_slots = 0;
}

/* --- giving back ------------------------------------------------------------------------------------------- */

/* Some slots of one slab, neither free nor in use while their memory goes. */
struct batch {
    struct cos_stack_slab *slab;
    uint32_t word;
    uint64_t bits;
};

/* How many of the warm ones may go now; none: *due is when to ask again, if that is sooner. Under the lock. */
static uint32_t may_go(struct cos_stack_slab *s, int64_t now, int64_t *due)
{
    if (now - s->put_ns >= COS_STACK_IDLE_NS) {
        return s->n_warm;
    }
    if (now - s->period_ns >= COS_STACK_IDLE_NS && s->least == 0) {
        s->period_ns = now;
        s->least = s->n_warm;
    }
    if (now - s->period_ns >= COS_STACK_IDLE_NS) {
        return s->least;
    }
    int64_t period_end = s->period_ns + COS_STACK_IDLE_NS, idle_end = s->put_ns + COS_STACK_IDLE_NS;
    int64_t at = period_end < idle_end ? period_end : idle_end;
    *due = at < *due ? at : *due;
    return 0;
}

/* At most n, the highest of them. Under the lock. */
static void detach(struct batch *b, uint32_t n)
{
    struct cos_stack_slab *s = b->slab;
    b->word = (s->fresh - 1) / BITS;
    while (s->warm[b->word] == 0) {
        b->word--;
    }
    b->bits = s->warm[b->word];
    uint32_t k = (uint32_t)__builtin_popcountll(b->bits);
    for (; k > n; k--) {
        b->bits &= b->bits - 1;
    }
    s->warm[b->word] &= ~b->bits;
    s->out[b->word] |= b->bits;
    s->n_warm -= k;
    s->n_out += k;
    s->least -= k < s->least ? k : s->least;
    settle(s);
}

static bool pick(uint32_t class_index, int64_t now, int64_t *due, struct batch *b)
{
    for (struct cos_stack_slab *s = lists[class_index][WARM].oldest; s != NULL; s = s->newer) {
        uint32_t n = may_go(s, now, due);
        if (n > 0) {
            b->slab = s;
            detach(b, n);
            return true;
        }
    }
    return false;
}

/* Neighbours in one call: guards survive it. Without the lock. Returns how many there were. */
static int release_memory(const struct batch *b)
{
    size_t slot_bytes = cos_stack_class_bytes(b->slab->class_index);
    uint64_t left = b->bits;
    while (left != 0) {
        uint32_t first = (uint32_t)__builtin_ctzll(left);
        uint64_t rest = ~(left >> first);
        uint32_t n = rest == 0 ? BITS : (uint32_t)__builtin_ctzll(rest);
        (void)madvise(cos_stack_slot_base(b->slab, b->word * BITS + first), n * slot_bytes,
                      MADV_DONTNEED);
        left &= n == BITS ? 0 : ~(((UINT64_C(1) << n) - 1) << first);
    }
    return __builtin_popcountll(b->bits);
}

/* Under the lock: they are cold now. */
static void reattach(const struct batch *b, int n)
{
    struct cos_stack_slab *s = b->slab;
    s->out[b->word] &= ~b->bits;
    s->n_out -= (uint32_t)n;
    s->from_word = b->word < s->from_word ? b->word : s->from_word;
    if (s->n_out == 0 && s->n_warm == 0) {
        size_t page = cos_stack_guard_bytes();
        (void)madvise(s->base - page, page, MADV_DONTNEED); /* all bits are zero */
    }
    settle(s);
}

int64_t cos_stack_trim(int64_t now)
{
    int64_t due = INT64_MAX;
    int left = TRIM_STACKS;
    for (uint32_t i = 0; i < COS_STACK_CLASSES; i++) {
        for (;;) {
            struct batch b;
            cos_lock_acquire(&cos_stack_lock);
            bool picked = pick(i, now, &due, &b);
            cos_lock_release(&cos_stack_lock);
            if (!picked) {
                break;
            }
            int n = release_memory(&b);
            cos_lock_acquire(&cos_stack_lock);
            reattach(&b, n);
            cos_lock_release(&cos_stack_lock);
            left -= n;
            if (left <= 0) {
                return now;
            }
        }
    }
    return due;
}
