"""Run one op_db entry on PyTorch and on Rushlight and compare values, layout, dtypes and gradients."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import rushlight
import torch

from .translate import SEED, TensorCopier, WideCopier, to_rushlight, to_torch, translate, widen
from .worklist import (
    ORDERING,
    UNDEFINED_VALUES,
    counterpart,
    differentiable,
    dtypes,
    form_counterpart,
    reference_of,
    tolerance,
)

VARIANT_SAMPLES = 2  # samples of each dtype on which the method, in-place and out= forms are tried


@dataclass
class Outcome:
    """What became of one entry at one dtype: None where there was nothing to compare."""

    dtype: str
    forward: bool | None = None
    grad: bool | None = None
    messages: list[str] = field(default_factory=list)


class Mismatch(Exception):
    """Rushlight's result differs from PyTorch's."""


class RoundingMismatch(Mismatch):
    """The values differ by more than the tolerance."""


def floating(output: Any) -> list[Any]:
    """The tensors of an output that hold floating or complex numbers."""
    tensors = (item for item in flatten(output) if hasattr(item, "is_floating_point"))
    return [item for item in tensors if item.is_floating_point() or item.is_complex()]


def name_of(value: Any) -> str:
    return str(value).rsplit(".", 1)[-1]


def memory_of(tensor: Any) -> list[int]:
    """The bytes of the tensor's storage."""
    return tensor.untyped_storage().tolist()


def flatten(value: Any) -> list[Any]:
    """Tensors and scalars of an output, in order."""
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in flatten(item)]
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in flatten(item)]
    return [value]


def nearer(mine: torch.Tensor, theirs: torch.Tensor, truth: torch.Tensor) -> bool:
    """Whether Rushlight's value lies as near to the one in double precision as PyTorch's, to a factor of two.

    Two roundings of one number differ by chance; the factor keeps that from deciding.

    Elements that PyTorch's rounding turned into inf or nan must be close to the latter.
    """
    truth, theirs = truth.detach().resolve_conj(), theirs.detach().resolve_conj()
    if mine.shape != truth.shape or not (truth.is_floating_point() or truth.is_complex()):
        return False
    near = truth.isfinite() & theirs.isfinite()
    error, allowed = (widen(item[near]) - truth[near] for item in (mine, theirs))
    if error.numel() and not bool(error.abs().max() <= 2 * allowed.abs().max()):
        return False
    rounded = truth[~near].to(mine.dtype)
    return bool(torch.isclose(mine[~near], rounded, equal_nan=True).all())


def compare_values(actual: torch.Tensor, expected: torch.Tensor, limits: dict[str, float]) -> None:
    expected = expected.detach().resolve_conj().resolve_neg()
    try:
        torch.testing.assert_close(actual, expected, equal_nan=True, check_stride=False, **limits)
    except AssertionError as error:
        raise RoundingMismatch(" ".join(str(error).split())) from None


def shares_storage(tensor: Any, inputs: list[Any]) -> bool:
    address = tensor.untyped_storage().data_ptr()
    return any(address == item.untyped_storage().data_ptr() for item in inputs)


