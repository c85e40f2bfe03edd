/* A copy of the user's hooks, const while a runtime exists: whoever reads it was started, or let in, by that runtime. */
#include "base/hooks.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"

static cosched_hooks hooks;

int cos_hooks_set(const cosched_hooks *given)
{
    cosched_hooks h = {.struct_size = sizeof h};
    if (given != NULL) {
        if (given->struct_size == 0 || given->struct_size > sizeof h) {
            return -EINVAL;
        }
        memcpy(&h, given, given->struct_size);
    }
    int memory = (h.alloc != NULL) + (h.realloc != NULL) + (h.free != NULL);
    if (memory != 0 && memory != 3) {
        return -EINVAL;
    }
    int rc = cos_alloc_use(h.data, h.alloc, h.free);
    if (rc == 0) {
        hooks = h;
    }
    return rc;
}

void cos_hooks_drop(void)
{
    hooks = (cosched_hooks){.struct_size = 0};
    (void)cos_alloc_use(NULL, NULL, NULL); /* -EBUSY: the next set or drop tries again */
}

const cosched_hooks *cos_hooks(void)
{
    return &hooks;
}

static void to_stderr(const char *text)
{
    struct iovec parts[] = {{(void *)(uintptr_t) "cosched: ", 9},
                            {(void *)(uintptr_t)text, strlen(text)},
                            {(void *)(uintptr_t) "\n", 1}};
    ssize_t ignored = writev(STDERR_FILENO, parts, 3);
    (void)ignored;
}

void cos_log(cosched_log_level level, const char *text)
{
    if (hooks.log != NULL) {
        hooks.log(hooks.data, level, text);
    } else if (level == COSCHED_LOG_ERROR) {
        to_stderr(text);
    }
}
