// oneTBB: task groups, and parallel_invoke for trees.   usage: peer_tbb await|fib|skynet COUNT THREADS
#include <numeric>
#include <tbb/global_control.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "../figure.h"

static int64_t fib(int64_t n)
{
    if (n < 2) {
        return n;
    }
    int64_t left = 0, right = 0;
    tbb::parallel_invoke([&] { left = fib(n - 1); }, [&] { right = fib(n - 2); });
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

static int64_t skynet(int64_t first, int64_t leaves)
{
    enum { FAN = 10 };
    if (leaves == 1) {
        return first;
    }
    int64_t part[FAN];
    tbb::task_group children;
    for (int i = 0; i < FAN; i++) {
        children.run([&part, i, first, leaves] { part[i] = skynet(first + i * (leaves / FAN), leaves / FAN); });
    }
    children.wait();
    return std::accumulate(part, part + FAN, int64_t{0});
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        return unknown("peer_tbb");
    }
    long n = param(argc, argv, 1, 1000);
    int threads = int(param(argc, argv, 2, 1));
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, size_t(threads));
    tbb::task_arena arena(threads);
    int bad = 0;
    arena.execute([&] {
        int64_t start = now_ns();
        if (strcmp(argv[1], "await") == 0) {
            tbb::task_group group;
            int64_t value = 0;
            for (long i = 0; i < n; i++) {
                group.run([&value, i] { value = i + 1; });
                group.wait();
            }
            figure("await", double(now_ns() - start) / double(n), "ns");
        } else if (strcmp(argv[1], "fib") == 0) {
            bad = fib(n) < 0;
            figure("fib", double(now_ns() - start) / calls_of(n), "ns");
        } else {
            bad = skynet(0, n) != n * (n - 1) / 2;
            figure("skynet", double(now_ns() - start) / 1e6, "ms");
            figure("memory", memory_of("VmHWM") / 1e6, "MB");
        }
    });
    return bad;
}
