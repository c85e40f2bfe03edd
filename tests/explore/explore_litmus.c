/* The explorer examined: litmus tests with known outcomes. A missing outcome means that it would miss faults, one
 * too many that it would raise false alarms. */
#include <stdio.h>

#include "arch/fence.h"
#include "base/atomic.h"
#include "explore.h"

static COS_ATOMIC(uint32_t) x, y;
static uint32_t r[4];

static void setup(void)
{
    x = y = 0;
    r[0] = r[1] = r[2] = r[3] = 0;
    ex_name(&x, "x");
    ex_name(&y, "y");
}

static void outcome2(void)
{
    ex_outcome(r[0] * 2 + r[1]);
}

static void outcome4(void)
{
    ex_outcome(r[0] * 8 + r[1] * 4 + r[2] * 2 + r[3]);
}

/* SB: each thread stores one and loads the other. (0,0) is bit 0. */
#define SB_BODY(name, mine, other, i, fence)     \
    static void name(void)                       \
    {                                            \
        cos_atomic_store(&mine, 1, release);     \
        fence;                                   \
        r[i] = cos_atomic_load(&other, acquire); \
    }
SB_BODY(sb_plain_0, x, y, 0, (void)0)
SB_BODY(sb_plain_1, y, x, 1, (void)0)
SB_BODY(sb_full_0, x, y, 0, cos_atomic_fence_full())
SB_BODY(sb_full_1, y, x, 1, cos_atomic_fence_full())
SB_BODY(sb_light_0, x, y, 0, cos_fence_light())
SB_BODY(sb_light_1, y, x, 1, cos_fence_light())
SB_BODY(sb_heavy_1, y, x, 1, cos_fence_heavy())

/* SB by seq_cst accesses alone, as in sched/scope.c: an exchange, then a load. */
static void sb_sc_0(void)
{
    (void)cos_atomic_exchange(&x, 1, seq_cst);
    r[0] = cos_atomic_load(&y, seq_cst);
}

static void sb_sc_1(void)
{
    (void)cos_atomic_exchange(&y, 1, seq_cst);
    r[1] = cos_atomic_load(&x, seq_cst);
}

static void sb_sc_load_1(void)
{
    (void)cos_atomic_exchange(&y, 1, acq_rel);
    r[1] = cos_atomic_load(&x, seq_cst);
}

static void sb_acq_load_1(void)
{
    (void)cos_atomic_exchange(&y, 1, seq_cst);
    r[1] = cos_atomic_load(&x, acquire);
}

/* MP: x is the message, y the flag. (flag 1, message 0) is bit 2. */
#define MP_BODIES(name, release_order, acquire_order) \
    static void name##_0(void)                        \
    {                                                 \
        cos_atomic_store(&x, 1, relaxed);             \
        cos_atomic_store(&y, 1, release_order);       \
    }                                                 \
    static void name##_1(void)                        \
    {                                                 \
        r[0] = cos_atomic_load(&y, acquire_order);    \
        r[1] = cos_atomic_load(&x, relaxed);          \
    }
MP_BODIES(mp_ra, release, acquire)
MP_BODIES(mp_rx, release, relaxed)
MP_BODIES(mp_xa, relaxed, acquire)

/* MP through fences: release fence and acquire fence are parts of the full one. */
static void mp_fence_0(void)
{
    cos_atomic_store(&x, 1, relaxed);
    cos_atomic_fence_full();
    cos_atomic_store(&y, 1, relaxed);
}

static void mp_fence_1(void)
{
    r[0] = cos_atomic_load(&y, relaxed);
    cos_atomic_fence_full();
    r[1] = cos_atomic_load(&x, relaxed);
}

/* MP through a read-modify-write in between: it continues the release it replaces. */
static void mp_rmw_0(void)
{
    cos_atomic_store(&x, 1, relaxed);
    (void)cos_atomic_or(&y, 1, release);
}

static void mp_rmw_1(void)
{
    (void)cos_atomic_or(&y, 2, relaxed);
}

static void mp_rmw_2(void)
{
    r[0] = cos_atomic_load(&y, acquire) & 1;
    r[1] = cos_atomic_load(&x, relaxed);
}

/* IRIW: two writers, two readers in opposite order. The readers disagree in (1,0,1,0), bit 10. */
static void iriw_x(void)
{
    cos_atomic_store(&x, 1, release);
}

static void iriw_y(void)
{
    cos_atomic_store(&y, 1, release);
}

#define IRIW_READER(name, first, second, i, fence)    \
    static void name(void)                            \
    {                                                 \
        r[i] = cos_atomic_load(&first, acquire);      \
        fence;                                        \
        r[i + 1] = cos_atomic_load(&second, acquire); \
    }
