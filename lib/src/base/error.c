/* Texts of the errors that libcosched returns. */
#include <cosched/cosched.h>

#include <errno.h>
#include <string.h>

const char *cosched_strerror(int64_t error)
{
    switch (error) {
    case -ETIMEDOUT: return "the deadline has passed";
    case -ECANCELED: return "the task was canceled";
    case -ESTALE: return "the handle was used before, or names nothing";
    case -EDEADLK: return "a task cannot wait for itself";
    default: break;
    }
    if (error >= 0) {
        return "success";
    }
    /* strerrordesc_np is not translated and safe in any thread (glibc 2.32). */
    const char *text = error >= -4096 ? strerrordesc_np((int)-error) : NULL;
    return text != NULL ? text : "unknown error";
}
