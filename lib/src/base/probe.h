/* USDT probes of provider "cosched": an instruction that does nothing, and a note that says where it is and where its arguments
 * are, for bpftrace, perf and systemtap. Without sys/sdt.h at build time there are none. */
#ifndef COS_BASE_PROBE_H
#define COS_BASE_PROBE_H

#if defined(COS_HAVE_SDT)
#include <sys/sdt.h>
#ifdef __clang__ /* its macros count their arguments as gcc allows it */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define COS_PROBE1(name, a)       DTRACE_PROBE1(cosched, name, a)
#define COS_PROBE2(name, a, b)    DTRACE_PROBE2(cosched, name, a, b)
#define COS_PROBE3(name, a, b, c) DTRACE_PROBE3(cosched, name, a, b, c)
#else
#define COS_PROBE1(name, a)       ((void)0)
#define COS_PROBE2(name, a, b)    ((void)0)
#define COS_PROBE3(name, a, b, c) ((void)0)
#endif
#endif
