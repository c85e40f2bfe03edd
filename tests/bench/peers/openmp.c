/* Tasks of OpenMP, by the compiler that this is built with.   usage: peer_openmp_… await|fib COUNT THREADS */
#include <omp.h>

#include "../figure.h"

static int64_t fib(int64_t n)
{
    if (n < 2) {
        return n;
    }
    int64_t left, right;
#pragma omp task shared(left)
    left = fib(n - 1);
    right = fib(n - 2);
#pragma omp taskwait
    return left + right;
}

static double calls_of(long n)
{
    double a = 1, b = 1;
    for (long i = 1; i <= n; i++) {
        double next = a + b;
        a = b;
        b = next;
    }
    return 2 * a - 1;
}

int main(int argc, char **argv)
{
    long n = param(argc, argv, 1, 1000);
    int threads = (int)param(argc, argv, 2, 1);
    int is_fib = argc > 1 && strcmp(argv[1], "fib") == 0;
    int64_t value = 0;
    double took = 0;
    omp_set_dynamic(0);
#pragma omp parallel num_threads(threads)
#pragma omp single
    {
        int64_t start = now_ns();
        if (is_fib) {
            value = fib(n);
        } else {
            for (long i = 0; i < n; i++) {
#pragma omp task shared(value)
                value = i + 1;
#pragma omp taskwait
            }
        }
        took = (double)(now_ns() - start);
    }
    figure(is_fib ? "fib" : "await", took / (is_fib ? calls_of(n) : (double)n), "ns");
    return value < 0;
}
