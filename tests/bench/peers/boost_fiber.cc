// Boost.Fiber on one thread, on its pooled stacks of 16 KiB.
#include <boost/fiber/all.hpp>
#include <memory>
#include <vector>

#include "../figure.h"

using boost::fibers::fiber;

static boost::fibers::pooled_fixedsize_stack stacks(16 * 1024);

template <typename F> static fiber start_fiber(F body)
{
    return fiber(std::allocator_arg, stacks, body);
}

static void run_await(long n)
{
    int64_t start = now_ns();
    for (long i = 0; i < n; i++) {
        start_fiber([] {}).join();
    }
    figure("await", double(now_ns() - start) / double(n), "ns");
}

static void run_yield(long n)
{
    auto yields = [n] {
        for (long i = 0; i < n; i++) {
            boost::this_fiber::yield();
        }
    };
    int64_t start = now_ns();
    fiber other = start_fiber(yields);
    yields();
    other.join();
    figure("yield", double(now_ns() - start) / (2.0 * double(n)), "ns");
}

static void run_channel(long n)
{
    boost::fibers::buffered_channel<int64_t> channel(64);
    int64_t start = now_ns();
    fiber receiver = start_fiber([&channel] {
        int64_t value;
        while (channel.pop(value) == boost::fibers::channel_op_status::success) {
        }
    });
    for (int64_t i = 0; i < n; i++) {
        channel.push(i);
    }
    channel.close();
    receiver.join();
    figure("channel", double(now_ns() - start) / double(n), "ns");
}

static void run_suspended(long n)
{
    boost::fibers::mutex lock;
    boost::fibers::condition_variable turn;
    bool open = false;
    long arrived = 0;
    std::vector<fiber> fibers;
    fibers.reserve(size_t(n));
    double rss = memory_of("VmRSS");
    int64_t start = now_ns();
    for (long i = 0; i < n; i++) {
        fibers.push_back(start_fiber([&] {
            std::unique_lock<boost::fibers::mutex> held(lock);
            arrived++;
            turn.wait(held, [&] { return open; });
        }));
    }
    while (arrived < n) {
        boost::this_fiber::yield();
    }
    figure("create", double(now_ns() - start) / 1e6, "ms");
    figure("memory", (memory_of("VmRSS") - rss) / double(n), "B");
    start = now_ns();
    open = true;
    turn.notify_all();
    for (fiber &f : fibers) {
        f.join();
    }
    figure("wake", double(now_ns() - start) / 1e6, "ms");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long);
    } workloads[] = {
        {"await", run_await}, {"yield", run_yield}, {"channel", run_channel}, {"suspended", run_suspended}};
    for (auto &w : workloads) {
        if (argc > 1 && strcmp(argv[1], w.name) == 0) {
            w.run(param(argc, argv, 1, 1000));
            return 0;
        }
    }
    return unknown("peer_boost_fiber");
}
