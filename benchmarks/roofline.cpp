// Measures what the processor can do with one instruction set: multiply-adds from registers, and bytes moved.
// Arguments: threads, then pairs of a level's name and the bytes of the working set of each thread.
// Prints lines of "peak ARITHMETIC OPERATIONS_A_SECOND" and "bandwidth LEVEL PATTERN BYTES_A_SECOND".
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
typedef float Floats __attribute__((vector_size(vector_bytes)));
typedef double Doubles __attribute__((vector_size(vector_bytes)));

constexpr double seconds_each = 0.003;  // that one measurement should fill
constexpr int measurements = 25;        // of which the best counts: others may use the machine

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The most units a second that threads together reach; work(thread) does `units` units at a call.
template <class Work>
double best_rate(int threads, double units, const Work& work) {
    double best = 0;
    for (int measurement = 0; measurement < measurements; ++measurement) {
        std::atomic<int> waiting = threads;
        std::vector<double> rates(threads);
        const auto run = [&](int thread) {
            work(thread);
            --waiting;
            while (waiting > 0) {
            }
            const double start = now();
            long calls = 0;
            double taken = 0;
            for (; taken < seconds_each; taken = now() - start, ++calls) work(thread);
            rates[thread] = calls * units / taken;
        };
        std::vector<std::thread> workers;
        for (int thread = 1; thread < threads; ++thread) workers.emplace_back(run, thread);
        run(0);
        for (std::thread& worker : workers) worker.join();
        double total = 0;
        for (const double rate : rates) total += rate;
        best = std::max(best, total);
    }
    return best;
}

// More sums than the latency of a multiply-add needs, each in a register and none derived from another.
constexpr int chains = 12;
constexpr long steps = 100000;

// Keeps the compiler from computing a value ahead, or not at all.
template <class Vector>
void keep(Vector& value) {
    asm volatile("" : "+v"(value));
}

template <class Vector, class MultiplyAdd>
void multiply_add(const MultiplyAdd& apply) {
    const auto run = [&](auto... sums) {
        for (long step = 0; step < steps; ++step) ((sums = apply(sums), keep(sums)), ...);
    };
    std::apply(run, std::array<Vector, chains>{});
}

// `each` operations are in one instruction.
template <class Vector, class MultiplyAdd>
void print_peak(const char* arithmetic, int threads, int each, const MultiplyAdd& apply) {
    const double units = double(each) * chains * steps;
    const double rate = best_rate(threads, units, [&](int) { multiply_add<Vector>(apply); });
    std::printf("peak %s %.6g\n", arithmetic, rate);
}

template <class Vector, class Element>
void print_peak_of(const char* arithmetic, int threads) {
    Vector factor = {}, term = {};
    factor += Element(0.999);
    term += Element(0.001);
    keep(factor);
    keep(term);
    const auto apply = [=](Vector sum) { return sum * factor + term; };
    print_peak<Vector>(arithmetic, threads, 2 * vector_bytes / sizeof(Element), apply);
}

void print_peaks(int threads) {
    print_peak_of<Floats, float>("float32", threads);
    print_peak_of<Doubles, double>("float64", threads);
#if defined(__AVX512BF16__)
    const __m512bh pairs = {};
    print_peak<__m512>("bfloat16", threads, 64,
                       [=](__m512 sum) { return _mm512_dpbf16_ps(sum, pairs, pairs); });
#endif
#if defined(__AVX512VNNI__)
    const __m512i bytes = {};
    print_peak<__m512i>("int8", threads, 128,
                        [=](__m512i sum) { return _mm512_dpbusd_epi32(sum, bytes, bytes); });
#endif
}

template <bool streaming>
void store(float* to, Floats value) {
    if constexpr (!streaming)
        *reinterpret_cast<Floats*>(to) = value;
    else {
#if defined(__AVX512F__)
        _mm512_stream_ps(to, reinterpret_cast<__m512&>(value));
#elif defined(__AVX__)
        _mm256_stream_ps(to, reinterpret_cast<__m256&>(value));
#else
        _mm_stream_ps(to, reinterpret_cast<__m128&>(value));
#endif
    }
}

constexpr long lanes = vector_bytes / sizeof(float);
constexpr long unrolled = 8;  // vectors at a step

const Floats& load(const float* from) {
    return *reinterpret_cast<const Floats*>(from);
}

void read(const float* a, long count) {
    const auto run = [&](auto... sums) {
        for (const float* end = a + count; a < end;) ((sums += load(a), keep(sums), a += lanes), ...);
    };
    std::apply(run, std::array<Floats, unrolled>{});
}

// a[i] = value(i), a vector at a time.
template <bool streaming, class Value>
void fill(float* a, long count, const Value& value) {
    for (long i = 0; i < count; i += unrolled * lanes) {
#pragma GCC unroll 8
        for (long k = 0; k < unrolled; ++k) store<streaming>(a + i + k * lanes, value(i + k * lanes));
        asm volatile("" ::: "memory");
    }
}

using Buffer = std::vector<float>;

float* aligned(Buffer& buffer) {
    return buffer.data() + (64 - reinterpret_cast<size_t>(buffer.data()) % 64) / sizeof(float);
}

// Each pattern over `arrays` arrays that together take the bytes given, with ordinary or streaming stores.
template <bool streaming>
double measure(const std::string& pattern, int threads, long bytes) {
    const int arrays = pattern == "triad" ? 3 : pattern == "copy" ? 2 : 1;
    const long step = unrolled * lanes;
    const long count = std::max(step, bytes / long(sizeof(float)) / arrays / step * step);
    std::vector<Buffer> buffers(threads);
    const long stride = count + 16 * 33;  // so that the arrays do not fall on the same sets of the cache
    const auto work = [&](int thread) {
        if (buffers[thread].empty()) buffers[thread].resize(arrays * stride + 16, 1.0f);
        float* a = aligned(buffers[thread]);
        const float *b = a + stride, *c = b + stride;
        Floats one = {};
        one += 1.0f;
        if (pattern == "read") read(a, count);
        if (pattern == "write") fill<streaming>(a, count, [=](long) { return one; });
        if (pattern == "copy") fill<streaming>(a, count, [=](long i) { return load(b + i); });
        if (pattern == "triad")
            fill<streaming>(a, count, [=](long i) { return load(b + i) + one * load(c + i); });
    };
    return best_rate(threads, double(count) * arrays * sizeof(float), work);
}

void print_bandwidths(int threads, const std::string& level, long bytes) {
    for (const std::string pattern : {"read", "write", "copy", "triad"}) {
        double rate = measure<false>(pattern, threads, bytes);
        if (level == "memory" && pattern != "read")
            rate = std::max(rate, measure<true>(pattern, threads, bytes));
        std::printf("bandwidth %s %s %.6g\n", level.c_str(), pattern.c_str(), rate);
    }
}

}  // namespace

int main(int count, char** arguments) {
    const int threads = std::atoi(arguments[1]);
    print_peaks(threads);
    for (int i = 2; i + 1 < count; i += 2)
        print_bandwidths(threads, arguments[i], std::atol(arguments[i + 1]));
}
