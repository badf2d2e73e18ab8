"""Automatic differentiation: gradients of whatever was computed with tensors that require them."""

from rushlight._C import Tensor as Variable
from rushlight.autograd import graph as graph
from rushlight.autograd._backward import backward, grad
from rushlight.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from rushlight.autograd.function import Function
from rushlight.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from rushlight.autograd.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
