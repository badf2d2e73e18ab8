"""Recurrent layers: the plain one, LSTM and GRU, over sequences and for single steps."""

from __future__ import annotations

import math
import warnings
from typing import Any

import rushlight
from rushlight import _C, Tensor

from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _run_sequence(
    mode: str, projected: Tensor, states: list[Tensor], weight: Tensor, bias: Tensor | None, reverse: bool
) -> list[Tensor]:
    """One layer in one direction over projected inputs (L, N, gates): the hidden states of all steps, and the last ones."""
    if mode == "LSTM":
        output, cell = _C._lstm_sequence(projected, *states, weight, reverse)
        return [output, output[0 if reverse else -1], cell]
    if mode == "GRU":
        output = _C._gru_sequence(projected, *states, weight, bias, reverse)
    else:
        run = _C._rnn_tanh_sequence if mode == "RNN_TANH" else _C._rnn_relu_sequence
        output = run(projected, *states, weight, reverse)
    return [output, output[0 if reverse else -1]]


def _biases(mode: str, input: Tensor | None, hidden: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """What is added to the inputs' projections, and to the states': only the GRU has these apart."""
    return (input, hidden) if mode == "GRU" or input is None else (input + hidden, None)


class RNNBase(Module):
    """What recurrent layers have: weights for each layer and direction, and the run over the steps."""

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_settings(mode, hidden_size, num_layers, dropout, proj_size)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        rows = _GATES[mode] * hidden_size
        state_size = proj_size if proj_size > 0 else hidden_size
        directions = 2 if bidirectional else 1
        for layer in range(num_layers):
            columns = input_size if layer == 0 else state_size * directions
            for suffix in self._suffixes(layer):
                shapes = {"weight_ih": (rows, columns), "weight_hh": (rows, state_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size > 0:
                    shapes["weight_hr"] = (proj_size, hidden_size)
                for name, shape in shapes.items():
                    empty = rushlight.empty(shape, device=device, dtype=dtype)
                    self.register_parameter(name + suffix, Parameter(empty))
        self.reset_parameters()

    def _suffixes(self, layer: int) -> list[str]:
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [
            [parameter for name, parameter in self._parameters.items() if name.endswith(suffix)]
            for layer in range(self.num_layers)
            for suffix in self._suffixes(layer)
        ]

    def flatten_parameters(self) -> None:
        """Does nothing: the weights need no special layout here."""

    def reset_parameters(self) -> None:
        """Draws all parameters from U(-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _state_shape(self, size: int, batch: int | None) -> tuple[int, ...]:
        layers = self.num_layers * (2 if self.bidirectional else 1)
        return (layers, size) if batch is None else (layers, batch, size)

    def _sizes(self) -> list[int]:
        """The sizes of the states: the hidden one, and the LSTM's cell."""
        return [self.proj_size if self.proj_size > 0 else self.hidden_size]

    def forward(self, input: Tensor, hx: Any = None) -> tuple[Tensor, Any]:
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D tensor instead"
            )
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        batch = input.size(batch_dim) if batched else None
        states = self._states(input, hx, batch)
        steps = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            steps = steps.transpose(0, 1)
        output, states = self._run(steps, [state if batched else state.unsqueeze(1) for state in states])
        if not batched:
            output, states = output.squeeze(1), [state.squeeze(1) for state in states]
        elif self.batch_first:
            output = output.transpose(0, 1)
        return output, (states[0] if len(states) == 1 else tuple(states))

    def _states(self, input: Tensor, hx: Any, batch: int | None) -> list[Tensor]:
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.size(-1)}"
            )
        sizes = self._sizes()
        if hx is None:
            return [input.new_zeros(self._state_shape(size, batch)) for size in sizes]
        states = [hx] if len(sizes) == 1 else list(hx)
        dims = 2 if batch is None else 3
        if any(state.dim() != dims for state in states):
            kind = f"For {'unbatched' if batch is None else 'batched'} {dims}-D input, "
            found = ", ".join(f"{state.dim()}-D" for state in states)
            if len(states) == 1:
                raise RuntimeError(f"{kind}hx should also be {dims}-D but got {found} tensor")
            raise RuntimeError(f"{kind}hx and cx should also be {dims}-D but got ({found}) tensors")
        for i, (state, size) in enumerate(zip(states, sizes, strict=True)):
            expected = self._state_shape(size, batch)
            if tuple(state.shape) != expected:
                name = "hidden" if len(states) == 1 else f"hidden[{i}]"
                raise RuntimeError(f"Expected {name} size {expected}, got {list(state.shape)}")
        return states

    def _run(self, steps: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """All layers over all steps (L, N, *)."""
        finals: list[list[Tensor]] = [[] for _ in states]
        row = 0
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                first = [state[row] for state in states]
                output, last = self._run_direction(steps, first, suffix, reverse=direction == 1)
                outputs.append(output)
                for final, state in zip(finals, last, strict=True):
                    final.append(state)
                row += 1
            steps = outputs[0] if len(outputs) == 1 else rushlight.cat(outputs, -1)
            if self.dropout > 0 and self.training and layer < self.num_layers - 1:
                steps = F.dropout(steps, self.dropout, True)
        return steps, [rushlight.stack(final) for final in finals]

    def _run_direction(
        self, steps: Tensor, states: list[Tensor], suffix: str, reverse: bool
    ) -> tuple[Tensor, list[Tensor]]:
        weight = getattr(self, "weight_hh" + suffix)
        biases = (getattr(self, name + suffix) if self.bias else None for name in ("bias_ih", "bias_hh"))
        bias_input, bias = _biases(self.mode, *biases)
        # One product projects the inputs of all steps.
        projected = F.linear(steps, getattr(self, "weight_ih" + suffix), bias_input)
        if self.proj_size == 0:
            output, *states = _run_sequence(self.mode, projected, states, weight, bias, reverse)
            return output, states
        outputs = []
        for step in reversed(projected.split(1)) if reverse else projected.split(1):
            _, hidden, cell = _run_sequence(self.mode, step, states, weight, bias, reverse)
            states = [F.linear(hidden, getattr(self, "weight_hr" + suffix)), cell]
            outputs.append(states[0])
        if reverse:
            outputs.reverse()
        return rushlight.stack(outputs), states

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.proj_size != 0:
            parts.append(f"proj_size={self.proj_size}")
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if self.batch_first is not False:
            parts.append(f"batch_first={self.batch_first}")
        if self.dropout != 0:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional is not False:
            parts.append(f"bidirectional={self.bidirectional}")
        return ", ".join(parts)


def _check_settings(mode: str, hidden_size: int, num_layers: int, dropout: float, proj_size: int) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}",
            stacklevel=4,
        )
    if not isinstance(hidden_size, int):
        raise TypeError(f"hidden_size should be of type int, got: {type(hidden_size).__name__}")
    if hidden_size <= 0:
        raise ValueError("hidden_size must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if mode not in _GATES:
        raise ValueError("Unrecognized RNN mode: " + mode)


def _refuse_projection(arguments: dict[str, Any]) -> None:
    if "proj_size" in arguments:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or ReLU of it, over (L, N, input_size) (Elman, 1990).

    Returns the hidden states of the last layer (L, N, D * hidden_size), D being 2 if `bidirectional`, and the last
    hidden state of every layer and direction (D * num_layers, N, hidden_size).

    >>> import rushlight as torch
    >>> output, hidden = torch.nn.RNN(3, 4)(torch.zeros(5, 2, 3))
    >>> output.shape, hidden.shape
    (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **unsupported: Any,
    ) -> None:
        _refuse_projection(unsupported)
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory over (L, N, input_size) (Hochreiter & Schmidhuber, 1997).

    Returns the hidden states of the last layer, and the last hidden and cell states (h, c) of every layer and
    direction; `proj_size` projects the hidden states (Sak et al., 2014).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def _sizes(self) -> list[int]:
        return [*super()._sizes(), self.hidden_size]


class GRU(RNNBase):
    """Gated recurrent units over (L, N, input_size) (Cho et al., 2014); returns what `RNN` does."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **unsupported: Any,
    ) -> None:
        _refuse_projection(unsupported)
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )


class RNNCellBase(Module):
    """What the cells have: the two weights and biases."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size

        def parameter(*shape: int) -> Parameter:
            return Parameter(rushlight.empty(shape, device=device, dtype=dtype))

        self.weight_ih = parameter(rows, input_size)
        self.weight_hh = parameter(rows, hidden_size)
        self.register_parameter("bias_ih", parameter(rows) if bias else None)
        self.register_parameter("bias_hh", parameter(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all parameters from U(-k, k), k = 1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, mode: str, input: Tensor, states: list[Tensor]) -> list[Tensor]:
        """The states after one step, which is a sequence of length one."""
        self._check(input, states)
        bias_input, bias = _biases(mode, self.bias_ih, self.bias_hh)
        projected = F.linear(input, self.weight_ih, bias_input)
        if input.dim() == 1:
            projected, states = projected.unsqueeze(0), [state.unsqueeze(0) for state in states]
        _, *states = _run_sequence(mode, projected.unsqueeze(0), states, self.weight_hh, bias, False)
        return [state.squeeze(0) for state in states] if input.dim() == 1 else states

    def _check(self, input: Tensor, states: list[Tensor]) -> None:
        if input.dim() not in (1, 2):
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 1D or 2D, got {input.dim()}D instead"
            )
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {input.size(-1)} expected {self.input_size}"
            )
        for i, state in enumerate(states):
            if state.dim() not in (1, 2):
                raise ValueError(
                    f"{type(self).__name__}: Expected hidden to be 1D or 2D, got {state.dim()}D instead"
                )
            if input.dim() == 2 and input.size(0) != state.size(0):
                raise RuntimeError(
                    f"Input batch size {input.size(0)} doesn't match hidden{i} batch size {state.size(0)}"
                )
            if state.size(-1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {state.size(-1)}, expected {self.hidden_size}"
                )

    def _zeros(self, input: Tensor) -> Tensor:
        return input.new_zeros((*input.shape[:-1], self.hidden_size))

    def extra_repr(self) -> str:
        parts = [f"{self.input_size}, {self.hidden_size}"]
        if self.bias is not True:
            parts.append(f"bias={self.bias}")
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            parts.append(f"nonlinearity={self.nonlinearity}")
        return ", ".join(parts)


class RNNCell(RNNCellBase):
    """One step of `RNN`: (N, input_size) and (N, hidden_size) give (N, hidden_size), also without N."""

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        mode = f"RNN_{self.nonlinearity.upper()}"
        return self._step(mode, input, [self._zeros(input) if hx is None else hx])[0]


class LSTMCell(RNNCellBase):
    """One step of `LSTM`: (N, input_size) and a pair of (N, hidden_size) give such a pair, also without N."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        states = [self._zeros(input)] * 2 if hx is None else list(hx)
        hidden, cell = self._step("LSTM", input, states)
        return hidden, cell


class GRUCell(RNNCellBase):
    """One step of `GRU`: (N, input_size) and (N, hidden_size) give (N, hidden_size), also without N."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, [self._zeros(input) if hx is None else hx])[0]