def distinct(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the same shape and dtype whose elements all differ, in random order."""
    ranks = torch.randperm(tensor.numel()).view(tensor.shape)
    if tensor.dtype == torch.bfloat16:  # bit patterns from 1/256 up: the only way to have thousands
        values = (ranks + 0x3B80).to(torch.int16).view(torch.bfloat16)
    else:
        values = ranks.to(tensor.dtype) - tensor.numel() // 2
    return values.requires_grad_(tensor.requires_grad)


@dataclass
class Call:
    """One call of one sample on one backend, with copies of the sample's tensors."""

    backend: Any
    function: Callable[..., Any]
    sample: Any
    wide: bool = False

    def __post_init__(self) -> None:
        self.copier = WideCopier() if self.wide else TensorCopier(self.backend)
        parts = (self.sample.input, self.sample.args, self.sample.kwargs)
        self.input, self.args, self.kwargs = translate(parts, self.copier)
        self.inputs = list(self.copier.copies.values())

    def run(self, **extra: Any) -> Any:
        self.backend.manual_seed(SEED)
        self.output = self.function(self.input, *self.args, **self.kwargs, **extra)
        process = self.sample.output_process_fn_grad
        if self.backend is not torch:
            process = translate(process, self.copier)
        self.processed = process(self.output)
        return self.output

    def gradients(self, cotangents: list[Any]) -> list[Any]:
        """Gradients of the leaves, of every output that requires one, weighted by the cotangents."""
        outputs = self.differentiable_outputs()
        return self.backend.autograd.grad(outputs, self.copier.leaves, cotangents, allow_unused=True)

    def differentiable_outputs(self) -> list[Any]:
        tensors = (item for item in flatten(self.processed) if isinstance(item, self.backend.Tensor))
        return [item for item in tensors if item.requires_grad]


class EntryCheck:
    """All comparisons of one op_db entry."""

    def __init__(self, entry: Any, cap: int | None = None, second: bool = False) -> None:
        self.entry, self.cap, self.second = entry, cap, second
        self.function, self.reference = counterpart(entry), reference_of(entry)

    def outcomes(self) -> Iterator[Outcome]:
        """Compare dtype by dtype."""
        for dtype in dtypes(self.entry):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield self.outcome(dtype)

    def outcome(self, dtype: torch.dtype) -> Outcome:
        result = Outcome(name_of(dtype))
        limits = tolerance(self.entry, dtype)
        with_grad = differentiable(self.entry, dtype)
        for index, sample in enumerate(self.samples(dtype, with_grad)):
            label = f"sample {index}"
            try:
                reference = Call(torch, self.reference, sample)
                reference.run()
            except Exception:  # what PyTorch itself refuses, and sparse layouts, are not compared
                continue
            call = self.attempt(
                result, "forward", label, lambda s=sample, r=reference: self.forward(s, r, limits)
            )
            if call and with_grad and reference.differentiable_outputs():
                self.attempt(result, "grad", label, lambda c=call, r=reference: self.gradient(c, r, limits))
            if index < VARIANT_SAMPLES:
                for name, form in self.forms(sample, limits):
                    self.attempt(result, "forward", f"{label} as {name}", form)
            if self.second and index == 0 and with_grad and dtype == torch.float64:
                self.attempt(result, "grad", f"{label}, second", lambda s=sample: self.second_gradient(s))
        return result

    def samples(self, dtype: torch.dtype, with_grad: bool) -> list[Any]:
        """The entry's samples, evenly thinned to the cap where there is one."""
        torch.manual_seed(SEED)
        samples = list(self.entry.sample_inputs("cpu", dtype, requires_grad=with_grad))
        if self.entry.name in ORDERING and dtype != torch.bool:
            for sample in samples:
                sample.input = distinct(sample.input)
        if self.cap is None or len(samples) <= self.cap:
            return samples
        return [samples[i * len(samples) // self.cap] for i in range(self.cap)]

    def attempt(self, result: Outcome, part: str, label: str, comparison: Callable[[], Any]) -> Any:
        """Run a comparison and note its outcome; the comparison's value, or None if it failed."""
        try:
            value = comparison()
        except Exception as error:  # any error of Rushlight's is this operator's failure
            setattr(result, part, False)
            if len(result.messages) < 3:
                kind = "" if isinstance(error, Mismatch) else f"{type(error).__name__}: "
                result.messages.append(f"{part}, {label}: {kind}{error}")
            return None
        if getattr(result, part) is None:
            setattr(result, part, True)
        return value

    def forward(self, sample: Any, reference: Call, limits: dict[str, float]) -> Call:
        call = Call(rushlight, self.function, sample)
        call.run()
        self.compare_outputs(call, reference, limits)
        return call

    def truth(self, reference: Call) -> Call:
        """The reference once more, in double precision.

        Where PyTorch's own rounding exceeds the tolerance, Rushlight's result need only be as near to
        this one as PyTorch's is.
        """
        wide = Call(torch, reference.function, reference.sample, wide=True)
        with torch.enable_grad():
            wide.run()
        return wide

    def compare_outputs(self, call: Call, reference: Call, limits: dict[str, float]) -> None:
        """Eigenvectors and the like are unique only up to what the sample's processing removes."""
        try:
            self.compare_lists(call, reference, call.processed, reference.processed, limits)
        except RoundingMismatch:
            truth = self.truth(reference)
            values = zip(*(floating(item) for item in (call.processed, reference.processed, truth.processed)))
            if not all(nearer(to_torch(mine), theirs, exact) for mine, theirs, exact in values):
                raise

    def compare_lists(
        self, call: Call, reference: Call, actual: Any, expected: Any, limits: dict[str, float]
    ) -> None:
        actual, expected = flatten(actual), flatten(expected)
        if len(actual) != len(expected):
            raise Mismatch(f"{len(actual)} outputs where PyTorch has {len(expected)}")
        for mine, theirs in zip(actual, expected):
            if isinstance(theirs, torch.Tensor):
                self.compare_tensor(call, reference, mine, theirs, limits)
            elif isinstance(theirs, (torch.dtype, torch.device, torch.layout)):
                if name_of(mine) != name_of(theirs):
                    raise Mismatch(f"{mine} where PyTorch has {theirs}")
            elif type(mine) is not type(theirs):
                raise Mismatch(f"{type(mine).__name__} where PyTorch has {type(theirs).__name__}")
            elif isinstance(theirs, (bool, int, float, complex)):
                compare_values(torch.tensor(mine), torch.tensor(theirs), limits)
            elif mine != theirs:
                raise Mismatch(f"{mine!r} where PyTorch has {theirs!r}")

    def compare_tensor(
        self, call: Call, reference: Call, mine: Any, theirs: torch.Tensor, limits: dict[str, float]
    ) -> None:
        if not isinstance(mine, rushlight.Tensor):
            raise Mismatch(f"{type(mine).__name__} where PyTorch has a tensor")
        if name_of(mine.dtype) != name_of(theirs.dtype):
            raise Mismatch(f"dtype {name_of(mine.dtype)} where PyTorch has {name_of(theirs.dtype)}")
        if tuple(mine.shape) != tuple(theirs.shape):
            raise Mismatch(f"shape {tuple(mine.shape)} where PyTorch has {tuple(theirs.shape)}")
        if theirs.layout is not torch.strided:
            raise Mismatch(f"layout {mine.layout} where PyTorch has {theirs.layout}")
        if mine.requires_grad != theirs.requires_grad:
            raise Mismatch(f"requires_grad is {mine.requires_grad} where PyTorch has {theirs.requires_grad}")
        self.compare_layout(call, reference, mine, theirs)
        if self.entry.name not in UNDEFINED_VALUES:
            compare_values(to_torch(mine), theirs, limits)

    def compare_layout(self, call: Call, reference: Call, mine: Any, theirs: torch.Tensor) -> None:
        """A view of an input must be a view here, of the same strides."""
        lazy = theirs.is_conj() or theirs.is_neg()
        if theirs.numel() == 0 or lazy or not shares_storage(theirs, reference.inputs):
            return
        if not shares_storage(mine, call.inputs):
            raise Mismatch("a copy where PyTorch has a view of an input")
        if tuple(mine.stride()) != tuple(theirs.stride()):
            raise Mismatch(f"strides {tuple(mine.stride())} where PyTorch has {theirs.stride()}")

    def gradient(self, call: Call, reference: Call, limits: dict[str, float]) -> None:
        generator = torch.Generator().manual_seed(SEED)
        cotangents = []
        for output in reference.differentiable_outputs():
            wide = torch.complex128 if output.dtype.is_complex else torch.float64
            cotangents.append(torch.randn(output.shape, dtype=wide, generator=generator).to(output.dtype))
        try:
            expected = reference.gradients(cotangents)
        except RuntimeError:  # what PyTorch cannot differentiate is not compared
            return
        actual = call.gradients([to_rushlight(item).view(tuple(item.shape)) for item in cotangents])
        truth = None
        for index, (mine, theirs) in enumerate(zip(actual, expected)):
            try:
                self.compare_gradient(index, mine, theirs, limits)
            except RoundingMismatch:
                if truth is None:
                    truth = self.truth(reference).gradients([widen(item) for item in cotangents])
                if theirs is None or mine is None or not nearer(to_torch(mine), theirs, truth[index]):
                    raise

    def compare_gradient(self, index: int, mine: Any, theirs: Any, limits: dict[str, float]) -> None:
        """No gradient and a gradient of zeros say the same."""
        if mine is None and theirs is None:
            return
        try:
            if mine is None:
                compare_values(torch.zeros_like(theirs), theirs, limits)
            elif theirs is None:
                found = to_torch(mine)
                compare_values(found, torch.zeros_like(found), limits)
            else:
                compare_values(to_torch(mine), theirs, limits)
        except RoundingMismatch as error:
            raise RoundingMismatch(f"gradient of input {index}: {error}") from None

    def second_gradient(self, sample: Any) -> None:
        """Rushlight's second gradient against finite differences of its first."""
        if not self.entry.supports_gradgrad:
            return
        wrapper = translate(self.entry.gradcheck_wrapper, TensorCopier(rushlight))  # makes inputs Hermitian
        call = Call(rushlight, partial(wrapper, self.function), sample)

        def function(*_: Any) -> tuple[Any, ...]:
            call.run()
            return tuple(call.differentiable_outputs())

        if function():
            rushlight.autograd.gradgradcheck(function, call.copier.leaves)

    def forms(self, sample: Any, limits: dict[str, float]) -> Iterator[tuple[str, Callable[[], None]]]:
        """The method, in-place and out= forms that PyTorch has for this sample."""
        method = self.entry.method_variant
        if method is not None and isinstance(sample.input, torch.Tensor):
            yield "method", lambda: self.check_method(method, sample, limits)
        inplace = self.entry.inplace_variant
        if inplace is not None and isinstance(sample.input, torch.Tensor):
            yield "in-place", lambda: self.check_inplace(inplace, sample, limits)
        if self.entry.supports_out:
            yield "out=", lambda: self.check_out(sample, limits)

    def check_method(self, method: Any, sample: Any, limits: dict[str, float]) -> None:
        reference = Call(torch, method, sample)
        try:
            reference.run()
        except Exception:  # not every sample can be written as a method
            return
        call = Call(rushlight, self.form(method), sample)
        call.run()
        self.compare_outputs(call, reference, limits)

    def form(self, form: Any) -> Callable[..., Any]:
        found = form_counterpart(form)
        if found is None:
            raise Mismatch(f"{form.__name__} is missing")
        return found

    def check_inplace(self, inplace: Any, sample: Any, limits: dict[str, float]) -> None:
        def on_copy(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(input: Any, *args: Any, **kwargs: Any) -> Any:
                copy = input.clone()
                output = function(copy, *args, **kwargs)
                if output is not copy:
                    raise Mismatch("the in-place form does not return its input")
                if copy._version == 0 and memory_of(copy) != memory_of(input.clone()):
                    raise Mismatch("the in-place form does not count its write")
                return output

            return call

        reference = Call(torch, on_copy(inplace), sample)
        try:
            reference.run()
        except Exception:  # broadcasting and promotion keep some samples out of place
            return
        if reference.output.shape != reference.input.shape:
            return  # addbmm_ alone resizes its input
        call = Call(rushlight, on_copy(self.form(inplace)), sample)
        call.run()
        self.compare_outputs(call, reference, limits)
        if reference.differentiable_outputs():
            self.gradient(call, reference, limits)

    def check_out(self, sample: Any, limits: dict[str, float]) -> None:
        """Results land in tensors of the right size and in empty ones, and those are returned."""
        with torch.no_grad(), rushlight.no_grad():
            results = flatten(Call(torch, self.entry.op, sample).run())
            for sized in (True, False):
                theirs = self.buffers(results, sized, torch)
                reference = Call(torch, self.entry.op, sample)
                try:
                    reference.run(out=theirs)
                except Exception:  # some samples have no out= form
                    return
                mine = self.buffers(results, sized, rushlight)
                call = Call(rushlight, self.function, sample)
                call.run(out=mine)
                returned = all(map(operator.is_, flatten(reference.output), flatten(theirs)))
                if returned and not all(map(operator.is_, flatten(call.output), flatten(mine))):
                    raise Mismatch("out= does not return the tensors given")
                if sized and any(item._version == 0 and any(memory_of(item)) for item in flatten(mine)):
                    raise Mismatch("out= does not count its write")
                call.processed = translate(sample.output_process_fn_grad, call.copier)(mine)
                reference.processed = sample.output_process_fn_grad(theirs)
                self.compare_outputs(call, reference, limits)

    def buffers(self, results: list[Any], sized: bool, backend: Any) -> Any:
        """Tensors to receive the results: of their sizes, or to be resized."""
        made = [
            backend.zeros(tuple(item.shape) if sized else (0,), dtype=getattr(backend, name_of(item.dtype)))
            for item in results
            if isinstance(item, torch.Tensor)
        ]
        return made[0] if len(made) == 1 else tuple(made)
