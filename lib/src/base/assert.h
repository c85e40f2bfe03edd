/* Assertions: programmer errors end the process with place and reason. Input from outside is never asserted. */
#ifndef COS_BASE_ASSERT_H
#define COS_BASE_ASSERT_H
#include <stdnoreturn.h>

/* Writes "cosched: file:line: function: what" to stderr with write(2), allocates nothing, aborts. */
noreturn void cos_fatal(const char *file, int line, const char *function, const char *what);

#define COS_LIKELY(x)   __builtin_expect(!!(x), 1)
#define COS_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The rarer half of a hot path: kept out of it, with its registers. */
/* Of a variable that other files name: no look through the table of what a program may replace. */
#define COS_HIDDEN __attribute__((visibility("hidden")))
#define COS_COLD   __attribute__((noinline, cold))

/* On in every build: cheap checks at both ends of a path. */
#define COS_ASSERT(x)     (COS_LIKELY(x) ? (void)0 : cos_fatal(__FILE__, __LINE__, __func__, #x))
#define COS_PANIC(what)   cos_fatal(__FILE__, __LINE__, __func__, what)
#define COS_UNREACHABLE() cos_fatal(__FILE__, __LINE__, __func__, "unreachable")

/* Debug builds only: checks that cost something on a hot path. */
#if defined(COS_DEBUG) && COS_DEBUG
#define COS_INVARIANT(x) COS_ASSERT(x)
#else
#define COS_INVARIANT(x) ((void)sizeof(x))
#endif

#define COS_STATIC_ASSERT(x, text)          _Static_assert(x, text)
#define COS_CACHE_LINE                      64
#define COS_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#endif
