/* probe.h - USDT probes of provider "cosched": job_state (id, state, attempt), a job has come to a state, and commit (requests,
 * ns), a transaction is on disk. None without sys/sdt.h at build time.
 */
#ifndef DAEMON_PROBE_H
#define DAEMON_PROBE_H
#if defined(COSCHED_HAVE_SDT)
#include <sys/sdt.h>
#ifdef __clang__ /* its macros count their arguments as gcc allows it */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define PROBE_JOB_STATE(id, state, attempt) DTRACE_PROBE3(cosched, job_state, id, state, attempt)
#define PROBE_COMMIT(requests, ns)          DTRACE_PROBE2(cosched, commit, requests, ns)
#else
#define PROBE_JOB_STATE(id, state, attempt) ((void)0)
#define PROBE_COMMIT(requests, ns)          ((void)0)
#endif

#endif
