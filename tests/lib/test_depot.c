/* The depot of control blocks: what it gives back, that no handle or ticket is mistaken for a later one afterwards, and that nobody
 * is surprised at a lock. White-box. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "run.h"
#include "sched/depot.h"
#include "sched/park.h"
#include "sched/runtime.h"

enum { CHUNKS = 8, BLOCKS = CHUNKS * COS_DEPOT_CHUNK };

static struct cos_task *block[BLOCKS];
static cosched_task handle[BLOCKS];
static uint32_t waits[BLOCKS];

static bool gives_back(void)
{
    return (COS_DEPOT_CHUNK * sizeof(struct cos_task)) % (size_t)sysconf(_SC_PAGESIZE) == 0;
}

static void take_all(void)
{
    EXPECT_EQ(cos_tasks_reserve(), 0);
    cos_tasks_limit(cos_tasks_capacity());
    for (int i = 0; i < BLOCKS; i++) {
        block[i] = cos_task_alloc(NULL);
        EXPECT(block[i] != NULL);
        handle[i] = cos_task_handle(block[i]);
        waits[i] = cos_wait_begin(&block[i]->wait);
        cos_wait_claim(&block[i]->wait, waits[i], COS_WOKEN);
        cos_wait_end(&block[i]->wait);
    }
}

static void put_all(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        if (block[i] != NULL) {
            cos_task_free(NULL, block[i]);
            block[i] = NULL;
        }
    }
}

/* Until it has nothing to do. A time that no rounding of the clock spoils. */
static void trim_later(void)
{
    int64_t later = cos_clock_now() + 2 * COS_DEPOT_IDLE_NS;
    while (cos_depot_trim(later) == later) {
    }
}

static size_t resident_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), resident = 0;
    for (char *at = (char *)cos_task_at(1); at < (char *)cos_task_at(BLOCKS + 1); at += page) {
        unsigned char in;
        EXPECT_EQ(mincore(at, page, &in), 0);
        resident += in & 1;
    }
    return resident;
}

