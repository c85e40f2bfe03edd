// Exceptions of C++ inside tasks: thrown and caught there they work, on any stack and over suspensions; one that would leave a body
// ends the process by std::terminate, with every frame still there to be looked at.
#include <cosched/cosched.h>
#include <cosched/io.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <execinfo.h>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(cond) \
    ((cond) ? (void)0 : (std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond), std::_Exit(1)))

namespace {

int workers;
std::atomic<int> alive;

struct counted {
    counted() { alive++; }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;
    ~counted() { alive--; }
};

void suspend(int i)
{
    switch (i % 4) {
    case 0: cosched_hop(COSCHED_WORKER); break;
    case 1: cosched_yield(); break;
    case 2: cosched_hop(COSCHED_MAIN); break;
    default: EXPECT(cosched_sleep_until(cosched_in_ns(1)) == 0); break;
    }
}

__attribute__((noinline)) int fall(int levels)
{
    counted c;
    if (levels == 0) {
        throw std::runtime_error("the bottom");
    }
    return fall(levels - 1) + 1;
}

// Throws after it has moved, with frames of before; what is caught is kept over a suspension, outside of its handler.
int64_t throws_and_catches(void *arg)
{
    int seed = static_cast<int>(reinterpret_cast<intptr_t>(arg));
    int caught = 0;
    for (int i = 0; i < 50; i++) {
        std::exception_ptr kept;
        try {
            counted c;
            suspend(seed + i);
            suspend(seed + i + 1);
            fall(i % 20);
        } catch (const std::runtime_error &e) {
            EXPECT(std::string(e.what()) == "the bottom");
            kept = std::current_exception();
        }
        suspend(seed + i + 2);
        try {
            std::rethrow_exception(kept);
        } catch (const std::exception &) {
            caught++;
        }
        EXPECT(std::uncaught_exceptions() == 0);
    }
    return caught;
}

cosched_attr at(cosched_affinity affinity)
{
    cosched_attr a = {};
    a.struct_size = sizeof a;
    a.affinity = affinity;
    return a;
}

int64_t join(cosched_task t)
{
    int64_t result = -1;
    EXPECT(cosched_await(&t, &result, COSCHED_NEVER) == 0);
    return result;
}

int64_t many(void *)
{
    cosched_task t[16];
    for (intptr_t i = 0; i < 16; i++) {
        cosched_attr a = at(i % 2 ? COSCHED_WORKER : COSCHED_MAIN);
        EXPECT(cosched_spawn(&t[i], throws_and_catches, reinterpret_cast<void *>(i), &a) == 0);
    }
    for (int i = 0; i < 16; i++) {
        EXPECT(join(t[i]) == 50);
    }
    EXPECT(alive == 0);
    return 0;
}

int64_t call_deeper(void *arg)
{
    intptr_t levels = reinterpret_cast<intptr_t>(arg);
    volatile char frame[1024];
    frame[levels] = 0;
    if (levels == 0) {
        return throws_and_catches(arg);
    }
    int64_t result = 0;
    EXPECT(cosched_call(&result, COSCHED_INHERIT, call_deeper, reinterpret_cast<void *>(levels - 1),
                        COSCHED_NEVER) == 0);
    return result + frame[levels];
}

int64_t on_a_grown_stack(void *)
{
    EXPECT(call_deeper(reinterpret_cast<void *>(intptr_t(200))) == 50);
    cosched_stats s = {};
    s.struct_size = sizeof s;
    EXPECT(cosched_stats_get(cosched_runtime_self(), &s) == 0);
    EXPECT(s.calls_stack_grown > 0);
    return 0;
}

int64_t in_threads_that_block(void *)
{
    int64_t result = 0;
    EXPECT(cosched_blocking(
               &result,
               [](void *) -> int64_t {
                   try {
                       return fall(5);
                   } catch (const std::runtime_error &) {
                       return 9;
                   }
               },
               nullptr) == 0);
    EXPECT(result == 9);
    return 0;
}

// --- what leaves a body ----------------------------------------------------------------------------------------------

void *thrower; // an address in the frame of who threw

__attribute__((noinline)) int64_t nobody_catches(void *)
{
    thrower = __builtin_return_address(0);
    throw std::logic_error("nobody catches this");
}

__attribute__((noinline)) int64_t calls_it(void *)
{
    counted c; // is not destroyed: nothing is unwound
    int64_t result = nobody_catches(nullptr);
    EXPECT(result == 0);
    return result;
}

int64_t calls_it_by_cosched(void *)
{
    return cosched_call(nullptr, COSCHED_WORKER, calls_it, nullptr, COSCHED_NEVER);
}

[[noreturn]] void look_at_the_chain()
{
    void *frames[64];
    int n = backtrace(frames, 64);
    bool found = false;
    for (int i = 0; i < n; i++) {
        found = found || frames[i] == thrower;
    }
    std::fprintf(stderr, "terminate: chain %s, %d objects, %s\n", found ? "intact" : "lost",
                 alive.load(), std::current_exception() != nullptr ? "an exception" : "none");
    std::abort();
}

int64_t catches_around_a_call(void *)
{
    try {
        return cosched_call(nullptr, COSCHED_INHERIT, nobody_catches, nullptr, COSCHED_NEVER);
    } catch (const std::logic_error &) {
        return 0; // it passed a frame of cosched, which knows nothing of it
    }
}

int run(cosched_fn fn)
{
    cosched_config c = {};
    c.struct_size = sizeof c;
    c.workers = workers;
    return static_cast<int>(cosched_run(&c, fn, nullptr));
}

int64_t spawns_it(void *)
{
    cosched_task t;
    cosched_attr a = at(COSCHED_WORKER);
    EXPECT(cosched_spawn(&t, calls_it, nullptr, &a) == 0);
    cosched_yield();
    return join(t);
}

// In a child: aborts, and says `word`.
void expect_abort(cosched_fn fn, const char *word)
{
    int out[2];
    EXPECT(pipe(out) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(out[1], STDERR_FILENO);
        std::set_terminate(look_at_the_chain);
        std::_Exit(run(fn));
    }
    close(out[1]);
    std::string said;
    char part[512];
    ssize_t n;
    while ((n = read(out[0], part, sizeof part)) > 0) {
        said.append(part, static_cast<size_t>(n));
    }
    close(out[0]);
    int status = 0;
    EXPECT(waitpid(pid, &status, 0) == pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || said.find(word) == std::string::npos) {
        std::fprintf(stderr, "status %d, said: %s\nexpected: %s\n", status, said.c_str(), word);
        std::_Exit(1);
    }
}

} // namespace

int main()
{
    void *warm[2];
    (void)backtrace(warm, 2); // loads libgcc before any small stack needs it
    const int counts[] = {0, 1, 2, 4, 8};
    // These first: a thread of a runtime that is gone takes a moment to vanish, and ThreadSanitizer lets the child of a process
    // that has several start none.
    for (int n : counts) {
        workers = n;
        expect_abort(calls_it, "terminate: chain intact, 1 objects, an exception");
        expect_abort(calls_it_by_cosched, "terminate: chain intact, 1 objects, an exception");
        expect_abort(spawns_it, "terminate: chain intact, 1 objects, an exception");
        expect_abort(catches_around_a_call, "longjmp or an exception passed a frame of cosched");
    }
    for (int n : counts) {
        workers = n;
        EXPECT(run(many) == 0);
        EXPECT(run(on_a_grown_stack) == 0);
        EXPECT(run(in_threads_that_block) == 0);
    }
    std::puts("exceptions inside tasks: passed");
    return 0;
}
