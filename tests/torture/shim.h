/* Faults on purpose: the functions of libc that libcosched and libuv call, defined anew in the test's executable, where the
 * dynamic linker finds them first. Each counts its calls while a run is under way; the one that the plan names fails as the
 * plan says, every other goes to the real function. What a run leaves behind is counted, too.
 *
 * A fault is a function, an error and a caller: libuv ends the process over some errors (shim_table.c says which), so what
 * it calls gets only those that it reports. */
#ifndef TORTURE_SHIM_H
#define TORTURE_SHIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define TORTURE_FUNCTIONS(X)                                                                        \
    X(calloc) X(aligned_alloc) X(mmap) X(mprotect) X(madvise) X(pthread_create)                     \
    X(pthread_mutex_init) X(pthread_cond_init) X(pthread_attr_init) X(pthread_cond_timedwait)       \
    X(eventfd) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(pipe2) X(read) X(write) X(open)        \
    X(pread) X(pwrite) X(fsync) X(stat) X(lstat) X(close) X(opendir) X(readdir) X(fopen)            \
    X(fgets) X(fchmod) X(fchmodat) X(socket) X(bind) X(listen) X(accept4) X(connect) X(recv)        \
    X(send) X(sendto) X(recvmsg) X(sendmsg) X(setsockopt) X(getsockopt) X(getsockname)              \
    X(shutdown) X(fcntl) X(poll) X(waitid) X(getaddrinfo) X(inotify_init1)                          \
    X(inotify_add_watch) X(inotify_rm_watch) X(sigaction) X(sigaltstack) X(sched_getaffinity)       \
    X(pidfd_open) X(futex_wait) X(membarrier) X(fdatasync) X(fstat) X(ftruncate) X(rename)          \
    X(unlink) X(mkdir) X(rmdir) X(writev) X(sigpending) X(sigtimedwait) X(socketpair)               \
    X(getpeername) X(ioctl) X(isatty) X(kill) X(tcgetattr) X(tcsetattr) X(ttyname_r)                \
    X(posix_spawnp) X(posix_spawn_file_actions_init) X(posix_spawn_file_actions_addopen)            \
    X(posix_spawn_file_actions_adddup2) X(posix_spawn_file_actions_addchdir_np)                     \
    X(posix_spawn_file_actions_addclosefrom_np) X(posix_spawnattr_init)
/* clang-format on */

#define TORTURE_ID(name) F_##name,

enum torture_function { TORTURE_FUNCTIONS(TORTURE_ID) F_COUNT };

#undef TORTURE_ID

extern const char *const torture_names[F_COUNT];

enum torture_caller { BY_LIB, BY_UV, BY_OTHERS, CALLERS };

struct torture_fault {
    enum torture_function function;
    enum torture_caller caller;
    int error;  /* errno; of functions that return their error, that */
    int also;   /* another name by which it may be reported; 0: none */
    bool loses; /* libuv's epoll descriptor may be left open */
};

extern const struct torture_fault torture_faults[];
extern const size_t torture_faults_count;

/* --- a run ------------------------------------------------------------------------------------------------- */

void torture_init(void); /* once in each process: finds out where libcosched and libuv are */
/* From now on calls are counted; the at-th of the fault's function by its caller fails. fault NULL: none does. storm: whatever
 * may be interrupted is, every other time, and transfers move one byte. */
void torture_begin(const struct torture_fault *fault, unsigned at, bool storm);
bool torture_fired(void);
unsigned torture_calls(enum torture_function function, enum torture_caller caller);
/* What the run reports: the first error, but the planned one before all others. Any thread. */
void torture_note(int64_t rc);
int64_t torture_noted(void);
/* For an error that may be the echo of another's: only if it is the planned one. */
void torture_note_if_planned(int64_t rc);
/* Waits for threads to end, stops counting, and says what is left: NULL, or a text. */
const char *torture_end(void);

/* Calls of the scenario's own between these are not counted. They do not suspend. */
void torture_quiet(bool quiet);

/* --- for the definitions ------------------------------------------------------------------------------------ */

/* The error that this call fails with, or 0. */
int torture_fault(enum torture_function function, const void *caller);
/* The same for functions with parts; `storm` as above. */
bool torture_interrupted(void);
bool torture_storms(void);
enum torture_caller torture_caller_of(const void *address);
bool torture_under_way(void);
void *torture_real(void **cache, const char *name);

void torture_heap_begin(void);
size_t torture_heap_left(char *text, size_t size);
void torture_count_mapped(int64_t bytes);
#endif
