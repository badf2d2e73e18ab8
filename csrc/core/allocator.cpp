// The caching CPU allocator. Sizes are rounded up to classes, eight to each doubling. Small blocks are carved
// from slabs and pass through free lists of the thread; larger ones have free lists under a lock. What is
// kept is bounded by half of the machine's memory.
#include "core/allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>

#include "core/error.h"

namespace rl {
namespace {

constexpr int class_bits = 3;
constexpr size_t smallest_class = allocation_alignment;
constexpr size_t largest_small = size_t{32} << 10;
constexpr size_t largest_request = size_t{1} << 46;
constexpr size_t slab_bytes = size_t{1} << 20;
constexpr size_t huge_page = size_t{2} << 20;
constexpr int64_t held_back_bytes = 64 << 10;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool caching = false;  // so that the sanitizer sees each block's true life
#else
constexpr bool caching = true;
#endif

struct SizeClass {
    int index;
    size_t bytes;
};

constexpr SizeClass size_class(size_t bytes) {
    constexpr int lowest_shift = std::bit_width(smallest_class) - 1;
    const int shift = std::max<int>(lowest_shift, std::bit_width(bytes - 1) - (class_bits + 1));
    const size_t steps = ((bytes - 1) >> shift) + 1;
    return {((shift - lowest_shift) << class_bits) + static_cast<int>(steps) - 1, steps << shift};
}

constexpr int small_classes = size_class(largest_small).index + 1;
constexpr int all_classes = size_class(largest_request).index + 1;

// A stack of free blocks, linked through their first bytes.
struct FreeList {
    struct Block {
        Block* next;
    };
    Block* head;
    int64_t count;