START_TEST(idle_chunks_go_back_and_stale_handles_stay_stale)
{
    take_all();
    size_t before = resident_pages();
    EXPECT(before >= BLOCKS * sizeof(struct cos_task) / (size_t)sysconf(_SC_PAGESIZE));
    put_all();
    int64_t soon = cos_clock_now() + COS_DEPOT_IDLE_NS / 2;
    int64_t due = cos_depot_trim(soon);
    EXPECT(due > soon && due < soon + COS_DEPOT_IDLE_NS); /* too early: nothing happened */
    EXPECT_EQ(cos_depot_cold(), 0);
    EXPECT_EQ(resident_pages(), before);
    trim_later();
    if (!gives_back()) {
        return;
    }
    EXPECT_EQ(cos_depot_cold(), CHUNKS);
    EXPECT_EQ(resident_pages(), 0);
    EXPECT_EQ(cos_depot_trim(cos_clock_now() + 9 * COS_DEPOT_IDLE_NS), INT64_MAX);
    struct cos_task *last_life[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        last_life[i] = cos_task_lookup(handle[i]);
        EXPECT(last_life[i] != NULL); /* type-stable */
        EXPECT(cos_join_generation(cos_atomic_load(&last_life[i]->join, relaxed)) !=
               handle[i].generation);
        EXPECT_EQ(cos_wait_claim(&last_life[i]->wait, waits[i], COS_WOKEN), COS_CLAIM_LOST);
    }
    cosched_task old[BLOCKS];
    uint32_t old_waits[BLOCKS];
    memcpy(old, handle, sizeof old);
    memcpy(old_waits, waits, sizeof old_waits);
    take_all();
    EXPECT_EQ(cos_depot_cold(), 0);
    for (int i = 0; i < BLOCKS; i++) {
        uint32_t at = block[i]->index - 1; /* the first round took them in order */
        EXPECT(at < BLOCKS && old[at].index == block[i]->index);
        EXPECT(handle[i].generation > old[at].generation);
        EXPECT(waits[i] > old_waits[at]);
    }
    put_all();
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

START_TEST(a_chunk_of_which_one_block_lives_stays_as_it_is)
{
    take_all();
    struct cos_task *kept = block[3 * COS_DEPOT_CHUNK + 7];
    block[3 * COS_DEPOT_CHUNK + 7] = NULL;
    cosched_task lives = cos_task_handle(kept);
    put_all();
    trim_later();
    EXPECT_EQ(cos_depot_cold(), gives_back() ? CHUNKS - 1 : 0);
    EXPECT_EQ(cos_task_handle(kept).generation, lives.generation);
    struct cos_task *neighbour =
        cos_task_alloc(NULL); /* its chunk comes before those without memory */
    EXPECT_EQ((neighbour->index - 1) / COS_DEPOT_CHUNK, 3);
    cos_task_free(NULL, neighbour);
    cos_task_free(NULL, kept);
    trim_later();
    EXPECT_EQ(cos_depot_cold(), gives_back() ? CHUNKS : 0);
}

END_TEST

START_TEST(a_chunk_that_has_come_far_stays)
{
    take_all();
    cos_atomic_store(&block[5]->join, cos_join(UINT32_C(1) << 31, COS_JOIN_NONE), relaxed);
    cos_atomic_store(&block[COS_DEPOT_CHUNK + 5]->wait.word,
                     cos_wait_word(UINT32_C(1) << 31, COS_WAIT_RUNNING, 0), relaxed);
    put_all();
    trim_later();
    EXPECT_EQ(cos_depot_cold(), gives_back() ? CHUNKS - 2 : 0);
    take_all(); /* they are as good as ever */
    put_all();
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

/* A canceler with a stale handle holds the lock for a moment. */
START_TEST(a_chunk_is_not_taken_from_under_who_holds_a_lock_in_it)
{
    take_all();
    struct cos_task *held = block[2 * COS_DEPOT_CHUNK + 1];
    put_all();
    cos_lock_acquire(&held->scope.lock);
    trim_later();
    EXPECT_EQ(cos_depot_cold(), gives_back() ? CHUNKS - 1 : 0);
    EXPECT_EQ(cos_atomic_load(&held->scope.lock.word, relaxed), COS_LOCK_HELD);
    cos_lock_release(&held->scope.lock);
    EXPECT(cos_lock_try(&cos_task_at(1)->scope.lock)); /* all others are free, with memory or without */
    cos_lock_release(&cos_task_at(1)->scope.lock);
    EXPECT(cos_lock_try(&cos_task_at(held->index + 1)->scope.lock));
    cos_lock_release(&cos_task_at(held->index + 1)->scope.lock);
    EXPECT_EQ(cos_lock_held(), 0);
}

END_TEST

/* --- all at once: who locks free blocks, who uses them, who gives their memory back ------------------------------------------- */

enum { FEW = 3 * COS_DEPOT_CHUNK };

static COS_ATOMIC(uint32_t) inside[FEW + 1]; /* beside the block: how many hold its lock */
static COS_ATOMIC(uint32_t) over;

static void *locks_whatever_it_finds(void *seed)
{
    uint32_t x = (uint32_t)(uintptr_t)seed;
    uint64_t n = 0;
    while (cos_atomic_load(&over, relaxed) == 0) {
        x = x * 1664525 + 1013904223;
        uint32_t i = 1 + (x >> 8) % FEW;
        struct cos_task *t = cos_task_at(i);
        cos_lock_acquire(&t->scope.lock);
        EXPECT_EQ(cos_atomic_add(&inside[i], 1, relaxed), 0);
        EXPECT_EQ(cos_atomic_sub(&inside[i], 1, relaxed), 1);
        cos_lock_release(&t->scope.lock);
        n++;
    }
    return (void *)(uintptr_t)n;
}

static void *uses_blocks(void *rounds)
{
    struct cos_task *mine[FEW / 4];
    for (uintptr_t round = 0; round < (uintptr_t)rounds; round++) {
        for (int i = 0; i < FEW / 4; i++) {
            mine[i] = cos_task_alloc(NULL);
            EXPECT(mine[i] != NULL && mine[i]->kind == COS_TASK_FREE);
            mine[i]->kind = COS_TASK_HOP;
        }
        for (int i = 0; i < FEW / 4; i++) {
            cos_task_free(NULL, mine[i]);
        }
        (void)cos_depot_trim(cos_clock_now() + 2 * COS_DEPOT_IDLE_NS);
    }
    return NULL;
}

START_TEST(locks_hold_while_memory_comes_and_goes)
{
    const uintptr_t rounds = RUN_SIZE(1000, 200, 50);
    pthread_t locks[2], uses[2];
    take_all();
    put_all();
    for (uintptr_t i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_create(&locks[i], NULL, locks_whatever_it_finds, (void *)(i + 1)), 0);
        EXPECT_EQ(pthread_create(&uses[i], NULL, uses_blocks, (void *)rounds), 0);
    }
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_join(uses[i], NULL), 0);
    }
    cos_atomic_store(&over, 1, relaxed);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(pthread_join(locks[i], NULL), 0);
    }
    EXPECT_EQ(cos_tasks_in_use(), 0);
}

