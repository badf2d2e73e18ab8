// The caching CPU allocator: memory that a tensor gives back is kept for the next one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rl {

inline constexpr size_t allocation_alignment = 64;

// Uninitialized memory aligned to 64 bytes; nullptr for zero bytes. Throws OutOfMemory.
void* allocate(size_t bytes);

// Gives back what allocate(bytes) returned; any thread may do so. nullptr is ignored.
void deallocate(void* memory, size_t bytes) noexcept;

struct MemoryStats {
    int64_t allocated_bytes;       // in blocks that are handed out, rounded up to their size classes
    int64_t peak_allocated_bytes;  // the most of these since the start or reset_peak_memory_stats
    int64_t reserved_bytes;        // obtained from the system: handed out or kept for reuse
    int64_t allocations;           // calls so far
    int64_t deallocations;
    int64_t system_allocations;  // how often the system was asked for memory
};

// Exact for the calling thread; other running threads may hold back small blocks' counts, up to 64 KiB each.
MemoryStats memory_stats();
void reset_peak_memory_stats();

// Returns the kept blocks of more than 32 KiB to the system; smaller ones stay for reuse.
void empty_cache() noexcept;

}  // namespace rl
