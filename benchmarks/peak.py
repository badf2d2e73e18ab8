"""The processor's peak of fused multiply-adds, measured by a loop of nothing else."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

_SOURCE = r"""
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int width = 16;
#elif defined(__AVX__)
constexpr int width = 8;
#else
constexpr int width = 4;
#endif
typedef float Vector __attribute__((vector_size(width * sizeof(float))));
constexpr int chains = CHAINS;
constexpr long steps = 40000000;

static void work(float* sink) {
    Vector factor = {}, term = {};
    factor += 0.999f;
    term += 0.001f;
    Vector DECLARED;
    for (long step = 0; step < steps; ++step) {
        STEPS
    }
    const Vector total = TOTAL;
    for (int lane = 0; lane < width; ++lane) *sink += total[lane];
}

int main(int, char** arguments) {
    const int threads = std::atoi(arguments[1]);
    std::vector<float> sinks(threads * 64);
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back(work, &sinks[i * 64]);
    for (std::thread& worker : workers) worker.join();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    std::printf("%g %g\n", 2.0 * width * chains * steps * threads / taken.count(), sinks[0]);
}
"""

_CHAINS = 12  # independent sums, more than the latency needs; each in a register, none derived from another


def _program() -> str:
    """The source with the chains written out."""
    names = [f"sum{chain}" for chain in range(_CHAINS)]
    step = ' {0} = {0} * factor + term; asm volatile("" : "+v"({0}));'
    return (
        _SOURCE.replace("DECLARED", ", ".join(f"{name} = {{}}" for name in names))
        .replace("STEPS", "".join(step.format(name) for name in names))
        .replace("TOTAL", " + ".join(names))
        .replace("CHAINS", str(_CHAINS))
    )


def fused_multiply_add_peak(threads: int) -> float | None:
    """Floating-point operations a second, or None where no compiler is at hand."""
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "peak.cpp"), Path(folder, "peak")
        source.write_text(_program())
        command = [
            "c++",
            "-O3",
            "-march=native",
            "-ffp-contract=fast",
            "-pthread",
            str(source),
            "-o",
            str(program),
        ]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        runs = [
            subprocess.run([program, str(threads)], check=True, capture_output=True, text=True)
            for _ in range(3)
        ]
        return max(float(run.stdout.split()[0]) for run in runs)