END_TEST

/* --- a runtime that falls idle ------------------------------------------------------------------------------------------------ */

enum { SLEEPERS = RUN_SIZE(20000, 4000, 2000) };

static COS_ATOMIC(int) arrived;

static int64_t waits_for_turn(void *sem)
{
    cos_atomic_add(&arrived, 1, relaxed);
    return cosched_sem_acquire(sem, COSCHED_NEVER);
}

static long resident_kib(void)
{
    long size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    EXPECT(f != NULL && fscanf(f, "%ld %ld", &size, &resident) == 2);
    (void)fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void suspend_many_and_wake_them(cosched_affinity where)
{
    cosched_sem sem = {0};
    cosched_group group;
    cosched_attr attr = {.struct_size = sizeof attr, .affinity = where};
    cos_atomic_store(&arrived, 0, relaxed);
    EXPECT_EQ(cosched_group_init(&group, NULL), 0);
    for (int i = 0; i < SLEEPERS; i++) {
        EXPECT_EQ(cosched_group_spawn(&group, waits_for_turn, &sem, &attr), 0);
    }
    UNTIL(cos_atomic_load(&arrived, relaxed) == SLEEPERS);
    cosched_sem_release(&sem, SLEEPERS);
    EXPECT_EQ(cosched_group_join(&group, COSCHED_NEVER), 0);
}

/* However long the machine takes: all but some of the chunks, and of the memory, are back at last. */
SCENARIO(what_many_tasks_took_goes_back_when_all_are_idle)
{
    suspend_many_and_wake_them(COSCHED_MAIN); /* what is warmed up once, is */
    long before = resident_kib();
    suspend_many_and_wake_them(cos_runtime()->workers > 0 ? COSCHED_WORKER : COSCHED_MAIN);
    long most = resident_kib();
    while (gives_back() && cos_depot_cold() < SLEEPERS / COS_DEPOT_CHUNK * 3 / 4) {
        EXPECT_EQ(cosched_sleep_until(cosched_in_ms(700)), 0);
    }
    if (!COS_SANITIZED && gives_back()) { /* whose own memory grows with what they watch */
        while (resident_kib() > before - SLEEPERS * 4 * 3 / 4) {
            EXPECT_EQ(cosched_sleep_until(cosched_in_ms(700)), 0);
        }
        EXPECT(resident_kib() < most);
    }
}

RUN_MAIN("depot", ONCE(idle_chunks_go_back_and_stale_handles_stay_stale),
         ONCE(a_chunk_of_which_one_block_lives_stays_as_it_is),
         ONCE(a_chunk_that_has_come_far_stays),
         ONCE(a_chunk_is_not_taken_from_under_who_holds_a_lock_in_it),
         ONCE(locks_hold_while_memory_comes_and_goes),
         EACH(what_many_tasks_took_goes_back_when_all_are_idle))
