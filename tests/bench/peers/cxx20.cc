// C++20 coroutines by hand, by the compiler that this is built with: no library stands between.
#include <coroutine>
#include <exception>
#include <vector>

#include "../figure.h"

struct simple {
    struct promise_type {
        simple get_return_object()
        {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept
        {
            return {};
        }
        std::suspend_always final_suspend() noexcept
        {
            return {};
        }
        void return_void()
        {
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };
    std::coroutine_handle<promise_type> self;
};

// --- switch: two coroutines that hand over to each other

static std::coroutine_handle<> ping, pong;

struct to {
    std::coroutine_handle<> next;
    bool await_ready() noexcept
    {
        return false;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept
    {
        return next;
    }
    void await_resume() noexcept
    {
    }
};

static simple counts(long n)
{
    for (long i = 0; i < n; i += 2) {
        co_await to{pong};
    }
    co_await to{std::noop_coroutine()};
}

static simple answers()
{
    for (;;) {
        co_await to{ping};
    }
}

static void run_switch(long n)
{
    simple a = counts(n), b = answers();
    ping = a.self;
    pong = b.self;
    int64_t start = now_ns();
    ping.resume();
    figure("switch", double(now_ns() - start) / double(n), "ns");
    ping.destroy();
    pong.destroy();
}

// --- call: a coroutine awaited by another, its frame from the allocator

struct task {
    struct promise_type {
        std::coroutine_handle<> after;
        int64_t value;
        task get_return_object()
        {
            return {std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_always initial_suspend() noexcept
        {
            return {};
        }
        struct back {
            bool await_ready() noexcept
            {
                return false;
            }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) noexcept
            {
                return h.promise().after;
            }
            void await_resume() noexcept
            {
            }
        };
        back final_suspend() noexcept
        {
            return {};
        }
        void return_value(int64_t v)
        {
            value = v;
        }
        void unhandled_exception()
        {
            std::terminate();
        }
    };
    std::coroutine_handle<promise_type> self;
    bool await_ready() noexcept
    {
        return false;
    }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept
    {
        self.promise().after = caller;
        return self;
    }
    int64_t await_resume() noexcept
    {
        int64_t value = self.promise().value;
        self.destroy();
        return value;
    }
};

__attribute__((noinline)) static task leaf(int64_t v)
{
    co_return v + 1;
}

static int64_t last;

static simple calls(long n)
{
    for (long i = 0; i < n; i++) {
        last = co_await leaf(i);
    }
}

static void run_call(long n)
{
    simple s = calls(n);
    int64_t start = now_ns();
    s.self.resume();
    figure("call", double(now_ns() - start) / double(n), "ns");
    s.self.destroy();
}

// --- suspended: so many that wait for their turn in a list

static std::vector<std::coroutine_handle<>> waiting;

struct enqueue {
    bool await_ready() noexcept
    {
        return false;
    }
    void await_suspend(std::coroutine_handle<> h)
    {
        waiting.push_back(h);
    }
    void await_resume() noexcept
    {
    }
};

static simple waits()
{
    co_await enqueue{};
}

static void run_suspended(long n)
{
    std::vector<simple> all;
    all.reserve(size_t(n));
    waiting.reserve(size_t(n));
    double rss = memory_of("VmRSS");
    int64_t start = now_ns();
    for (long i = 0; i < n; i++) {
        all.push_back(waits());
        all.back().self.resume();
    }
    figure("create", double(now_ns() - start) / 1e6, "ms");
    figure("memory", (memory_of("VmRSS") - rss) / double(n), "B");
    start = now_ns();
    for (std::coroutine_handle<> h : waiting) {
        h.resume();
    }
    for (simple &s : all) {
        s.self.destroy();
    }
    figure("wake", double(now_ns() - start) / 1e6, "ms");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(long);
    } workloads[] = {{"switch", run_switch}, {"call", run_call}, {"suspended", run_suspended}};
    for (auto &w : workloads) {
        if (argc > 1 && strcmp(argv[1], w.name) == 0) {
            w.run(param(argc, argv, 1, 1000));
            return last < 0;
        }
    }
    return unknown("peer_cxx20");
}
