"""python -m benchmarks.roofline: what this machine can do, by instruction set and thread count.

A program of nothing but multiply-adds gives the peak; programs that only read, write, copy or add two arrays
give the bandwidth of each level of the caches. The time that a kernel needs at least is the larger of its
operations over the peak and its bytes over the bandwidth (Williams, Waterman and Patterson, "Roofline", 2009).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.workload import Cost

_AVX2 = ("-mavx2", "-mfma")
_AVX512 = (*_AVX2, "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mprefer-vector-width=512")
_FLAGS = {"baseline": (), "avx2": _AVX2, "avx512": _AVX512}
_NEEDED = {"baseline": set(), "avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512bw", "avx512vl"}}
_EXTENSIONS = {"avx512_bf16": "-mavx512bf16", "avx512_vnni": "-mavx512vnni"}
_WRITTEN_SHARE = {
    "read": 0.0,
    "triad": 1 / 3,
    "copy": 1 / 2,
    "write": 1.0,
}  # of the bytes that a pattern moves


@dataclass(frozen=True)
class Roofline:
    """Operations a second by arithmetic, bytes a second by level and pattern, and the levels' sizes in bytes."""

    peak: Mapping[str, float]
    bandwidth: Mapping[str, Mapping[str, float]]
    sizes: Mapping[str, float]

    def seconds(self, cost: Cost) -> float:
        """The least time for a cost: the larger of what its operations and what its bytes take."""
        return max(self.arithmetic_seconds(cost), self.transfer_seconds(cost))

    def arithmetic_seconds(self, cost: Cost) -> float:
        """What the operations take; an arithmetic that the machine lacks is done in float32."""
        return cost.operations / self.peak.get(cost.arithmetic, self.peak["float32"])

    def transfer_seconds(self, cost: Cost) -> float:
        """What the bytes take from and to the smallest level that holds them all, by the nearest pattern."""
        total = cost.read + cost.written
        if not total:
            return 0.0
        level = next((level for level, size in self.sizes.items() if total <= size), "memory")
        share = cost.written / total
        pattern = min(_WRITTEN_SHARE, key=lambda name: abs(_WRITTEN_SHARE[name] - share))
        return total / self.bandwidth[level][pattern]


def instruction_sets() -> list[str]:
    """Those that the processor has, the least first."""
    flags = _processor_flags()
    return [name for name, needed in _NEEDED.items() if needed <= flags]


def active_instruction_set() -> str:
    """The one that Rushlight's kernels use."""
    return os.environ.get("RUSHLIGHT_ISA") or instruction_sets()[-1]


def _processor_flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


@lru_cache
def cache_sizes() -> dict[str, int]:
    """Bytes of each data cache: of one core for L1 and L2, shared for L3."""
    sizes = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        if (index / "type").read_text().strip() != "Instruction":
            kibibytes = int((index / "size").read_text().strip().removesuffix("K"))
            sizes[f"L{(index / 'level').read_text().strip()}"] = kibibytes * 1024
    return sizes


def _working_sets(threads: int) -> dict[str, int]:
    """Half of a level for each thread, and eight times the last level for memory."""
    caches = cache_sizes()
    sets = {name: size // (2 * threads if name == "L3" else 2) for name, size in caches.items()}
    return {**sets, "memory": 8 * max(caches.values()) // threads}


@lru_cache
def _compiled(instruction_set: str) -> str:
    """The path of the program for an instruction set, built once in a process."""
    folder = tempfile.mkdtemp(prefix="roofline-")
    program = f"{folder}/{instruction_set}"
    flags = list(_FLAGS[instruction_set])
    if instruction_set == "avx512":
        flags += [flag for name, flag in _EXTENSIONS.items() if name in _processor_flags()]
    source = Path(__file__).with_suffix(".cpp")
    command = [
        "c++",
        "-std=c++20",
        "-O3",
        *flags,
        "-ffp-contract=fast",
        "-Wno-psabi",
        "-pthread",
        str(source),
        "-o",
        program,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return program


@lru_cache
def measure(threads: int, instruction_set: str | None = None) -> Roofline:
    """The figures of an instruction set, the active one unless given; measured once in a process.

    Raises OSError or subprocess.CalledProcessError where no C++ compiler is at hand.
    """
    program = _compiled(instruction_set or active_instruction_set())
    sets = _working_sets(threads)
    arguments = [text for level, size in sets.items() for text in (level, str(size))]
    found = subprocess.run([program, str(threads), *arguments], check=True, capture_output=True, text=True)
    peak: dict[str, float] = {}
    bandwidth: dict[str, dict[str, float]] = {level: {} for level in sets}
    for kind, *names, value in map(str.split, found.stdout.splitlines()):
        if kind == "peak":
            peak[names[0]] = float(value)
        else:
            bandwidth[names[0]][names[1]] = float(value)
    sizes = {name: size * (1 if name == "L3" else threads) for name, size in cache_sizes().items()}
    return Roofline(peak, bandwidth, sizes)


def _print_peaks(sets: list[str], counts: list[int]) -> None:
    print(f"{'multiply-adds, GFLOP/s':<24}" + "".join(f"{count:>8} threads" for count in counts))
    for name in sets:
        found = [measure(count, name).peak for count in counts]
        for arithmetic in found[0]:
            cells = "".join(f"{peak[arithmetic] / 1e9:>16.0f}" for peak in found)
            print(f"{name + ', ' + arithmetic:<24}{cells}")


def _print_bandwidths(counts: list[int]) -> None:
    print(f"\n{'bandwidth, GB/s':<24}" + "".join(f"{name:>8}" for name in _WRITTEN_SHARE))
    for count in counts:
        for level, rates in measure(count).bandwidth.items():
            cells = "".join(f"{rates[name] / 1e9:>8.0f}" for name in _WRITTEN_SHARE)
            print(f"{level + f', {count} threads':<24}{cells}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.roofline", description=__doc__)
    parser.add_argument("--threads", type=int, nargs="*", default=sorted({1, len(os.sched_getaffinity(0))}))
    counts = parser.parse_args().threads
    _print_peaks(instruction_sets(), counts)
    _print_bandwidths(counts)


if __name__ == "__main__":
    main()
