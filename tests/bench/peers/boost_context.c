/* Boost.Context's switch, as its fibers use it. */
#include "../figure.h"

typedef struct {
    void *fctx;
    void *data;
} transfer_t;

transfer_t jump_fcontext(void *to, void *message);
void *make_fcontext(void *stack_hi, size_t size, void (*fn)(transfer_t));

static void entry(transfer_t from)
{
    for (;;) {
        from = jump_fcontext(from.fctx, from.data);
    }
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[65536];
    long n = param(argc, argv, 1, 1000);
    void *fiber = make_fcontext(stack + sizeof stack, sizeof stack, entry);
    int64_t start = 0;
    for (long i = -n / 10; i < n; i += 2) { /* the first tenth warms up */
        if (start == 0 && i >= 0) {
            start = now_ns();
        }
        fiber = jump_fcontext(fiber, NULL).fctx;
    }
    figure("switch", (double)(now_ns() - start) / (double)n, "ns");
    return 0;
}
