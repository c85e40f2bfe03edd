/* Which sanitizer builds this file: one spelling for gcc (__SANITIZE_x__) and clang (__has_feature). */
#ifndef COS_ARCH_SANITIZER_H
#define COS_ARCH_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__)
#define COS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COS_ASAN 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define COS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COS_TSAN 1
#endif
#endif

#ifndef COS_ASAN
#define COS_ASAN 0
#endif
#ifndef COS_TSAN
#define COS_TSAN 0
#endif

#define COS_SANITIZED (COS_ASAN || COS_TSAN)
#endif
