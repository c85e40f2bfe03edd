/* Two flows that keep far more values alive over a switch than there are registers, integer, floating-point
 * and array, and mix them with what the other side sent. The answer does not depend on the form of
 * the switch. Compiled several times, as PROBE_NAME, at different levels and for different machines. */
#include "inline_probe.h"

#include <stdint.h>
#include <string.h>

#include "arch/context.h"
#include "arch/switch_inline.h"

#define LANES 24

struct flow {
    struct cos_context self;
    struct flow *peer;
    int use_inline;
    uint64_t rounds;
    uint64_t answer;
};

/* A leaf in the compiler's eyes when the switch is inline: its array may lie in the red zone. */
static COS_SWITCHES uint64_t leaf_inline(struct cos_context *from, struct cos_context *to,
                                         uint64_t value)
{
    uint64_t zone[4] = {value, value * 3, value ^ 0x5555, ~value};
    __asm__ volatile("" ::"r"(zone) : "memory");
    uint64_t back =
        (uint64_t)(uintptr_t)cos_context_switch_inline(from, to, (void *)(uintptr_t)value);
    __asm__ volatile("" ::"r"(zone) : "memory");
    return back + (zone[0] ^ zone[1] ^ zone[2] ^ zone[3]);
}

static COS_SWITCHES uint64_t leaf_plain(struct cos_context *from, struct cos_context *to,
                                        uint64_t value)
{
    uint64_t zone[4] = {value, value * 3, value ^ 0x5555, ~value};
    __asm__ volatile("" ::"r"(zone) : "memory");
    uint64_t back = (uint64_t)(uintptr_t)cos_context_switch(from, to, (void *)(uintptr_t)value);
    __asm__ volatile("" ::"r"(zone) : "memory");
    return back + (zone[0] ^ zone[1] ^ zone[2] ^ zone[3]);
}

#define DEFINE_WORK(name, SWITCH, LEAF)                                                            \
    static COS_SWITCHES uint64_t name(struct flow *flow, uint64_t seed)                            \
    {                                                                                              \
        uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13, \
                 g = seed * 17;                                                                    \
        uint64_t h = seed * 19, i = seed * 23, j = seed * 29, k = seed * 31, l = seed * 37,        \
                 m = seed * 41;                                                                    \
        double u = 1.5, v = 2.25, w = 3.125, x = 4.5, y = 5.75, z = 6.875;                         \
        double lanes[LANES];                                                                       \
        for (int n = 0; n < LANES; n++) {                                                          \
            lanes[n] = (double)(n + 1) * 0.5;                                                      \
        }                                                                                          \
        for (uint64_t r = 0; r < flow->rounds; r++) {                                              \
            uint64_t got = (uint64_t)(uintptr_t)SWITCH(&flow->self, &flow->peer->self,             \
                                                       (void *)(uintptr_t)(a + r));                \
            a += got ^ b;                                                                          \
            b = b * 31 + c;                                                                        \
            c ^= d >> 3;                                                                           \
            d += e;                                                                                \
            e = (e << 7 | e >> 57) ^ f;                                                            \
            f += g;                                                                                \
            g ^= h + r;                                                                            \
            h += i;                                                                                \
            i = i * 5 + j;                                                                         \
            j ^= k;                                                                                \
            k += l;                                                                                \
            l ^= m;                                                                                \
            m += LEAF(&flow->self, &flow->peer->self, a);                                          \
            u = u * 0.5 + v;                                                                       \
            v = v * 0.25 + w;                                                                      \
            w = w * 0.5 + x;                                                                       \
            x = x * 0.125 + y;                                                                     \
            y = y * 0.5 + z;                                                                       \
            z = z * 0.25 + (double)(got & 0xff);                                                   \
            for (int n = 0; n < LANES; n++) {                                                      \
                lanes[n] = lanes[n] * 0.5 + u;                                                     \
            }                                                                                      \
        }                                                                                          \
        double sum = u + v + w + x + y + z;                                                        \
        for (int n = 0; n < LANES; n++) {                                                          \
            sum += lanes[n];                                                                       \
        }                                                                                          \
        uint64_t bits;                                                                             \
        memcpy(&bits, &sum, sizeof bits);                                                          \
        return a ^ b ^ c ^ d ^ e ^ f ^ g ^ h ^ i ^ j ^ k ^ l ^ m ^ bits;                           \
    }

DEFINE_WORK(work_inline, cos_context_switch_inline, leaf_inline)
DEFINE_WORK(work_plain, cos_context_switch, leaf_plain)

static COS_SWITCHES void fiber_entry(void *message)
{
    struct flow *flow = message;
    flow->answer = flow->use_inline ? work_inline(flow, 7) : work_plain(flow, 7);
    cos_context_switch_final(&flow->self, &flow->peer->self, NULL);
}

COS_SWITCHES uint64_t PROBE_NAME(void *stack_lo, void *stack_hi, int main_inline, int fiber_inline,
                                 uint64_t rounds)
{
    struct flow main_flow = {.use_inline = main_inline, .rounds = rounds};
    struct flow fiber_flow = {.use_inline = fiber_inline, .rounds = rounds};
    main_flow.peer = &fiber_flow;
    fiber_flow.peer = &main_flow;
    cos_context_init_thread(&main_flow.self);
    cos_context_make(&fiber_flow.self, stack_lo, stack_hi, fiber_entry);
    (void)cos_context_switch(&main_flow.self, &fiber_flow.self, &fiber_flow);
    uint64_t answer = main_inline ? work_inline(&main_flow, 3) : work_plain(&main_flow, 3);
    answer = answer * 3 + fiber_flow.answer;
    cos_context_fini(&fiber_flow.self);
    return answer;
}
