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

// Hands a thread the pieces of a loop that fall to it, one after another.
class LoopPieces;

namespace detail {
using LoopBody = void (*)(void* context, LoopPieces& pieces);
void parallel_run(int64_t begin, int64_t end, int64_t chunk, void* context, LoopBody body);
bool next_piece(LoopPieces& pieces, int64_t& begin, int64_t& end);
}  // namespace detail

// Calls body(state, first, last) over [begin, end) in pieces of `chunk` items (the last may be shorter). Each
// thread that takes part has a State of its own, in which it may keep what its next pieces need again. Which
// pieces exist depends only on the arguments, so a body that reduces each piece on its own and combines the
// results by piece index gives the same bits for any number of threads. The body must not throw.
template <class State, class Body>
void parallel_for_with(int64_t begin, int64_t end, int64_t chunk, Body&& body) {
    if (begin >= end) return;
    if (end - begin <= chunk) {
        State state{};
        body(state, begin, end);
        return;
    }
    using Callable = std::remove_reference_t<Body>;
    detail::parallel_run(begin, end, chunk, const_cast<void*>(static_cast<const void*>(&body)),
                         [](void* context, LoopPieces& pieces) {
                             State state{};
                             int64_t first, last;
                             while (detail::next_piece(pieces, first, last))
                                 (*static_cast<Callable*>(context))(state, first, last);
                         });
}

// The same without a state: body(first, last).
template <class Body>
void parallel_for(int64_t begin, int64_t end, int64_t chunk, Body&& body) {
    struct Nothing {};
    parallel_for_with<Nothing>(begin, end, chunk,
                               [&](Nothing, int64_t first, int64_t last) { body(first, last); });
}

}  // namespace rl
