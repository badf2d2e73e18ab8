"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rushlight import Tensor

from ._formula import FormulaOptimizer, zeros
from ._settings import check_betas, check_fused, check_learning_rate, check_not_negative

__all__ = ["Adam", "AdamW"]


class Adam(FormulaOptimizer):
    """p -= lr * m' / (sqrt(v') + eps), m and v being moving averages of g and g^2 at the rates `betas`, m' and v'
    without their bias towards zero (Kingma & Ba, 2014).

    Weight decay adds weight_decay * p to the gradient or, if `decoupled_weight_decay`, shrinks the parameter.
    `amsgrad` takes the greatest v so far (Reddi et al., 2018).
    `foreach` and `fused` change nothing here.

    >>> import rushlight as torch
    >>> weight = torch.nn.Parameter(torch.ones(2))
    >>> weight.grad = torch.ones(2)
    >>> torch.optim.Adam([weight], lr=0.5).step()
    >>> weight
    Parameter containing:
    tensor([0.5000, 0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError("lr as a Tensor is not supported for capturable=False and foreach=True")
        check_learning_rate(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _new_state(self, parameter: Tensor, group: dict[str, Any]) -> dict[str, Any]:
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        return {name: zeros(parameter) for name in names}

    def _update(self, parameter: Any, gradient: Any, state: dict[str, Any], group: dict[str, Any]) -> None:
        (beta1, beta2), count = group["betas"], state["step"].item()
        mean = state["exp_avg"] = state["exp_avg"].lerp(gradient, 1 - beta1)
        if isinstance(beta2, Tensor):  # which may want a gradient
            square = state["exp_avg_sq"].lerp(gradient.square(), 1 - beta2)
        else:
            square = state["exp_avg_sq"].mul(beta2).addcmul(gradient, gradient, value=1 - beta2)
        state["exp_avg_sq"] = square
        if group["amsgrad"]:
            square = state["max_exp_avg_sq"] = state["max_exp_avg_sq"].maximum(square)
        scale = square.sqrt() / (1 - beta2**count) ** 0.5 + group["eps"]
        parameter.sub_(group["lr"] / (1 - beta1**count) * (mean / scale))


class AdamW(Adam):
    """Adam that shrinks the parameters by lr * weight_decay at each step (Loshchilov & Hutter, 2017)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
