// The pool behind parallel_for: workers that spin briefly between loops, then sleep.
#include "core/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/error.h"

namespace rl {
namespace {

thread_local bool inside_loop = false;

class LoopScope {
  public:
    LoopScope() : outer_(inside_loop) { inside_loop = true; }
    ~LoopScope() { inside_loop = outer_; }
    LoopScope(const LoopScope&) = delete;
    LoopScope& operator=(const LoopScope&) = delete;

  private:
    const bool outer_;
};

void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waits until value differs from `old`: by spinning for about 30 microseconds, then asleep.
void wait_for_change(const std::atomic<uint32_t>& value, uint32_t old) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
    do {
        for (int round = 0; round < 16; ++round) {
            if (value.load(std::memory_order_acquire) != old) return;
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < limit);
    value.wait(old, std::memory_order_acquire);
}

struct Loop {
    int64_t begin, end, chunk;
    void* context;
    detail::LoopBody body;

    int64_t pieces() const { return (end - begin + chunk - 1) / chunk; }
};

// Consecutive pieces of a loop that one thread begins with: from loop to loop it meets the same part of
// arrays of a size, which its own caches may still hold. Others help once their own are done.
struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;

    bool take(int64_t& piece) {
        piece = next.fetch_add(1, std::memory_order_relaxed);
        return piece < end;
    }
};

}  // namespace

// The pieces of a thread's own share first, then what the others have left.
class LoopPieces {
  public:
    // All pieces, for a thread alone.
    explicit LoopPieces(const Loop& loop) : loop_(loop), start_(loop.begin) {}
    LoopPieces(const Loop& loop, Share* shares, int count, int thread)
        : loop_(loop), shares_(shares), count_(count), thread_(thread) {}

    bool next(int64_t& begin, int64_t& end) {
        if (shares_ == nullptr ? start_ >= loop_.end : !take()) return false;
        begin = start_;
        end = loop_.end - begin > loop_.chunk ? begin + loop_.chunk : loop_.end;
        start_ = end;
        return true;
    }

  private:
    bool take() {
        for (; visited_ < count_; ++visited_) {
            int64_t piece;
            if (!shares_[(thread_ + visited_) % count_].take(piece)) continue;
            start_ = loop_.begin + piece * loop_.chunk;
            return true;
        }
        return false;
    }

    const Loop& loop_;
    Share* shares_ = nullptr;
    int count_ = 0, thread_ = 0, visited_ = 0;
    int64_t start_ = 0;
};

bool detail::next_piece(LoopPieces& pieces, int64_t& begin, int64_t& end) {
    return pieces.next(begin, end);
}

namespace {

// One loop at a time. `state_` is `open` plus the number of workers inside the loop: workers enter only while
// it is open, and the caller, having closed it, leaves once they are out, so nobody waits for a sleeper.
class Pool {
  public:
    // False when another thread's loop has the pool.
    bool run(const Loop& loop, int threads) {
        const std::unique_lock lock(busy_, std::try_to_lock);
        if (!lock) return false;
        const int helpers = static_cast<int>(std::min<int64_t>(threads, loop.pieces())) - 1;
        start_workers(helpers);
        loop_ = loop;
        share_out(helpers + 1);
        helpers_.store(helpers, std::memory_order_relaxed);
        state_.store(open, std::memory_order_release);
        round_.fetch_add(1, std::memory_order_release);
        round_.notify_all();
        take_pieces(0);
        uint32_t state = state_.fetch_and(~open, std::memory_order_acq_rel) & ~open;
        while (state != 0) {
            wait_for_change(state_, state);
            state = state_.load(std::memory_order_acquire);
        }
        return true;
    }

  private:
    static constexpr uint32_t open = 1u << 31;
    static constexpr int max_shares = 64;

