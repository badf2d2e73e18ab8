// A fork-join thread pool: parallel loops whose cuts depend on the size of the work, never on the thread
// count.
#pragma once

#include <cstdint>
#include <type_traits>

namespace rl {

// The number of threads that parallel loops may use, the caller included.
int get_num_threads();

// Throws Error when count is not positive.
void set_num_threads(int count);

// True inside the body of a parallel loop; loops nested there run on the calling thread.
bool in_parallel_region();

namespace detail {
using ChunkBody = void (*)(void* context, int64_t begin, int64_t end);
void parallel_run(int64_t begin, int64_t end, int64_t chunk, void* context, ChunkBody body);
}  // namespace detail

// Calls body(first, last) over [begin, end) in pieces of `chunk` items (the last may be shorter). Which
// pieces exist depends only on the arguments, so a body that reduces each piece on its own and combines the
// results by piece index gives the same bits for any number of threads. The body must not throw.
template <class Body>
void parallel_for(int64_t begin, int64_t end, int64_t chunk, Body&& body) {
    if (begin >= end) return;
    if (end - begin <= chunk) {
        body(begin, end);
        return;
    }
    using Callable = std::remove_reference_t<Body>;
    detail::parallel_run(
        begin, end, chunk, const_cast<void*>(static_cast<const void*>(&body)),
        [](void* context, int64_t first, int64_t last) { (*static_cast<Callable*>(context))(first, last); });
}

}  // namespace rl