IRIW_READER(iriw_plain_2, x, y, 0, (void)0)
IRIW_READER(iriw_plain_3, y, x, 2, (void)0)
IRIW_READER(iriw_full_2, x, y, 0, cos_atomic_fence_full())
IRIW_READER(iriw_full_3, y, x, 2, cos_atomic_fence_full())

/* CoRR: two loads of one location never go back. (1,0) is bit 2. */
static void corr_1(void)
{
    r[0] = cos_atomic_load(&x, relaxed);
    r[1] = cos_atomic_load(&x, relaxed);
}

struct litmus {
    struct ex_program program;
    uint64_t outcomes; /* exactly these */
};

#define ALL4 UINT64_C(0xf)
static const struct litmus litmus[] = {
    {{"sb", 2, setup, {sb_plain_0, sb_plain_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"sb+full+full", 2, setup, {sb_full_0, sb_full_1}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(1)},
    {{"sb+full+none", 2, setup, {sb_full_0, sb_plain_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"sb+light+heavy", 2, setup, {sb_light_0, sb_heavy_1}, NULL, outcome2, 9, 0},
     ALL4 & ~UINT64_C(1)},
    {{"sb+light+light", 2, setup, {sb_light_0, sb_light_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"sb+none+heavy", 2, setup, {sb_plain_0, sb_heavy_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"sb+sc+sc", 2, setup, {sb_sc_0, sb_sc_1}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(1)},
    {{"sb+sc+acq_rel store", 2, setup, {sb_sc_0, sb_sc_load_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"sb+sc+acquire load", 2, setup, {sb_sc_0, sb_acq_load_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"mp+release+acquire", 2, setup, {mp_ra_0, mp_ra_1}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(4)},
    {{"mp+release+relaxed", 2, setup, {mp_rx_0, mp_rx_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"mp+relaxed+acquire", 2, setup, {mp_xa_0, mp_xa_1}, NULL, outcome2, 9, 0}, ALL4},
    {{"mp+fences", 2, setup, {mp_fence_0, mp_fence_1}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(4)},
    {{"mp+rmw", 3, setup, {mp_rmw_0, mp_rmw_1, mp_rmw_2}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(4)},
    {{"iriw+acquire", 4, setup, {iriw_x, iriw_y, iriw_plain_2, iriw_plain_3}, NULL, outcome4, 9, 0},
     UINT64_C(0xffff)},
    {{"iriw+full", 4, setup, {iriw_x, iriw_y, iriw_full_2, iriw_full_3}, NULL, outcome4, 9, 0},
     UINT64_C(0xffff) & ~(UINT64_C(1) << 10)},
    {{"corr", 2, setup, {iriw_x, corr_1}, NULL, outcome2, 9, 0}, ALL4 & ~UINT64_C(4)},
};

/* The race detector examined: a payload behind a relaxed flag must be reported. */
static int payload;

static void race_0(void)
{
    ex_data_write(&payload);
    cos_atomic_store(&x, 1, relaxed);
}

static void race_1(void)
{
    if (cos_atomic_load(&x, acquire) == 1) {
        ex_data_read(&payload);
    }
}

/* The sleeper detector examined: check, then sleep, without a word that changes. */
static void sleep_0(void)
{
    cos_atomic_store(&x, 1, release);
    (void)cos_atomic_load(&y, relaxed);
}

extern int cos_futex_wait(COS_ATOMIC(uint32_t) * word, uint32_t expected, int64_t deadline_ns);

static void sleep_1(void)
{
    if (cos_atomic_load(&x, acquire) == 0) {
        (void)cos_futex_wait(&y, 0, INT64_MAX);
    }
}

int main(void)
{
    int failed = 0;
    for (unsigned i = 0; i < sizeof litmus / sizeof litmus[0]; i++) {
        failed |= ex_run(&litmus[i].program);
        if (ex_outcomes() != litmus[i].outcomes) {
            printf("%s: outcomes %#lx, expected %#lx\n", litmus[i].program.name,
                   (unsigned long)ex_outcomes(), (unsigned long)litmus[i].outcomes);
            failed = 1;
        }
    }
    static const struct ex_program race = {
        "must fail: race", 2, setup, {race_0, race_1}, NULL, NULL, 9, 0};
    static const struct ex_program lost = {
        "must fail: sleep", 2, setup, {sleep_0, sleep_1}, NULL, NULL, 9, 0};
    if (ex_run(&race) == 0 || ex_run(&lost) == 0) {
        printf("a fault was missed\n");
        failed = 1;
    }
    return failed;
}