    void start_workers(int count) {
        if (workers_ >= count) return;
        sigset_t all, previous;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &previous);  // signals belong to the program's own threads
        try {
            for (; workers_ < count; ++workers_) {
                std::thread([this, index = workers_, seen = round_.load()] { work(index, seen); }).detach();
            }
        } catch (const std::system_error&) {
            // The system grants no further thread: the loop runs on those there are.
        }
        pthread_sigmask(SIG_SETMASK, &previous, nullptr);
    }

    [[noreturn]] void work(int index, uint32_t seen) {
        inside_loop = true;
        // The C library sets up a thread's memory at its first allocation: now, not within a later loop.
        void* volatile first = std::malloc(1);
        std::free(first);
        for (;;) {
            wait_for_change(round_, seen);
            seen = round_.load(std::memory_order_acquire);
            if (index < helpers_.load(std::memory_order_relaxed) && enter()) {
                take_pieces(index + 1);
                if (state_.fetch_sub(1, std::memory_order_acq_rel) == 1) state_.notify_one();
            }
        }
    }

    bool enter() {
        uint32_t state = state_.load(std::memory_order_acquire);
        while (state & open) {
            if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) return true;
        }
        return false;
    }

    void share_out(int threads) {
        share_count_ = std::min(threads, max_shares);
        const int64_t pieces = loop_.pieces();
        for (int64_t i = 0; i < share_count_; ++i) {
            shares_[i].next.store(pieces * i / share_count_, std::memory_order_relaxed);
            shares_[i].end = pieces * (i + 1) / share_count_;
        }
    }

    void take_pieces(int thread) {
        LoopPieces pieces(loop_, shares_, share_count_, thread);
        loop_.body(loop_.context, pieces);
    }

    std::mutex busy_;
    int workers_ = 0;
    Loop loop_{};
    int share_count_ = 0;
    Share shares_[max_shares];
    alignas(64) std::atomic<uint32_t> state_{0};
    alignas(64) std::atomic<uint32_t> round_{0};
    std::atomic<int> helpers_{0};
};

std::atomic<Pool*> current_pool{nullptr};

// The pool is never destroyed: its threads end with the process. A forked child has none of them and so
// leaves its parent's pool behind for one of its own.
Pool& pool() {
    if (Pool* existing = current_pool.load(std::memory_order_acquire)) return *existing;
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current_pool.store(nullptr); });
    check(registered == 0, "pthread_atfork failed: ", registered);
    auto fresh = std::make_unique<Pool>();
    Pool* expected = nullptr;
    if (current_pool.compare_exchange_strong(expected, fresh.get())) return *fresh.release();
    return *expected;
}

int count_from_environment(const char* name) {
    const char* text = std::getenv(name);
    if (text == nullptr) return 0;
    const long count = std::strtol(text, nullptr, 10);
    return count > 0 && count <= 4096 ? static_cast<int>(count) : 0;
}

int available_processors() {
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int default_thread_count() {
    for (const char* name : {"RUSHLIGHT_NUM_THREADS", "OMP_NUM_THREADS"}) {
        if (const int count = count_from_environment(name)) return count;
    }
    return available_processors();
}

std::atomic<int>& thread_count() {
    static std::atomic<int> count{default_thread_count()};
    return count;
}

}  // namespace

int get_num_threads() {
    return thread_count().load(std::memory_order_relaxed);
}

void set_num_threads(int count) {
    check(count > 0, "set_num_threads expects a positive integer");
    thread_count().store(count, std::memory_order_relaxed);
}

bool in_parallel_region() {
    return inside_loop;
}

void detail::parallel_run(int64_t begin, int64_t end, int64_t chunk, void* context, LoopBody body) {
    const Loop loop{begin, end, std::max<int64_t>(chunk, 1), context, body};
    const int threads = inside_loop ? 1 : get_num_threads();
    const LoopScope scope;
    if (threads > 1 && pool().run(loop, threads)) return;
    LoopPieces pieces(loop);
    body(context, pieces);
}

}  // namespace rl