    void push(void* memory) {
        Block* block = static_cast<Block*>(memory);
        block->next = head;
        head = block;
        ++count;
    }
    void* pop() {
        Block* block = head;
        if (block != nullptr) {
            head = block->next;
            --count;
        }
        return block;
    }
};

[[noreturn, gnu::cold, gnu::noinline]] void raise_out_of_memory(size_t bytes) {
    raise<OutOfMemory>(
        "[enforce fail at allocator.cpp] DefaultCPUAllocator: can't allocate memory: you tried to "
        "allocate ",
        bytes, " bytes. Error code 12 (Cannot allocate memory)");
}

void* map_huge(size_t bytes) {
    const size_t padded = bytes + huge_page;
    void* mapped = mmap(nullptr, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    char* const begin = static_cast<char*>(mapped);
    const size_t lead = -reinterpret_cast<uintptr_t>(begin) & (huge_page - 1);
    if (lead > 0) munmap(begin, lead);
    if (padded - lead > bytes) munmap(begin + lead + bytes, padded - lead - bytes);
#if defined(MADV_HUGEPAGE)
    madvise(begin + lead, bytes, MADV_HUGEPAGE);
#endif
    return begin + lead;
}

void* system_allocate(size_t bytes) {
    return caching && bytes >= huge_page ? map_huge(bytes) : std::aligned_alloc(allocation_alignment, bytes);
}

void system_free(void* memory, size_t bytes) {
    if (caching && bytes >= huge_page) {
        munmap(memory, bytes);
    } else {
        std::free(memory);
    }
}

int64_t most_cached_bytes() {
    static const int64_t limit = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 2;
    return limit;
}

// What all threads share. Constant-initialized and trivially destroyed: usable before and after main.
struct Central {
    std::mutex mutex;
    FreeList lists[all_classes];
    int64_t kept_bytes;  // in the lists of larger classes
    char* slab;
    size_t slab_left;

    std::atomic<int64_t> allocated, peak, reserved, allocations, deallocations, system_allocations;

    void count(int64_t delta, int64_t highest) {
        const int64_t reached = allocated.fetch_add(delta, std::memory_order_relaxed) + highest;
        int64_t known = peak.load(std::memory_order_relaxed);
        while (reached > known && !peak.compare_exchange_weak(known, reached, std::memory_order_relaxed)) {
        }
    }

    // nullptr when the system has no more, even after everything kept was released.
    void* obtain(size_t bytes) {
        void* memory = system_allocate(bytes);
        if (memory == nullptr) {
            release_kept();
            memory = system_allocate(bytes);
        }
        if (memory != nullptr) {
            reserved.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
            system_allocations.fetch_add(1, std::memory_order_relaxed);
        }
        return memory;
    }

    void discard(void* memory, size_t bytes) {
        reserved.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
        system_free(memory, bytes);
    }

    void* take_large(SizeClass size) {
        {
            const std::lock_guard lock(mutex);
            if (void* memory = lists[size.index].pop()) {
                kept_bytes -= static_cast<int64_t>(size.bytes);
                return memory;
            }
        }
        return obtain(size.bytes);
    }

    void give_large(void* memory, SizeClass size) {
        bool full;
        {
            const std::lock_guard lock(mutex);
            lists[size.index].push(memory);
            kept_bytes += static_cast<int64_t>(size.bytes);
            full = kept_bytes > most_cached_bytes();
        }
        if (full) release_kept();
    }

    void release_kept() {
        for (int index = small_classes; index < all_classes; ++index) {
            const int shift = std::max(0, (index >> class_bits) - 1);
            const size_t steps = static_cast<size_t>(index + 1 - (shift << class_bits));
            const size_t bytes = (steps << shift) * smallest_class;
            FreeList list;
            {
                const std::lock_guard lock(mutex);
                list = lists[index];
                lists[index] = {};
                kept_bytes -= list.count * static_cast<int64_t>(bytes);
            }
            while (void* memory = list.pop()) discard(memory, bytes);
        }
    }

    // Moves up to `wanted` blocks into the list, carving new ones when none are kept.
    void refill(FreeList& list, SizeClass size, int64_t wanted) {
        const std::lock_guard lock(mutex);
        while (list.count < wanted) {
            void* memory = lists[size.index].pop();
            if (memory == nullptr) memory = carve(size.bytes);
            if (memory == nullptr) return;
            list.push(memory);
        }
    }

    void* carve(size_t bytes) {
        if (slab_left < bytes) {
            char* fresh = static_cast<char*>(std::aligned_alloc(allocation_alignment, slab_bytes));
            if (fresh == nullptr) return nullptr;
            slab = fresh;
            slab_left = slab_bytes;
            reserved.fetch_add(slab_bytes, std::memory_order_relaxed);
            system_allocations.fetch_add(1, std::memory_order_relaxed);
        }
        void* memory = slab;
        slab += bytes;
        slab_left -= bytes;
        return memory;
    }

    void take_back(FreeList& list, int index, int64_t remaining) {
        const std::lock_guard lock(mutex);
        while (list.count > remaining) lists[index].push(list.pop());
    }
};

constinit Central central{};

// A forked child must not inherit a lock that another thread held.
[[maybe_unused]] const int fork_handlers = pthread_atfork(
    [] { central.mutex.lock(); }, [] { central.mutex.unlock(); }, [] { central.mutex.unlock(); });

constexpr int64_t batch_count(size_t class_bytes) {
    return std::clamp<int64_t>(static_cast<int64_t>(largest_small / class_bytes), 2, 64);
}

// A thread's own free blocks and the counts that it has yet to report.
struct ThreadCache {
    FreeList lists[small_classes];
    int64_t delta, highest, allocations, deallocations;

    void report() {
        central.count(delta, highest);
        central.allocations.fetch_add(allocations, std::memory_order_relaxed);
        central.deallocations.fetch_add(deallocations, std::memory_order_relaxed);
        delta = highest = allocations = deallocations = 0;
    }

    void* take(SizeClass size) {
        FreeList& list = lists[size.index];
        if (list.head == nullptr) [[unlikely]]
            central.refill(list, size, batch_count(size.bytes));
        void* memory = list.pop();
        if (memory == nullptr) [[unlikely]]
            return nullptr;
        delta += static_cast<int64_t>(size.bytes);
        highest = std::max(highest, delta);
        ++allocations;
        if (delta > held_back_bytes) [[unlikely]]
            report();
        return memory;
    }

    void give(void* memory, SizeClass size) {
        FreeList& list = lists[size.index];
        list.push(memory);
        delta -= static_cast<int64_t>(size.bytes);
        ++deallocations;
        if (delta < -held_back_bytes) [[unlikely]]
            report();
        const int64_t batch = batch_count(size.bytes);
        if (list.count > 4 * batch) [[unlikely]]
            central.take_back(list, size.index, 2 * batch);
    }

    void flush() {
        report();
        for (int index = 0; index < small_classes; ++index) central.take_back(lists[index], index, 0);
    }
};

enum class ThreadLife : uint8_t { unborn, alive, ended };

// Kept trivially destructible, apart from its end below, so that a deallocation after the thread's
// destructors have run still finds it.
[[gnu::tls_model("initial-exec")]] constinit thread_local ThreadCache* own_cache = nullptr;
constinit thread_local ThreadCache cache_storage{};
constinit thread_local ThreadLife thread_life = ThreadLife::unborn;

struct ThreadEnd {
    ~ThreadEnd() {
        cache_storage.flush();
        own_cache = nullptr;
        thread_life = ThreadLife::ended;
    }
};

// nullptr once the thread is ending: its blocks then go by the central lists.
[[gnu::cold, gnu::noinline]] ThreadCache* begin_cache() {
    if (thread_life == ThreadLife::ended) return nullptr;
    static thread_local ThreadEnd at_end;
    static_cast<void>(at_end);
    thread_life = ThreadLife::alive;
    own_cache = &cache_storage;
    return own_cache;
}

ThreadCache* thread_cache() {
    return own_cache != nullptr ? own_cache : begin_cache();
}

[[gnu::noinline]] void* allocate_shared(SizeClass size) {
    void* memory = nullptr;
    if (caching && size.index < small_classes) {
        FreeList single{};
        central.refill(single, size, 1);
        memory = single.pop();
    } else {
        memory = caching ? central.take_large(size) : central.obtain(size.bytes);
    }
    if (memory == nullptr) raise_out_of_memory(size.bytes);
    const auto bytes = static_cast<int64_t>(size.bytes);
    if (ThreadCache* cache = thread_cache()) cache->report();
    central.count(bytes, bytes);
    central.allocations.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

[[gnu::noinline]] void deallocate_shared(void* memory, SizeClass size) {
    if (!caching) {
        central.discard(memory, size.bytes);
    } else if (size.index < small_classes) {
        FreeList single{};
        single.push(memory);
        central.take_back(single, size.index, 0);
    } else {
        central.give_large(memory, size);
    }
    central.count(-static_cast<int64_t>(size.bytes), 0);
    central.deallocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void* allocate(size_t bytes) {
    if (bytes == 0) return nullptr;
    if (bytes > largest_request) [[unlikely]]
        raise_out_of_memory(bytes);
    const SizeClass size = size_class(bytes);
    if (caching && size.index < small_classes) [[likely]] {
        if (ThreadCache* cache = thread_cache()) [[likely]] {
            void* memory = cache->take(size);
            if (memory != nullptr) [[likely]]
                return memory;
            raise_out_of_memory(bytes);
        }
    }
    return allocate_shared(size);
}

void deallocate(void* memory, size_t bytes) noexcept {
    if (memory == nullptr) return;
    const SizeClass size = size_class(bytes);
    if (caching && size.index < small_classes) [[likely]] {
        if (ThreadCache* cache = thread_cache()) [[likely]]
            return cache->give(memory, size);
    }
    deallocate_shared(memory, size);
}

MemoryStats memory_stats() {
    if (ThreadCache* cache = thread_cache()) cache->report();
    return {central.allocated.load(),   central.peak.load(),          central.reserved.load(),
            central.allocations.load(), central.deallocations.load(), central.system_allocations.load()};
}

void reset_peak_memory_stats() {
    if (ThreadCache* cache = thread_cache()) cache->report();
    central.peak.store(central.allocated.load());
}

void empty_cache() noexcept {
    if (ThreadCache* cache = thread_cache()) cache->flush();
    central.release_kept();
}

}  // namespace rl
