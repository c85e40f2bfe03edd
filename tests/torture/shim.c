/* The plan and the accounts of one run. */
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS = 512 };

/* All relaxed: written between runs, when no other thread lives, but for the counters, which stand for themselves. */
static atomic_bool under_way;
static const struct torture_fault *_Atomic plan;
static atomic_uint plan_at;
static atomic_bool fired, storming;
static atomic_uint calls[F_COUNT][CALLERS];
static atomic_uint storm_turn;
static _Atomic int64_t noted;
static _Atomic int64_t mapped, mapped_before;
static _Thread_local bool quiet;
atomic_int torture_threads;

static bool open_before[DESCRIPTORS];
static char left_text[1024];

/* --- who calls ------------------------------------------------------------------------------------------------ */

static struct range {
    uintptr_t from, to;
    enum torture_caller who;
} ranges[8];

static size_t range_count;

static int take_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    bool self = info->dlpi_name == NULL || info->dlpi_name[0] == '\0';
    bool uv = !self && strstr(info->dlpi_name, "libuv") != NULL;
    for (int i = 0; (self || uv) && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) != 0 && range_count < 8 &&
            !(self && info->dlpi_addr == 0 && range_count > 0)) {
            uintptr_t from = info->dlpi_addr + p->p_vaddr;
            ranges[range_count++] = (struct range){from, from + p->p_memsz, self ? BY_LIB : BY_UV};
        }
    }
    return 0;
}

void torture_init(void)
{
    range_count = 0;
    dl_iterate_phdr(take_module, NULL);
}

enum torture_caller torture_caller_of(const void *address)
{
    for (size_t i = 0; i < range_count; i++) {
        if ((uintptr_t)address >= ranges[i].from && (uintptr_t)address < ranges[i].to) {
            return ranges[i].who;
        }
    }
    return BY_OTHERS;
}

void *torture_real(void **cache, const char *name)
{
    void *found = __atomic_load_n(cache, __ATOMIC_RELAXED);
    if (found == NULL) {
        found = dlsym(RTLD_NEXT, name);
        if (found == NULL) {
            fprintf(stderr, "torture: no %s\n", name);
            abort();
        }
        __atomic_store_n(cache, found, __ATOMIC_RELAXED);
    }
    return found;
}

/* --- the plan --------------------------------------------------------------------------------------------------- */

bool torture_under_way(void)
{
    return atomic_load_explicit(&under_way, memory_order_relaxed) && !quiet;
}

int torture_fault(enum torture_function function, const void *caller)
{
    if (!torture_under_way()) {
        return 0;
    }
    enum torture_caller who = torture_caller_of(caller);
    unsigned n = 1 + atomic_fetch_add_explicit(&calls[function][who], 1, memory_order_relaxed);
    const struct torture_fault *f = atomic_load_explicit(&plan, memory_order_relaxed);
    if (f != NULL && f->function == function && f->caller == who &&
        n == atomic_load_explicit(&plan_at, memory_order_relaxed)) {
        atomic_store_explicit(&fired, true, memory_order_relaxed);
        return f->error;
    }
    return 0;
}

bool torture_storms(void)
{
    return atomic_load_explicit(&storming, memory_order_relaxed) && torture_under_way();
}

bool torture_interrupted(void)
{
    /* Every other time on average; strictly, a loop of two calls would meet it at the same one for ever. */
    return torture_storms() &&
           (atomic_fetch_add_explicit(&storm_turn, 1, memory_order_relaxed) * UINT32_C(2654435769) >>
                16 &
            1) == 0;
}

bool torture_fired(void)
{
    return atomic_load_explicit(&fired, memory_order_relaxed);
}

unsigned torture_calls(enum torture_function function, enum torture_caller caller)
{
    return atomic_load_explicit(&calls[function][caller], memory_order_relaxed);
}

void torture_quiet(bool on)
{
    quiet = on;
}

static bool planned(int64_t rc)
{
    const struct torture_fault *f = atomic_load_explicit(&plan, memory_order_relaxed);
    return f != NULL && (rc == -f->error || (f->also != 0 && rc == -f->also));
}

void torture_note(int64_t rc)
{
    int64_t before = atomic_load(&noted);
    while (rc < 0 && (before == 0 || (planned(rc) && !planned(before)))) {
        if (atomic_compare_exchange_weak(&noted, &before, rc)) {
            return;
        }
    }
}

void torture_note_if_planned(int64_t rc)
{
    if (planned(rc)) {
        torture_note(rc);
    }
}

int64_t torture_noted(void)
{
    return atomic_load(&noted);
}

void torture_count_mapped(int64_t bytes)
{
    atomic_fetch_add(&mapped, bytes);
}

/* --- what a run leaves behind ------------------------------------------------------------------------------------- */

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

void torture_begin(const struct torture_fault *fault, unsigned at, bool storm)
{
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        open_before[fd] = is_open(fd);
    }
    memset(calls, 0, sizeof calls);
    atomic_store(&noted, 0);
    atomic_store(&mapped_before, atomic_load(&mapped));
    atomic_store(&plan, fault);
    atomic_store(&plan_at, at);
    atomic_store(&fired, false);
    atomic_store(&storming, storm);
    atomic_store(&storm_turn, 0);
    torture_heap_begin();
    atomic_store(&under_way, true);
}

static void left(const char *what, long n)
{
    size_t used = strlen(left_text);
    snprintf(left_text + used, sizeof left_text - used, "%s%s %ld", used > 0 ? ", " : "", what, n);
}

/* Known and closed here, so that the next run has what this one had. */
static bool lost_by_uv(int fd)
{
    const struct torture_fault *f = atomic_load(&plan);
    char link[64], path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, link, sizeof link);
    bool epoll = n > 0 && memmem(link, (size_t)n, "eventpoll", 9) != NULL;
    return f != NULL && f->loses && torture_fired() && epoll && close(fd) == 0;
}

const char *torture_end(void)
{
    while (atomic_load(&torture_threads) > 0) {
        sched_yield(); /* one that does not end is a hang, which the driver's alarm finds */
    }
    atomic_store(&under_way, false);
    left_text[0] = '\0';
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (is_open(fd) && !open_before[fd]) {
            if (!lost_by_uv(fd)) {
                left("descriptor", fd);
            }
        } else if (!is_open(fd) && open_before[fd]) {
            left("closed another's descriptor", fd);
        }
    }
    int64_t more = atomic_load(&mapped) - atomic_load(&mapped_before);
    if (more != 0) {
        left("bytes mapped:", (long)more);
    }
    pid_t child = waitpid(-1, NULL, WNOHANG);
    if (child >= 0 || errno != ECHILD) {
        left("child", child);
    }
    char heap[512];
    size_t blocks = torture_heap_left(heap, sizeof heap);
    if (blocks > 0) {
        left(heap, (long)blocks);
    }
    return left_text[0] != '\0' ? left_text : NULL;
}
